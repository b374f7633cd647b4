"""Write the tables of results into README.md and results/README.md, or check that they are what the results say.

    python tools/results_tables.py          after `llmarm verify DIR --record` or `make bench`
    python tools/results_tables.py check

Every number in the tables comes from results/reference/quick.json and the tables in results/benchmarks/.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "results" / "benchmarks"
SHOWN = 5  # systems per data set in the README
BEGIN, END = "<!-- results: made by tools/results_tables.py -->", "<!-- end of results -->"
KIT = "llmarm eclat (NumPy)"
PEERS = (KIT, "pyfim eclat (C)", "mlxtend fpgrowth (sparse)", "efficient-apriori")
LESSON_01 = "01_count_what_goes_together"
# Value of the ledger → what a visitor reads. The README shows these; results/README.md shows everything.
HEADLINES = {
    "truth/average_precision_by_lift_met_10": "Average precision of planted rules by lift, pairs that met ten times",
    "truth/average_precision_by_lift_met_1": "… all pairs that met",
    "truth/average_precision_by_p_value_met_1": "… all pairs that met, ranked by Fisher's p-value",
    "truth/average_precision_by_confidence_met_1": "… all pairs that met, ranked by confidence",
    "rules/share_with_the_commonest_consequent": "Share of the confident pair rules that point to one bestseller",
    "rules/confidence_kept_on_unseen": "Confidence that rules with lift above 1.5 keep later, 95 % interval",
    "truth/found_nearly_invisible": "Share of the nearly invisible planted rules that pass the test on all baskets",
    "truth/found_nearly_invisible_few_baskets": "… on an eighth of the baskets or fewer",
}


def shown(entry: dict) -> str:
    """A recorded value with its unit and interval, for the eye."""
    value = entry["value"]
    text = value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
    if entry.get("interval"):
        text += " [{:.3g}, {:.3g}]".format(*entry["interval"])
    return f"{text} {entry.get('unit', '')}".strip()


def table(rows: list[list[str]], head: list[str]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def mining(wanted: tuple[str, ...] = ()) -> str:
    """The benchmark of the miners (of all, or of those wanted): seconds, times the kit's, memory."""
    measured = pd.read_csv(BENCHMARKS / "mining.csv")
    miners = wanted or tuple(dict.fromkeys(measured["miner"]))
    rows = []
    for (data, support), part in measured.groupby(["data", "min_support"], sort=False):
        part = part.set_index("miner")
        cells = [
            f"{part['seconds'][m]:.3g} s ({part['times_llmarm'][m]:.3g}×), {part['peak_mb'][m]:.0f} MB"
            if pd.notna(part["seconds"][m])
            else "did not finish"
            for m in miners
        ]
        rows.append([f"{data} @ {support:g}", f"{part['itemsets'][KIT]:,.0f}", *cells])
    return table(rows, ["data @ minimum support", "itemsets", *miners])


def quality(every: bool = False) -> str:
    """The benchmark of next items: counting and models, mean and standard deviation over seeds; or only the best."""
    measured = pd.read_csv(BENCHMARKS / "quality.csv")
    measured = measured.sort_values("NDCG@10", ascending=False, kind="stable")
    measured = measured.sort_values("data", key=lambda names: names != "movielens-1m", kind="stable")
    rows = []
    for data, part in measured.groupby("data", sort=False):
        for row in (part if every else part.head(SHOWN)).to_dict("records"):
            spread = "" if row["seeds"] < 2 else f" ± {row['NDCG@10 sd']:.4f}"
            gain = f"{row['gain on sr']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
            cost = f"{row['core seconds']:,.0f} s" if row["core seconds"] >= 10 else f"{row['core seconds']:.1f} s"
            cells = [f"{row['HR@10']:.3f}", f"{row['NDCG@10']:.4f}{spread}", gain, cost]
            rows.append([data, row["system"], str(row["seeds"]) if row["parameters"] else "–", *cells])
    return table(rows, ["data", "system", "seeds", "HR@10", "NDCG@10", "gain on sr", "core time"])


def training() -> str:
    """The benchmark of the training loop against Hugging Face Trainer."""
    measured = pd.read_csv(BENCHMARKS / "training.csv")
    rows = [
        [
            f"{row['data']}, T = {row['max_length']}",
            row["system"],
            f"{row['items_per_cpu_second']:,.0f}",
            f"{row['llmarm_faster']:.2g} ({row['lowest']:.2g}–{row['highest']:.2g})",
            f"{row['llmarm_less_cpu']:.2g}",
            f"{row['peak_mb']:,.0f} MB",
        ]
        for row in measured.to_dict("records")
    ]
    head = [
        "data",
        "system",
        "items per CPU second",
        "llmarm is … times faster (range)",
        "… by CPU time",
        "peak memory",
    ]
    return table(rows, head)


def finetuning() -> str:
    """The benchmark of fine-tuning: every variant in every task, mean and standard deviation over seeds."""
    measured = pd.read_csv(BENCHMARKS / "finetuning.csv")
    kinds = list(dict.fromkeys(zip(measured["data"], measured["task"], measured["metric"], strict=True)))
    rows = []
    for system in dict.fromkeys(measured["system"]):
        part = measured[measured["system"] == system].set_index(["data", "task"])
        trained = part["trainable"].max()
        cells = [f"{trained:,.0f}" if pd.notna(trained) else "–"]
        for data, task, _ in kinds:
            inside = (data, task) in part.index
            cells.append("" if not inside else f"{part.loc[data, task]['test']:.3f} ± {part.loc[data, task]['sd']:.3f}")
        rows.append([system, *cells])
    return table(rows, ["system", "trained", *(f"{data}, {task}: {metric}" for data, task, metric in kinds)])


def few_labels() -> str:
    """Quality by the number of labelled customers, mean and standard deviation over seeds."""
    measured = pd.read_csv(BENCHMARKS / "finetuning_few.csv")
    rows = []
    for (data, system), part in measured.groupby(["data", "system"], sort=False):
        found = part.groupby("labels")["test"].agg(["mean", "std"])
        said = (f"{labels:,}: {row['mean']:.3f} ± {row['std']:.3f}" for labels, row in found.iterrows())
        rows.append([data, system, " · ".join(said)])
    return table(rows, ["data", "system", "macro F1 by number of labels"])


def advice() -> str:
    """One change at a time in full fine-tuning on customers: validation and test, mean and spread over seeds."""
    measured = pd.read_csv(BENCHMARKS / "finetuning_advice.csv")
    rows = []
    for (data, labels, system), part in measured.groupby(["data", "labels", "system"], sort=False):
        cells = [f"{part[c].mean():.3f} ± {part[c].std():.3f}" for c in ("validation", "test", "log loss")]
        rows.append([data, f"{labels:,}", system, *cells])
    return table(rows, ["data", "labels", "what is changed", "validation macro F1", "test macro F1", "test log loss"])


def recommend(every: bool = False) -> str:
    """The benchmark of recommenders, singly and joined."""
    measured = pd.read_csv(BENCHMARKS / "recommend.csv")
    rows = []
    for row in measured.to_dict("records"):
        best = row["gain on best single"] == 0 or row["system"] in ("model", "model × counting", "hybrid")
        if not every and not best:
            continue
        spread = "" if pd.isna(row["NDCG@10 sd"]) else f" ± {row['NDCG@10 sd']:.4f}"
        ends = (row[column] for column in ("gain on best single", "best single low", "best single high"))
        gain = "{:+.4f} [{:+.4f}, {:+.4f}]".format(*ends)
        cells = [f"{row['HR@10']:.3f}", f"{row['NDCG@10']:.4f}{spread}", gain]
        cells += [f"{row['Coverage@10']:.2f}", f"{row['Diversity@10']:.3f}", f"{row['Novelty@10']:.2f}"]
        if every:
            waits = "–" if pd.isna(row["p50"]) else f"{1e3 * row['p50']:.2g} / {1e3 * row['p99']:.2g} ms"
            cells += [waits, "–" if pd.isna(row["per_second"]) else f"{row['per_second']:,.0f}"]
        rows.append([row["data"], row["system"], *cells])
    head = ["data", "system", "HR@10", "NDCG@10", "gain on the best single system", "coverage", "diversity", "novelty"]
    return table(rows, head + (["one user, p50 / p99", "users a second"] if every else []))


def cold_start() -> str:
    """The benchmark of new items and new customers; of several seeds, means of values and interval ends."""
    measured = pd.read_csv(BENCHMARKS / "cold_start.csv", keep_default_na=False, na_values={"MRR": ""})
    keys = ["data", "task", "system", "text"]
    found = measured.groupby(keys, sort=False)[["cases", "MRR", "MRR low", "MRR high"]].mean().reset_index()
    rows = [
        [
            *(row[key] for key in keys),
            f"{row['cases']:,.0f}",
            f"{row['MRR']:.3f} [{row['MRR low']:.3f}, {row['MRR high']:.3f}]",
        ]
        for row in found.to_dict("records")
    ]
    return table(rows, ["data", "question", "system", "text", "cases", "MRR"])


def distillation() -> str:
    """The benchmark of distillation: every way to teach, by where the student begins."""
    rows = []
    for row in pd.read_csv(BENCHMARKS / "distillation_methods.csv").to_dict("records"):
        spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.4f}"
        gain = "–"
        if row["method"] != "hard labels" and not pd.isna(row["gain on hard labels"]):
            gain = "{:+.4f} [{:+.4f}, {:+.4f}]".format(*(row[c] for c in ("gain on hard labels", "low", "high")))
        cells = [
            f"{row['parameters']:,}",
            f"{row['seeds']}",
            f"{row['NDCG@10']:.4f}{spread}",
            f"{row['kept']:.1%}",
            gain,
        ]
        rows.append([row["data"], row["student"], row["method"], *cells, f"{row['overlap']:.2f}"])
    head = ["data", "student begins as", "taught by", "weights", "seeds", "NDCG@10", "of the teacher's"]
    return table(rows, [*head, "gain on hard labels", "same ten as the teacher"])


def spread_of(row: dict) -> str:
    """Mean and, over several seeds, standard deviation of NDCG@10."""
    return f"{row['NDCG@10']:.4f}" + ("" if pd.isna(row["sd"]) else f" ± {row['sd']:.4f}")


def heat() -> str:
    """Temperature and mixing, and fewer customers, on the shop."""
    swept = pd.read_csv(BENCHMARKS / "distillation_sweep.csv")
    swept = swept[swept["method"] != "hard labels"]
    rows = [
        [
            f"{row['temperature']:g}",
            f"{row['soft']:g}",
            f"{row['seeds']}",
            spread_of(row),
            f"{row['overlap']:.2f}",
        ]
        for row in swept.to_dict("records")
    ]
    first = table(rows, ["temperature", "weight of soft labels", "seeds", "NDCG@10", "same ten as the teacher"])
    rows = [
        [f"{row['share']:.0%}", row["student"], row["method"], f"{row['seeds']}", spread_of(row)]
        for row in pd.read_csv(BENCHMARKS / "distillation_data.csv").to_dict("records")
    ]
    return (
        f"{first}\n\n{table(rows, ['customers to learn from', 'student begins as', 'taught by', 'seeds', 'NDCG@10'])}"
    )


def deployed(every: bool = False) -> str:
    """What could be deployed: quality over seeds, size, waiting time and throughput on one core."""
    rows = []
    for row in pd.read_csv(BENCHMARKS / "distillation_deploy.csv").to_dict("records"):
        if not every and not (row["system"].startswith("student") or row["system"] in ("teacher", "teacher, ONNX")):
            continue
        spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.4f}"
        cells = [f"{row['weights_share']:.1%}", f"{row['bytes'] / 1e3:,.0f} kB", f"{row['ndcg']:.4f}{spread}"]
        cells += [f"{row['kept']:.1%}", f"{1e3 * row['p50']:.2g} / {1e3 * row['p99']:.2g} ms"]
        rows.append([row["data"], row["system"], *cells, f"{row['throughput_gain']:.1f}×"])
    head = ["data", "system", "weights", "size", "NDCG@10", "of the teacher's", "one user, p50 / p99", "throughput"]
    return table(rows, head)


def lightgcn() -> str:
    """LightGCN and counting on the released splits, beside the published figures."""
    rows = []
    for row in pd.read_csv(BENCHMARKS / "lightgcn.csv").to_dict("records"):
        cells = [row["data"], row["system"], f"{row['seeds']}"]
        for metric in ("Recall@20", "NDCG@20"):
            spread = "" if pd.isna(row[f"{metric} sd"]) else f" ± {row[f'{metric} sd']:.4f}"
            cells.append(f"{row[metric]:.4f}{spread}")
        spent = row["core seconds"]
        rows.append([*cells, f"{spent:,.0f} s" if spent >= 10 else f"{spent:.1f} s"])
    return table(rows, ["data", "system", "seeds", "Recall@20", "NDCG@20", "core time of a training"])


def fusion(every: bool = False) -> str:
    """What a graph adds to models and counting, overall and by how often the target is bought."""
    thirds = {"all": "all", "1 of 3": "most frequent third", "2 of 3": "middle third", "3 of 3": "rarest third"}
    rows = []
    for row in pd.read_csv(BENCHMARKS / "graphs_fusion.csv").to_dict("records"):
        if pd.isna(row["NDCG@10"]) or (not every and (row["targets"] != "all" or pd.isna(row["gain"]))):
            continue
        spread = "" if pd.isna(row["NDCG@10 sd"]) else f" ± {row['NDCG@10 sd']:.4f}"
        gain = "–"
        if not pd.isna(row["gain"]):
            gain = "{:+.4f} [{:+.4f}, {:+.4f}] on {}".format(*(row[c] for c in ("gain", "low", "high", "against")))
        cells = [row["data"], row["system"], *([thirds[row["targets"]]] if every else []), f"{row['seeds']}"]
        rows.append([*cells, f"{row['NDCG@10']:.4f}{spread}", gain])
    return table(rows, ["data", "system", *(["what was bought"] if every else []), "seeds", "NDCG@10", "gain"])


def later_links() -> str:
    """Links that appear later, and new items."""
    rows = [
        [
            row["data"],
            row["kind"],
            row["method"],
            f"{row['seeds']}",
            f"{row['average_precision']:.4f}",
            f"{row['auroc']:.3f}",
        ]
        for row in pd.read_csv(BENCHMARKS / "graphs_links.csv").to_dict("records")
    ]
    links = table(rows, ["data", "kind", "method", "seeds", "average precision", "AUROC"])
    asked = {"new": "which new item a customer buys", "basket": "which new item is in a basket"}
    rows = []
    for row in pd.read_csv(BENCHMARKS / "graphs_cold.csv").to_dict("records"):
        spread = "" if pd.isna(row["MRR sd"]) else f" ± {row['MRR sd']:.3f}"
        cells = [row["data"], asked.get(row["task"], row["task"]), row["system"], f"{row['cases']}", f"{row['seeds']}"]
        rows.append([*cells, f"{row['MRR']:.3f}{spread}"])
    return f"{links}\n\n{table(rows, ['data', 'asked', 'system', 'cases', 'seeds', 'MRR among new items'])}"


def about(benchmark: str) -> str:
    """How a benchmark was run."""
    said = json.loads((BENCHMARKS / f"{benchmark}.json").read_text(encoding="utf-8"))
    return f"`{said['command'].strip()}`, Python {said['python']}, {said['machine']}"


def pages() -> dict[Path, str]:
    """The files and what stands between their two marks."""
    reference = json.loads((ROOT / "results" / "reference" / "quick.json").read_text(encoding="utf-8"))["lessons"]
    lesson = reference[LESSON_01]["values"]
    headlines = [[text, shown(lesson[name])] for name, text in HEADLINES.items()]
    machine = f"{about('mining')}, medians of one run"
    full = []
    for name, content in reference.items():
        rows = [[f"`{key}`", shown(entry), entry.get("note", "")] for key, entry in content["values"].items()]
        full.append(f"### {name}\n\n{table(rows, ['value', 'measured', 'note'])}")
    readme = [
        quality(),
        f"{about('quality')}.",
        "![Quality against time of training](results/benchmarks/quality.png)",
        recommend(),
        f"{about('recommend')}.",
        "![Quality by the number of labels, customers of the shop](results/benchmarks/finetuning_few.png)",
        deployed(),
        f"{about('distillation')}.",
        "![Quality against size and waiting time](results/benchmarks/distillation_deploy_movielens-1m.png)",
        fusion(),
        f"{about('graphs')}.",
        "![Error of confidences by the number of baskets behind them](results/benchmarks/readout.png)",
        table(headlines, ["On the corner shop, lesson 01", "measured"]),
        mining(PEERS),
        f"{machine}.",
    ]
    results = [
        "## Next items",
        quality(every=True),
        f"{about('quality')}. Baselines called tuned were chosen among twelve settings on validation, the weight of "
        "counting in a product (×) likewise; a model's settings were chosen on validation of seed 1.",
        "![Quality against time of training](benchmarks/quality.png)",
        "## Recommenders, singly and joined",
        recommend(every=True),
        f"{about('recommend')}. Every choice was made on validation. Gains: paired bootstrap over customers, mean of "
        "seeds.",
        "![Accuracy against diversity](benchmarks/recommend.png)",
        "## New items, new customers",
        cold_start(),
        f"{about('cold_start')}.",
        "![Cold start](benchmarks/cold_start.png)",
        "## Fine-tuning",
        finetuning(),
        f"{about('finetuning')}. Mean and standard deviation over three seeds; a seed draws pretraining, the division "
        "of the examples, and fine-tuning. A variant's rate was chosen among three on validation of the first seed.",
        "![Quality against trained weights](benchmarks/finetuning.png)",
        few_labels(),
        "![Quality by the number of labels, customers of the shop](benchmarks/finetuning_few.png)",
        advice(),
        "## Distillation and compression",
        distillation(),
        f"{about('distillation')}. The gain on hard labels is over the same seeds and the same start, per customer.",
        "![Ways to teach, films](benchmarks/distillation_methods_movielens-1m.png)",
        heat(),
        deployed(every=True),
        "Size: of the file, or of the tensors in PyTorch. Throughput: lists per second, 256 users in a call, against "
        "the teacher in PyTorch; times are medians of rounds in which all systems take turns, on one core.",
        "![Quality against size and waiting time, films](benchmarks/distillation_deploy_movielens-1m.png)",
        "![Quality against size and waiting time, shop](benchmarks/distillation_deploy_shop.png)",
        "## Products as a graph",
        lightgcn(),
        f"{about('lightgcn')}. Published for gowalla, three layers: Recall@20 .1824, NDCG@20 .1547 (PyTorch release of "
        "LightGCN, chosen on the test part, hours of training). Ours are chosen on a tenth of the training part.",
        "![Recall against time of training](benchmarks/lightgcn.png)",
        fusion(every=True),
        f"{about('graphs')}. Gains: paired bootstrap over customers, mean of seeds; choices by validation.",
        later_links(),
        "## Confidences of rules",
        f"{about('readout')}.",
        "![Error of confidences by the number of baskets behind them](benchmarks/readout.png)",
        "## Training loop",
        training(),
        f"{about('training')}. The machine was busy with other work: the ranges show it, CPU time depends on it less.",
        "## Mining",
        mining(),
        f"{machine}.",
        "![Time of the miners](benchmarks/mining.png)",
        "## Lessons, profile quick",
        *full,
    ]
    return {ROOT / "README.md": "\n\n".join(readme), ROOT / "results" / "README.md": "\n\n".join(results)}


def main() -> None:
    """Write the tables, or with `check` compare and exit 1 where a file differs."""
    stale = []
    for path, content in pages().items():
        text = path.read_text(encoding="utf-8")
        head, _, rest = text.partition(BEGIN)
        _, _, tail = rest.partition(END)
        new = f"{head}{BEGIN}\n\n{content}\n\n{END}{tail}"
        if new != text:
            stale.append(path.relative_to(ROOT).as_posix())
            if sys.argv[1:] != ["check"]:
                path.write_text(new, encoding="utf-8")
    if stale and sys.argv[1:] == ["check"]:
        sys.exit(f"{', '.join(stale)}: not what the results say; run  python tools/results_tables.py")


if __name__ == "__main__":
    main()
