"""Where does a model's confidence beat a counted one? Unseen baskets, planted rules, and what each way costs.

    python benchmarks/readout.py [--seeds 0 1 2] [--sets shop groceries online-retail] [--parts unseen planted cost …]

*unseen*: every estimate of confidence on unseen baskets, by the number of baskets behind the antecedent, with a split
at random and one by time. *planted*: how well the shop's planted pair rules are ranked from fewer and fewer baskets.
*cost*: time and peak memory until the best 1,000 rules are there. *peer*: the neurosymbolic library pyaerial on
groceries, where it is installed. Each job runs in a process of its own; rows are added to the tables as they come, so
a second call goes on where the first was stopped.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import platform
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
from scipy import sparse

from llmarm_tutorial.data import loading
from llmarm_tutorial.data.shop import simulate
from llmarm_tutorial.data.transactions import Split, Transactions
from llmarm_tutorial.errors import LlmarmError
from llmarm_tutorial.figures import house_style
from llmarm_tutorial.figures import readout as readout_figures
from llmarm_tutorial.mining import antecedents, judging, miners, rule_checks, rules, significance
from llmarm_tutorial.mining.antecedents import gather
from llmarm_tutorial.mining.judging import Trial
from llmarm_tutorial.mining.measures import lift
from llmarm_tutorial.models import gap_reading, readout

LARGEST = 100  # baskets with more different items are wholesale orders; left out
TRUTH_CUSTOMERS = 30_000  # of a shop like the shipped one, in which confidences are nearly exact
TIME_LIMIT = {"cost": 300}  # seconds for a job; the others have
LONGEST_JOB = 3000
MEMORY_LIMIT = 12 * 2**30  # bytes of address space, for a job of `cost`
COST_ITEMS = (250, 1000, 4000)  # catalogues: the most bought items of online-retail
COST_SUPPORTS = (100, 20, 5)  # least joint baskets
N_RULES = 1000


def load(name: str) -> Transactions:
    """A data set without wholesale baskets and without items that occur fewer than five times."""
    data = loading.load(name)
    small = np.diff(data.basket_matrix().indptr) <= LARGEST
    table = data.table[data.table["basket_id"].isin(data.basket_ids[small])].reset_index(drop=True)
    return replace(data, table=table).filter_items(5)


def matrices(split: Split) -> list[sparse.csr_matrix]:
    return [part.basket_matrix() for part in split]


def unseen(name: str, split: str, seed: int) -> pd.DataFrame:
    """Losses of every estimate on the test baskets (and, for the shop, against a large shop), by band of support."""
    data = load(name)
    parts = data.split_by_basket(0.1, 0.2, seed=seed) if split == "random" else data.split_by_time(0.1, 0.2)
    train, validation, test = matrices(parts)
    large = train.shape[1] > 1000
    trial = Trial.of(train, validation, test, per_band=100 if large else 300, seed=seed)
    estimates = judging.count_estimates(train, trial)
    best = judging.best_of(estimates, trial)
    estimates["best count"] = best[:2]
    asked = (trial.known.antecedents, trial.known_test.antecedents)
    model, done = readout.train_completion_model(train, validation, asked[0], seed=seed)
    estimates["model"] = tuple(readout.confidences(model, codes) for codes in asked)
    priors = {"model + counts": (estimates["model"], None), "combined": (best[:2], estimates["model"])}
    for label, (first, second) in priors.items():
        doubts = judging.PRIOR_DOUBTS
        chosen = judging.tune_confidence(trial.known, trial.unseen, first[0], second and second[0], doubts=doubts)
        estimates[label] = tuple(
            chosen.estimate(known, first[row], second and second[row])
            for row, known in enumerate((trial.known, trial.known_test))
        )
    if not large:
        gaps, _ = gap_reading.train_gap_model(train, settings=replace(readout.READOUT_SETTINGS, epochs=3), seed=seed)
        told = [
            gap_reading.from_gaps(gap_reading.gap_chances(gaps, a), gap_reading.items_to_come(train, a)) for a in asked
        ]
        fitted = gap_reading.Calibration.fit(told[0], trial.unseen)
        sizes = (trial.known.sizes, trial.known_test.sizes)
        estimates["masked gaps"] = told
        estimates["masked gaps, calibrated"] = [fitted.apply(p, s) for p, s in zip(told, sizes, strict=True)]
    judges = {"test baskets": trial.unseen_test}
    if name == "shop" and split == "random":
        judges["large shop"] = gather(large_shop(), asked[1])
    tables = []
    for judge, evidence in judges.items():
        losses_of = {label: judging.confidence_losses(pair[1], evidence) for label, pair in estimates.items()}
        tables.append(judging.by_band(losses_of, trial.known_test).assign(judge=judge))
    about = {"data": name, "split": split, "seed": seed, "train_seconds": done.seconds, "best_epoch": done.best_epoch}
    chosen_in = dict(zip(antecedents.band_names(), best[2], strict=True))
    table = pd.concat(tables).assign(**about)
    return table.assign(best_count=table["band"].map(chosen_in))


def large_shop() -> sparse.csr_matrix:
    shop = simulate.generate(customers=TRUTH_CUSTOMERS)
    return Transactions.from_frame(shop.transactions, items=shop.items, name="large shop").basket_matrix()


def planted(seed: int) -> pd.DataFrame:
    """Average precision of ranking the planted pair rules, from a share of the baskets, by whom and how."""
    data = load("shop")
    rows = []
    truth = simulate.planted_rules("same_basket")
    truth = truth[truth["antecedent"].map(len) == 1]
    ids = data.items["item_id"].to_numpy()
    code = {item: place for place, item in enumerate(ids)}
    real = {
        frozenset((code[min(x)], code[min(y)])) for x, y in zip(truth["antecedent"], truth["consequent"], strict=True)
    }
    rng = np.random.default_rng(seed)
    every = data.basket_matrix()
    for share in (1 / 16, 1 / 4, 1.0):
        part = every[np.flatnonzero(rng.random(every.shape[0]) < share)]
        cut = rng.random(part.shape[0]) < 0.9
        train, validation = part[np.flatnonzero(cut)], part[np.flatnonzero(~cut)]
        asked = antecedents.draw_questions(validation, train, seed=seed)
        model, _ = readout.train_completion_model(train, validation, asked, seed=seed)
        single = np.arange(train.shape[1], dtype=np.int32)[:, None]
        known, whole = gather(train, single), gather(part, single)
        p = readout.confidences(model, single).astype(float)
        asked_known, asked_unseen = gather(train, asked), gather(validation, asked)
        prior = readout.confidences(model, asked)
        chosen = judging.tune_confidence(asked_known, asked_unseen, prior, doubts=judging.PRIOR_DOUBTS)
        joined = chosen.estimate(known, p).astype(float)
        n, y = whole.baskets[:, None], whole.shares[None]
        tested = significance.fisher_greater(
            whole.joint.ravel(), np.repeat(whole.baskets, len(ids)), np.tile(whole.baskets, len(ids)),
            np.full(whole.joint.size, part.shape[0]),
        ).reshape(whole.joint.shape)  # fmt: skip
        scale = np.sqrt(n / np.maximum(y * (1 - y), 1e-9))
        scores = {
            "counts, p-value": -tested,
            "counts, lift (met 10 times)": np.where(whole.joint >= 10, lift(whole.joint, n, y, 1), 0),
            "model, lift": p / np.maximum(y, 1e-9),
            "model, z": (p - y) * scale,
            "model + counts, z": (joined - y) * scale,
        }
        for label, score in scores.items():
            symmetric = score + score.T
            i, j = np.triu_indices(len(ids), 1)
            order = np.argsort(-symmetric[i, j], kind="stable")
            ranked = np.stack([i[order], j[order]], axis=1).tolist()
            hit = np.array([frozenset(pair) in real for pair in ranked])
            precision = (np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean()
            rows.append({"baskets": part.shape[0], "share": share, "ranking": label, "average_precision": precision})
    return pd.DataFrame(rows).assign(seed=seed)


def cost(way: str, n_items: int, least: str) -> pd.DataFrame:
    """Seconds and peak memory until the 1,000 most confident rules are there; the model is trained once for all."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))  # what asks for more fails, alone
    data = loading.load("online-retail")
    every = data.basket_matrix()
    every = every[np.flatnonzero(np.diff(every.indptr) <= LARGEST)]
    popular = np.sort(np.argsort(-np.bincount(every.indices, minlength=every.shape[1]), kind="stable")[:n_items])
    matrix = sparse.csr_matrix(every[:, popular])
    matrix = matrix[np.flatnonzero(np.diff(matrix.indptr) > 0)]
    n, items = matrix.shape[0], data.items.iloc[popular].reset_index(drop=True)
    shares = np.bincount(matrix.indices, minlength=matrix.shape[1]) / n
    about = {"way": way, "items": matrix.shape[1], "baskets": n}
    before, rows = psutil.Process().memory_info().rss, []
    if way == "model":
        cut = n - n // 10
        asked = antecedents.draw_questions(matrix[cut:], matrix[:cut], per_band=40)
        start = time.perf_counter()
        model, _ = readout.train_completion_model(matrix[:cut], matrix[cut:], asked)
        trained = time.perf_counter() - start
        for count in COST_SUPPORTS:
            for longest in (1, 2):
                start = time.perf_counter()
                limits = {"min_support": count / n, "longest": longest, "most": N_RULES}
                found = len(readout.read_rules(model, shares, n, items, **limits))
                took = {"seconds": time.perf_counter() - start, "training_seconds": trained, "rules": found}
                label = "pairs, model" if longest == 1 else "up to 3 items, model"
                rows.append({**about, "way": label, "least_baskets": count, **took, "peak_mb": _peak(before)})
        return pd.DataFrame(rows)
    start = time.perf_counter()
    found = len(_count_rules(way, matrix, int(least)))
    took = {"seconds": time.perf_counter() - start, "training_seconds": 0.0, "rules": found}
    return pd.DataFrame([{**about, "least_baskets": int(least), **took, "peak_mb": _peak(before)}])


def _count_rules(way: str, matrix: sparse.csr_matrix, least: int) -> pd.DataFrame:
    if way == "pairs, XᵀX":
        return rules.pair_rules(matrix, least).head(N_RULES)
    if way == "up to 3 items, Eclat":
        return rules.rules_from_itemsets(miners.mine(matrix, least, max_length=3), 0.01).head(N_RULES)
    from mlxtend import frequent_patterns

    frame = pd.DataFrame.sparse.from_spmatrix(matrix)
    miner = frequent_patterns.fpgrowth if "FP-growth" in way else frequent_patterns.apriori
    more = {} if "FP-growth" in way else {"low_memory": True}
    sets = miner(frame, min_support=(least - 0.5) / matrix.shape[0], max_len=3, **more)
    found = frequent_patterns.association_rules(sets, metric="confidence", min_threshold=0.01)
    return found[found["consequents"].map(len) == 1].nlargest(N_RULES, "confidence")


def _peak(before: int) -> float:
    """Highest memory of this process so far, less what it had before, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)
    return max(0.0, (peak - before) / 2**20)


def peer(way: str, seed: int) -> dict[str, float]:
    """Rules with confidence of at least .3 on groceries: how many, how much they cover and keep on unseen baskets."""
    parts = matrices(load("groceries").split_by_basket(0.1, 0.2, seed=seed))
    train, validation, test = parts
    n, n_items = train.shape
    shares = np.bincount(train.indices, minlength=n_items) / n
    items = pd.DataFrame({"item_id": np.arange(n_items), "name": np.arange(n_items).astype(str)})
    start = time.perf_counter()
    if way == "pyaerial":
        import torch

        model, extraction = (importlib.import_module(f"aerial.{name}") for name in ("model", "rule_extraction"))

        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the peer draws from the global state
        frame = pd.DataFrame(np.where(train.toarray(), "yes", None), columns=[str(k) for k in range(n_items)])
        net = model.train(frame.astype("category"), epochs=2)
        result = extraction.generate_rules(net, min_rule_frequency=0.005, min_rule_strength=0.3, max_antecedents=2)
        sides = [
            (frozenset(int(a["feature"]) for a in rule["antecedents"]), frozenset([int(rule["consequent"]["feature"])]))
            for rule in result["rules"]
        ]
        found = pd.DataFrame(sides, columns=["antecedent", "consequent"])
    elif way == "counts":
        found = rules.mine_rules(train, 0.005, 0.3, max_length=3)
    else:
        asked = antecedents.draw_questions(validation, train, seed=seed)
        net, _ = readout.train_completion_model(train, validation, asked, seed=seed)
        found = readout.read_rules(net, shares, n, items, min_support=0.005, min_confidence=0.3)
    seconds = time.perf_counter() - start
    result = {"rules": len(found), "seconds": seconds, "coverage": 0.0, "unseen_confidence": np.nan, "recall": 0.0}
    if len(found):
        again = rule_checks.recount(found, test)
        covered = np.zeros(test.shape[0], dtype=bool)
        for x in set(found["antecedent"]):
            covered |= np.asarray(test[:, sorted(x)].sum(axis=1)).ravel() == len(x)
        exact = rules.mine_rules(train, 0.005, 0.3, max_length=3)
        pairs = set(zip(exact["antecedent"], exact["consequent"], strict=True))
        hit = pairs & set(zip(found["antecedent"], found["consequent"], strict=True))
        confident = float(again["count"].sum() / max(again["antecedent_count"].sum(), 1))
        result |= {"coverage": covered.mean(), "unseen_confidence": confident, "recall": len(hit) / len(pairs)}
    return result


WAYS = (
    "pairs, XᵀX",
    "up to 3 items, Eclat",
    "up to 3 items, FP-growth (mlxtend)",
    "up to 3 items, Apriori (mlxtend)",
)


def jobs(parts: list[str], sets: list[str], seeds: list[int]) -> list[tuple[str, ...]]:
    """All jobs as words of the command line, what is quick or matters most first."""
    found: list[tuple[str, ...]] = []
    if "unseen" in parts:
        for seed in seeds:
            found += [("unseen", name, "random", str(seed)) for name in sets]
    if "planted" in parts and "shop" in sets:
        found += [("planted", str(seed)) for seed in seeds]
    if "peer" in parts and "groceries" in sets:
        ways = ["counts", "model", *(["pyaerial"] if importlib.util.find_spec("aerial") else [])]
        found += [("peer", way, str(seed)) for way in ways for seed in seeds]
    if "cost" in parts and "online-retail" in sets:
        for n in COST_ITEMS:
            found += [("cost", way, str(n), str(least)) for way in WAYS for least in COST_SUPPORTS]
            found.append(("cost", "model", str(n), "all"))
    if "unseen" in parts:
        by_time = [name for name in sets if name in ("shop", "online-retail")]
        found += [("unseen", name, "time", str(seed)) for seed in seeds for name in by_time]
    return found


def do(job: tuple[str, ...]) -> pd.DataFrame:
    """Run one job: rows of its table, which carry the job in column `job`."""
    kind, *words = job
    if kind == "unseen":
        table = unseen(words[0], words[1], int(words[2]))
    elif kind == "planted":
        table = planted(int(words[0]))
    elif kind == "cost":
        table = cost(words[0], int(words[1]), words[2])
    else:
        table = pd.DataFrame([{"way": words[0], "seed": int(words[1]), **peer(words[0], int(words[1]))}])
    return table.assign(job="|".join(words))


def draw(out: Path) -> None:
    """The figure of the README: error against the planted truth and on unseen baskets, by support."""
    table = pd.read_csv(out / "readout.csv")
    keys = ["data", "split", "judge"]
    shown = [("shop", "random", "large shop"), ("groceries", "random", "test baskets")]
    shown += [("online-retail", "random", "test baskets"), ("shop", "time", "test baskets")]
    shown = [key for key in shown if (table[keys] == list(key)).all(axis=1).any()]
    with house_style.style():
        figure, axes = plt.subplots(1, len(shown), figsize=(4.2 * len(shown), 3.8), squeeze=False)
        for axis, key in zip(axes[0], shown, strict=True):
            part = table[(table[keys] == list(key)).all(axis=1)]
            readout_figures.draw_crossover(axis, part, "rmse")
            axis.set_title(f"{key[0]}, split {'at random' if key[1] == 'random' else 'by time'}\njudged by: {key[2]}")
        axes[0][0].legend(fontsize=8)
        figure.savefig(out / "readout.png", dpi=130, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description="Confidence from a model and from counts, side by side.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=["shop", "groceries", "online-retail"])
    parser.add_argument("--parts", nargs="+", default=["unseen", "planted", "cost", "peer"])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results" / "benchmarks")
    parser.add_argument("--job", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--figure-only", action="store_true", help="draw readout.png anew from readout.csv")
    options = parser.parse_args()
    if options.job:
        print(do(tuple(options.job)).to_json(orient="records"))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.figure_only:
        here = []
        for name in options.sets:
            try:
                loading.load(name)
                here.append(name)
            except LlmarmError as error:
                print(f"{name}: left out. {error}")
        for job in jobs(options.parts, here, options.seeds):
            kind, words = job[0], "|".join(job[1:])
            path = options.out / ("readout.csv" if kind == "unseen" else f"readout_{kind}.csv")
            before = pd.read_csv(path) if path.exists() else pd.DataFrame({"job": []})
            if words in set(before["job"]):
                continue
            limit = TIME_LIMIT.get(kind, LONGEST_JOB) if job[1] != "model" else LONGEST_JOB
            start = time.perf_counter()
            try:
                command = [sys.executable, __file__, "--job", *job]
                done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=True)
                table = pd.DataFrame(json.loads(done.stdout.splitlines()[-1]))
            except subprocess.TimeoutExpired:
                table = pd.DataFrame([{"job": words, "note": f"over {limit} s"}])
            except subprocess.CalledProcessError as failure:
                table = pd.DataFrame([{"job": words, "note": failure.stderr.strip().splitlines()[-1][:100]}])
            pd.concat([before, table]).to_csv(path, index=False, float_format="%.6g")
            print(
                f"{kind} {words}: {time.perf_counter() - start:.0f} s {table.get('note', pd.Series(['']))[0]}",
                flush=True,
            )
    draw(options.out)
    packages = ("numpy", "scipy", "torch", "transformers", "mlxtend", "pyaerial")
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    about = {
        "command": "python benchmarks/readout.py",
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
        "versions": versions,
    }
    (options.out / "readout.json").write_text(json.dumps(about, indent=2) + "\n")
    print(f"wrote {options.out}/readout*.csv, readout.png and readout.json")


if __name__ == "__main__":
    main()
