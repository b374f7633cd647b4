"""Where does a model's confidence beat a counted one? Unseen baskets, planted rules, and what each way costs.

    python benchmarks/readout.py [--parts unseen planted cost peer] [--data shop …] [--seeds 0 1 2]

*unseen*: every estimate of confidence on unseen baskets, by the number of baskets behind the antecedent, with a split
at random and one by time. *planted*: how well the shop's planted pair rules are ranked from fewer and fewer baskets.
*cost*: time and peak memory until the best 1,000 rules of online-retail are there, each way in a process of its own on
one thread (Linux or macOS). *peer*: the neurosymbolic library pyaerial on groceries, where it is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import harness
import numpy as np
import pandas as pd
import peers
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from rows import setting, unfolded
from scipy import sparse

from llmarm_tutorial.data.shop import simulate
from llmarm_tutorial.data.transactions import Transactions
from llmarm_tutorial.figures import readout as readout_figures
from llmarm_tutorial.mining import antecedents, judging, miners, rule_checks, rules, significance
from llmarm_tutorial.mining.antecedents import gather
from llmarm_tutorial.mining.measures import lift
from llmarm_tutorial.models import gap_reading, readout

LARGEST = 100  # baskets with more different items are wholesale orders; left out
TRUTH_CUSTOMERS = 30_000  # of a shop like the shipped one, in which confidences are nearly exact
SHARES = (1 / 16, 1 / 4, 1.0)  # of the baskets
LIMIT = 300  # processor seconds for a way in `cost`
MEMORY_LIMIT = 12 * 2**30  # bytes of address space
COST_ITEMS = (250, 1000, 4000)  # catalogues: the most bought items
COST_SUPPORTS = (100, 20, 5)  # least joint baskets
N_RULES = 1000
SOLE = {"planted": "shop", "cost": "online-retail", "peer": "groceries"}  # part → the set that it is about
MEASURES = {"rmse": "rmse", "log_loss": "log loss", "brier": "Brier"}
Matrix = sparse.csr_matrix


def without_wholesale(data: Transactions) -> Transactions:
    """Without baskets of many items, and without items that then occur fewer than five times."""
    small = np.diff(data.basket_matrix().indptr) <= LARGEST
    return data.rows(data.table["basket_id"].isin(data.basket_ids[small]).to_numpy()).filter_items(5)


def completed(bench: harness.Bench, train: Matrix, validation: Matrix, asked: np.ndarray, seed: int) -> Any:
    """A completion model and what its training did."""
    small = {"settings": replace(readout.READOUT_SETTINGS, epochs=1), "batches": {"draws": 500}}
    return readout.train_completion_model(train, validation, asked, seed=seed, **(small if bench.smoke else {}))


# --- unseen -----------------------------------------------------------------------------------------------------------


def unseen(bench: harness.Bench, name: str, data: Transactions, split: str, seed: int) -> None:
    """Losses of every estimate on the test baskets (and, for the shop, against a large shop), by band of support."""
    which = {"seed": seed, "made_of": [readout.READOUT_SETTINGS, LARGEST, TRUTH_CUSTOMERS]}
    if bench.has(name, "counts", setting=setting(split=split, judge="test baskets"), **which):
        return
    data = without_wholesale(data)
    parts = data.split_by_basket(0.1, 0.2, seed=seed) if split == "random" else data.split_by_time(0.1, 0.2)
    train, validation, test = (part.basket_matrix() for part in parts)
    large = train.shape[1] > 1000
    trial = judging.Trial.of(train, validation, test, per_band=100 if large else 300, seed=seed)
    asked = (trial.known.antecedents, trial.known_test.antecedents)
    estimates = judging.count_estimates(train, trial)
    best = judging.best_of(estimates, trial)
    estimates["best count"] = best[:2]
    model, done = completed(bench, train, validation, asked[0], seed)
    estimates["model"] = tuple(readout.confidences(model, codes) for codes in asked)
    priors = {"model + counts": [estimates["model"]], "combined": [estimates["best count"], estimates["model"]]}
    for label, pairs in priors.items():
        of_validation, of_test = zip(*pairs, strict=True)
        chosen = judging.tune_confidence(trial.known, trial.unseen, *of_validation, doubts=judging.PRIOR_DOUBTS)
        estimates[label] = (chosen.estimate(trial.known, *of_validation), chosen.estimate(trial.known_test, *of_test))
    if not large:
        estimates |= from_gaps(bench, train, trial, seed)
    evidence = {"test baskets": trial.unseen_test}
    if name == "shop" and split == "random":
        shop = large_shop(300 if bench.smoke else TRUTH_CUSTOMERS, tuple(data.items["item_id"]))
        evidence = {"large shop": gather(shop, asked[1])} | evidence
    for judge, seen in evidence.items():
        losses = {label: judging.confidence_losses(pair[1], seen) for label, pair in estimates.items()}
        table = judging.by_band(losses, trial.known_test)
        for label in reversed(estimates):  # "counts" last: where it is, all are
            part, about = table[table["estimate"] == label].set_index("band"), {}
            columns = [*MEASURES, *["antecedents", "baskets"] * (label == "counts")]
            values = {f"{MEASURES.get(c, c)}, {band}": part.loc[band, c] for c in columns for band in part.index}
            if label == "model":
                values["best epoch"], about["seconds"] = done.best_epoch, done.seconds
            if label == "best count":
                about["notes"] = {"chosen": dict(zip(antecedents.band_names(), best[2], strict=True))}
            bench.add(name, label, values, setting=setting(split=split, judge=judge), **which, **about)


def from_gaps(bench: harness.Bench, train: Matrix, trial: judging.Trial, seed: int) -> dict[str, Any]:
    """What a masked model says of gaps, as it is and calibrated on validation."""
    settings = replace(readout.READOUT_SETTINGS, epochs=1 if bench.smoke else 3)
    model, _ = gap_reading.train_gap_model(train, settings=settings, seed=seed)
    asked, read = (trial.known, trial.known_test), []
    for codes in (known.antecedents for known in asked):
        to_come = gap_reading.items_to_come(train, codes)
        read.append(gap_reading.from_gaps(gap_reading.gap_chances(model, codes), to_come))
    fitted = gap_reading.Calibration.fit(read[0], trial.unseen)
    calibrated = [fitted.apply(p, known.sizes) for p, known in zip(read, asked, strict=True)]
    return {"masked gaps": read, "masked gaps, calibrated": calibrated}


@cache
def large_shop(customers: int, items: tuple[str, ...]) -> Matrix:
    """The baskets of a shop like the shipped one, with these items as columns."""
    shop = simulate.generate(customers=customers)
    baskets = Transactions.from_frame(shop.transactions, items=shop.items, name="large shop")
    return baskets.basket_matrix()[:, pd.Index(baskets.items["item_id"]).get_indexer(items)]


# --- planted ----------------------------------------------------------------------------------------------------------


def planted(bench: harness.Bench, name: str, data: Transactions, seed: int) -> None:
    """Average precision of ranking the planted pair rules, from fewer and fewer baskets, by whom and how."""
    which = {"seed": seed, "made_of": [readout.READOUT_SETTINGS, LARGEST, SHARES]}
    if bench.has(name, "model + counts, z", setting=setting(share=SHARES[-1]), **which):
        return
    data = without_wholesale(data)
    truth = simulate.planted_rules("same_basket")
    truth = truth[truth["antecedent"].map(len) == 1]
    real = list(zip(truth["antecedent"], truth["consequent"], strict=True))
    rng, every = np.random.default_rng(seed), data.basket_matrix()
    i, j = np.triu_indices(every.shape[1], 1)
    names = data.items["item_id"].map(lambda item: frozenset([item])).to_numpy()
    for share in SHARES[-1:] if bench.smoke else SHARES:
        part = every[np.flatnonzero(rng.random(every.shape[0]) < share)]
        cut = rng.random(part.shape[0]) < 0.9
        for label, score in pair_scores(bench, part, cut, seed).items():
            order = np.argsort(-(score + score.T)[i, j], kind="stable")
            ranked = pd.DataFrame({"antecedent": names[i[order]], "consequent": names[j[order]]})
            found = rule_checks.average_precision(rule_checks.against_truth(ranked, real, directed=False))
            values = {"average precision": found, "baskets": part.shape[0]}
            bench.add(name, label, values, setting=setting(share=share), **which)


def pair_scores(bench: harness.Bench, part: Matrix, cut: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """How strongly each way believes in i ⇒ j, shape (n_items, n_items); counts take all, models only the cut."""
    train, validation = part[np.flatnonzero(cut)], part[np.flatnonzero(~cut)]
    asked = antecedents.draw_questions(validation, train, seed=seed)
    model, _ = completed(bench, train, validation, asked, seed)
    single = np.arange(train.shape[1], dtype=np.int32)[:, None]
    known, whole = gather(train, single), gather(part, single)
    p, prior = readout.confidences(model, single).astype(float), readout.confidences(model, asked)
    chosen = judging.tune_confidence(
        gather(train, asked), gather(validation, asked), prior, doubts=judging.PRIOR_DOUBTS
    )
    joined = chosen.estimate(known, p).astype(float)
    n, y = whole.baskets[:, None], whole.shares[None]
    tests = significance.pair_tests(part)
    p_value = np.ones(p.shape)
    p_value[tests["i"], tests["j"]] = tests["p_value"]
    scale = np.sqrt(n / np.maximum(y * (1 - y), 1e-9))
    return {
        "counts, p-value": -p_value,
        "counts, lift (met 10 times)": np.where(whole.joint >= 10, lift(whole.joint, n, y, 1), 0),
        "model, lift": p / np.maximum(y, 1e-9),
        "model, z": (p - y) * scale,
        "model + counts, z": (joined - y) * scale,
    }


# --- cost -------------------------------------------------------------------------------------------------------------


def cost(bench: harness.Bench, name: str, data: Transactions, n_items: int, supports: tuple[int, ...]) -> None:
    """Seconds and peak memory until the most confident rules are there; the model is trained once for all."""
    which = {"made_of": [readout.READOUT_SETTINGS, LARGEST, N_RULES, LIMIT, harness.hardware()["versions"]]}
    settings = {least: setting(items=n_items, least=least) for least in supports}
    if all(bench.has(name, "model, up to 3 items", setting=said, **which) for said in settings.values()):
        return
    every = data.basket_matrix()
    every = every[np.flatnonzero(np.diff(every.indptr) <= LARGEST)]
    popular = np.sort(np.argsort(-np.bincount(every.indices, minlength=every.shape[1]), kind="stable")[:n_items])
    matrix = sparse.csr_matrix(every[:, popular])
    matrix = matrix[np.flatnonzero(np.diff(matrix.indptr) > 0)]
    items = data.items.iloc[popular].reset_index(drop=True)
    cut = matrix.shape[0] - matrix.shape[0] // 10
    asked = antecedents.draw_questions(matrix[cut:], matrix[:cut], per_band=40)
    model, done = completed(bench, matrix[:cut], matrix[cut:], asked, 0)
    ways = dict(COUNTED)
    for label, longest in {"model, pairs": 1, "model, up to 3 items": 2}.items():
        ways[label] = partial(read, model=model, items=items, longest=longest)
    for least, said in settings.items():
        for label, way in ways.items():
            job = partial(limited, way, matrix, least)
            spent = peers.apart(job, repeats=1, limit=LIMIT, fresh=not bench.smoke)
            trained = done.seconds * label.startswith("model")
            values = {"rules": spent.value, "training seconds": trained, "baskets": matrix.shape[0]}
            about = {"memory": spent.memory, "notes": {"note": spent.note} if spent.note else None}
            bench.add(name, label, values, setting=said, seconds=spent.seconds, **about, **which)


def limited(way: Callable[[Matrix, int], peers.Job], matrix: Matrix, least: int) -> peers.Job:
    """The job, in a process in which what asks for too much memory fails, alone."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    return way(matrix, least)


def pairs(matrix: Matrix, least: int) -> peers.Job:
    """From the product of the matrix with itself."""
    return lambda: len(rules.pair_rules(matrix, least).head(N_RULES))


def eclat(matrix: Matrix, least: int) -> peers.Job:
    """From the kit's miner."""
    return lambda: len(rules.rules_from_itemsets(miners.mine(matrix, least, max_length=3), 0.01).head(N_RULES))


def mlxtend(function: str, more: dict[str, Any], matrix: Matrix, least: int) -> peers.Job:
    """From a miner of mlxtend."""
    from mlxtend import frequent_patterns

    frame, share = pd.DataFrame.sparse.from_spmatrix(matrix), (least - 0.5) / matrix.shape[0]

    def job() -> int:
        sets = getattr(frequent_patterns, function)(frame, min_support=share, max_len=3, **more)
        found = frequent_patterns.association_rules(sets, metric="confidence", min_threshold=0.01)
        return len(found[found["consequents"].map(len) == 1].nlargest(N_RULES, "confidence"))

    return job


def read(matrix: Matrix, least: int, *, model: Any, items: pd.DataFrame, longest: int) -> peers.Job:
    """From a model, which needs of the baskets but the share of each item."""
    n = matrix.shape[0]
    shares = np.bincount(matrix.indices, minlength=matrix.shape[1]) / n
    limits = {"min_support": least / n, "longest": longest, "most": N_RULES}
    return lambda: len(readout.read_rules(model, shares, n, items, **limits))


COUNTED = {
    "pairs, XᵀX": pairs,
    "up to 3 items, Eclat": eclat,
    "up to 3 items, FP-growth (mlxtend)": partial(mlxtend, "fpgrowth", {}),
    "up to 3 items, Apriori (mlxtend)": partial(mlxtend, "apriori", {"low_memory": True}),
}


def peer(bench: harness.Bench, name: str, data: Transactions, seed: int) -> None:
    """Rules with confidence of at least .3: how many, how much they cover and keep on unseen baskets."""
    which = {"seed": seed, "made_of": [readout.READOUT_SETTINGS, harness.hardware()["versions"]]}
    ways = ["counts", "model", *["pyaerial"] * bool(importlib.util.find_spec("aerial"))]
    if all(bench.has(name, f"rules of {way}", **which) for way in ways):
        return
    split = without_wholesale(data).split_by_basket(0.1, 0.2, seed=seed)
    train, validation, test = (part.basket_matrix() for part in split)
    exact = set[tuple[frozenset, frozenset]]()
    for way in ways:
        begin = time.process_time()
        found = peer_rules(bench, way, train, validation, seed)
        seconds = time.process_time() - begin
        sides = set(zip(found["antecedent"], found["consequent"], strict=True))
        exact = exact or sides
        again, covered = rule_checks.recount(found, test), np.zeros(test.shape[0], dtype=bool)
        for x in set(found["antecedent"]):
            covered |= np.asarray(test[:, sorted(x)].sum(axis=1)).ravel() == len(x)
        values = {"rules": len(found), "coverage": covered.mean()}
        values["recall of the exact rules"] = len(exact & sides) / max(len(exact), 1)
        values["confidence on unseen baskets"] = again["count"].sum() / max(again["antecedent_count"].sum(), 1)
        bench.add(name, f"rules of {way}", values, seconds=seconds, **which)


def peer_rules(bench: harness.Bench, way: str, train: Matrix, validation: Matrix, seed: int) -> pd.DataFrame:
    """The rules of a way that has these baskets."""
    if way == "counts":
        return rules.mine_rules(train, 0.005, 0.3, max_length=3)
    n, n_items = train.shape
    if way == "model":
        model, _ = completed(bench, train, validation, antecedents.draw_questions(validation, train, seed=seed), seed)
        shares = np.bincount(train.indices, minlength=n_items) / n
        items = pd.DataFrame({"item_id": np.arange(n_items), "name": np.arange(n_items).astype(str)})
        return readout.read_rules(model, shares, n, items, min_support=0.005, min_confidence=0.3)
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
    return pd.DataFrame(sides, columns=["antecedent", "consequent"])


def measure(bench: harness.Bench) -> None:
    """All parts of every set."""
    for name, data in bench.datasets():
        parts = [part for part in bench.options.parts if part == "unseen" or bench.smoke or SOLE[part] == name]
        for seed in bench.options.seeds:
            splits = ["random", *["time"] * ("clock" in data.aspects and not bench.smoke)]
            for split in splits if "unseen" in parts else ():
                unseen(bench, name, data, split, seed)
            if "planted" in parts:
                planted(bench, name, data, seed)
            if "peer" in parts:
                peer(bench, name, data, seed)
        for n_items in COST_ITEMS[: 1 if bench.smoke else None] if "cost" in parts else ():
            cost(bench, name, data, n_items, COST_SUPPORTS[:1] if bench.smoke else COST_SUPPORTS)


def figures(rows: pd.DataFrame, bench: harness.Bench) -> dict[str, Figure]:
    """Error against the planted truth and on unseen baskets, by support."""
    table = unfolded(rows[rows["metric"].str.startswith("rmse, ")]).rename(columns={"system": "estimate"})
    if table.empty:
        return {}
    table = table.assign(band=table["metric"].str.removeprefix("rmse, "), rmse=table["value"])
    kept = [("shop", "random", "large shop"), ("groceries", "random", "test baskets")]
    kept += [("online-retail", "random", "test baskets"), ("shop", "time", "test baskets")]
    groups = dict(list(table.groupby(["data", "split", "judge"])))
    panels = [(key, groups[key]) for key in kept if key in groups]
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.8), squeeze=False)
    for axis, ((data, split, judge), part) in zip(axes[0], panels, strict=True):
        readout_figures.draw_crossover(axis, part, "rmse")
        axis.set_title(f"{data}, split {'at random' if split == 'random' else 'by time'}\njudged by: {judge}")
    axes[0][0].legend(fontsize=8)
    return {"readout": figure}


def main() -> None:
    """Measure, write readout.csv, readout.json and readout.png."""
    parts = ["unseen", *SOLE]
    parser = harness.parser(__doc__, data=["shop", "groceries", "online-retail"], seeds=(0, 1, 2))
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    harness.run(parser, measure, figures)


if __name__ == "__main__":
    main()
