"""Write what is computed into README.md, results/ and docs/lessons.md, or check that nothing of it is out of date.

    python tools/results_tables.py          after `llmarm verify DIR --record` or a benchmark
    python tools/results_tables.py check

Every number in the tables comes from results/reference/quick.json and the files in results/benchmarks/, the questions
of the lessons from notebooks/source/. A page keeps what people wrote outside the marks.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import editions
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))  # for the schema of their rows
from rows import over_seeds, read_rows, unfolded  # noqa: E402

RESULTS = ROOT / "results"
BENCHMARKS = RESULTS / "benchmarks"
WRITTEN_ELSEWHERE = {RESULTS / "libraries.md", RESULTS / "LOG.md"}  # by its benchmark with a test, and by people
BEGIN, END = "<!-- made by tools/results_tables.py -->", "<!-- end -->"
LESSON_01, LESSON_04 = "01_count_what_goes_together", "04_read_rules_from_the_model"
NAMES = {  # as in the files → as a visitor reads it
    "personal": "what the customer bought before",
    "sr": "sequential rules, not tuned",
    "movielens-1m": "MovieLens-1M",
    "online-retail": "Online Retail",
    "beauty": "Beauty",
    "shop": "corner shop",
}
# Value of lesson 01's ledger → what a visitor reads.
PLANTED = {
    "truth/average_precision_by_lift_met_10": "Average precision of planted rules by lift, pairs that met ten times",
    "truth/average_precision_by_lift_met_1": "… all pairs that met",
    "truth/average_precision_by_p_value_met_1": "… all pairs that met, ranked by Fisher's p-value",
    "truth/average_precision_by_confidence_met_1": "… all pairs that met, ranked by confidence",
    "rules/share_with_the_commonest_consequent": "Share of the confident pair rules that point to one bestseller",
    "rules/confidence_kept_on_unseen": "Confidence that rules with lift above 1.5 keep later, 95 % interval",
    "truth/found_nearly_invisible": "Share of the nearly invisible planted rules that pass the test on all baskets",
    "truth/found_nearly_invisible_few_baskets": "… on an eighth of the baskets or fewer",
}


class Gain(NamedTuple):
    """One headline: what was asked on which data, who answered, against whom, and by how much better.

    Attributes:
        question: What was asked.
        data: Name of the data set.
        system: The model, or what has a model in it.
        against: What it is compared with.
        unit: Unit of the gain; more is better.
        gain: Mean difference per case, above zero where the system is better.
        low: Lower end of the 95 % interval of the gain.
        high: Upper end.
    """

    question: str
    data: str
    system: str
    against: str
    unit: str
    gain: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What the interval allows one to say."""
        return "**wins**" if self.low > 0 else "**loses**" if self.high < 0 else "level"


def headlines() -> str:
    """Eight answers to the question where a model beats counting."""
    singly = measured("recommend").query("setting == ''")
    singly = {key: gains(by_metric(rows))[-1] for key, rows in singly.groupby(["data", "system"])}  # on best counting
    singles = {key: [row[column] for column in ("value", "low", "high")] for key, row in singly.items()}
    against = {
        data: NAMES[singly[data, "model"]["metric"].split(" on ")[1]] for data in ("movielens-1m", "online-retail")
    }
    beauty = measured("quality").query("metric == 'NDCG@10 gain on sr'")
    beauty = beauty.set_index(["data", "system"])[["value", "low", "high"]]
    fusion = measured("graphs").query("setting == '' and metric == 'NDCG@10 gain on hybrid without graph'")
    graph = fusion.set_index(["data", "system"]).loc[("movielens-1m", "hybrid with graph"), ["value", "low", "high"]]
    rules = reference()[LESSON_04]["values"]["bits_gained/model_20_to_99_baskets"]
    asked = "setting == 'task=new items among new ones, to customers' and system == 'content-kNN, MiniLM'"
    text = measured("cold_start").query(f"{asked} and metric == 'MRR gain on content-kNN, TF-IDF'")
    text = text.set_index("data")[["value", "low", "high"]]
    ndcg, films, gifts = "NDCG@10", "movielens-1m", "online-retail"
    read = ("a pretrained sentence encoder", "counted words (TF-IDF)", "MRR")
    return told(
        [
            Gain("Next film", films, "item model", against[films], ndcg, *singles[films, "model"]),
            Gain("Next product", "beauty", "item model", NAMES["sr"], ndcg, *beauty.loc[("beauty", "causal")]),
            Gain("Next basket", gifts, "item model", against[gifts], ndcg, *singles[gifts, "model"]),
            Gain("Next basket", gifts, "model and counting", against[gifts], ndcg, *singles[gifts, "hybrid"]),
            Gain("Next film", films, "model, counting and a graph network", "model and counting", ndcg, *graph),
            Gain("Which new film", films, *read, *text.loc[films]),
            Gain("Which new product", gifts, *read, *text.loc[gifts]),
            Gain(
                "Confidence of a rule met in 20 to 99 baskets",
                "shop",
                "item model",
                "best counting",
                "bits",
                rules["value"],
                *rules["interval"],
            ),
        ]
    )


def told(gains: list[Gain]) -> str:
    """A table of gains with their verdicts, and how often each verdict fell."""
    rows = [
        [g.question, NAMES[g.data], g.system, g.verdict, g.against, f"{g.gain:+z.3f} [{g.low:+z.3f}, {g.high:+z.3f}]"]
        for g in gains
    ]
    for row, gain in zip(rows, gains, strict=True):
        row[-1] += f" {gain.unit}"
    fell = [sum(verdict in gain.verdict for gain in gains) for verdict in ("wins", "loses", "level")]
    head = ["question", "data", "system", "verdict", "against", "gain, 95 % interval"]
    return f"{table(rows, head)}\n\nIn these {len(gains)} rows: wins {fell[0]}, loses {fell[1]}, level {fell[2]}."


def reference() -> dict[str, Any]:
    """The recorded results of the lessons, profile quick, by the name of the lesson."""
    return json.loads((RESULTS / "reference" / "quick.json").read_text(encoding="utf-8"))["lessons"]


def settings_of(benchmark: str) -> dict[str, Any]:
    """How a benchmark was run, and what it noted beside its tables."""
    return json.loads((BENCHMARKS / f"{benchmark}.json").read_text(encoding="utf-8"))


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


ByMetric = Mapping[str, Any]  # metric → row of `over_seeds`


def measured(benchmark: str) -> pd.DataFrame:
    """The rows of a benchmark over seeds, with a column for every name in their setting."""
    return unfolded(over_seeds(read_rows(BENCHMARKS / f"{benchmark}.csv")))


def of_rows(
    found: pd.DataFrame,
    keys: Mapping[str, str],
    columns: Mapping[str, Callable[[ByMetric], str]],
    *,
    by: str = "",
    systems: bool = False,
) -> str:
    """A table of the rows of a benchmark: a line for each of what the keys tell apart.

    Args:
        found: See `measured`.
        keys: Heading → column of `found`.
        columns: Heading → from the rows of a line, by metric, to a cell.
        by: Metric by which the lines of a data set are ordered, largest first.
        systems: A column more for every system, made by the column named "system".
    """
    names = list(dict.fromkeys(found["system"])) if systems else []
    lines = []
    for values, line in found.groupby(list(keys.values()), sort=False):
        metrics = by_metric(line)
        cells = [show(metrics) for head, show in columns.items() if head != "system" or not systems]
        cells += [columns["system"](by_metric(line[line["system"] == name])) for name in names]
        lines.append((values[0], -metrics[by]["value"] if by else 0, [*values, *cells]))
    if by:
        order = list(dict.fromkeys(found["data"]))
        lines.sort(key=lambda line: (order.index(line[0]), line[1]))
    heads = [*keys, *(head for head in columns if head != "system" or not systems), *names]
    return table([cells for _, _, cells in lines], heads)


def by_metric(rows: pd.DataFrame) -> ByMetric:
    """The first row of each metric."""
    return {row["metric"]: row for _, row in rows.drop_duplicates("metric").iterrows()}


def gains(found: ByMetric) -> list[Mapping[str, Any]]:
    """The gains of a line, in the order in which they were recorded."""
    return [row for metric, row in found.items() if " gain on " in metric]


def number(row: Mapping[str, Any], form: str = ".4f") -> str:
    """A measured value: mean ± standard deviation over seeds [interval], as far as there are any."""
    text = f"{row['value']:{form}}"
    if pd.notna(row["sd"]):
        text += f" ± {row['sd']:{form}}"
    return text if pd.isna(row["low"]) else f"{text} [{row['low']:{form}}, {row['high']:{form}}]"


def seconds(row: Mapping[str, Any]) -> str:
    """What a measurement cost."""
    return f"{row['seconds']:,.0f} s" if row["seconds"] >= 10 else f"{row['seconds']:.1f} s"


def mining() -> str:
    """The benchmark of the miners: seconds, times the kit's, memory."""

    def cost(found: ByMetric) -> str:
        row, times = found["itemsets"], found["times the seconds of llmarm"]["value"]
        done = f"{row['seconds']:.3g} s ({times:.3g}×), {row['memory']:.0f} MB"
        return "did not finish" if pd.isna(row["seconds"]) else done

    found = measured("mining")
    found["line"] = found["data"] + " @ " + found["support"]
    lines = {"itemsets": lambda found: f"{found['itemsets']['value']:,.0f}", "system": cost}
    return of_rows(found, {"data @ minimum support": "line"}, lines, systems=True)


def quality() -> str:
    """The benchmark of next items: counting and models, mean and standard deviation over seeds."""
    columns = {
        "seeds": lambda found: str(found["NDCG@10"]["seeds"]) if found["NDCG@10"]["setting"] else "–",
        "HR@10": lambda found: f"{found['HR@10']['value']:.3f}",
        "NDCG@10": lambda found: number(found["NDCG@10"]),
        "gain on sr": lambda found: number(found["NDCG@10 gain on sr"], "+.4f"),
        "core time": lambda found: seconds(found["NDCG@10"]),
    }
    return of_rows(measured("quality"), {"data": "data", "system": "system"}, columns, by="NDCG@10")


def training() -> str:
    """The benchmark of the training loop against Hugging Face Trainer."""

    def faster(found: ByMetric) -> str:
        return "{value:.2g} ({low:.2g}–{high:.2g})".format(**found["llmarm is times faster"])

    found = measured("training")
    found["line"] = found["data"] + ", T = " + found["T"]
    columns = {
        "items per CPU second": lambda found: f"{found['items per CPU second']['value']:,.0f}",
        "llmarm is … times faster (range)": faster,
        "… by CPU time": lambda found: f"{found['llmarm is times faster by CPU time']['value']:.2g}",
        "peak memory": lambda found: f"{found['items per second']['memory']:,.0f} MB",
    }
    return of_rows(found, {"data": "line", "system": "system"}, columns)


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


def recommend() -> str:
    """The benchmark of recommenders, singly and joined."""

    def waits(found: ByMetric) -> str:
        return "{:.2g} / {:.2g} ms".format(*(1e3 * found[f"{p} seconds"]["value"] for p in ("p50", "p99")))

    found = measured("recommend")
    columns = {
        "HR@10": lambda found: f"{found['HR@10']['value']:.3f}",
        "NDCG@10": lambda found: number(found["NDCG@10"]),
        "gain on the best single system": lambda found: number(gains(found)[0], "+.4f"),
        "coverage": lambda found: f"{found['Coverage@10']['value']:.2f}",
        "diversity": lambda found: f"{found['Diversity@10']['value']:.3f}",
        "novelty": lambda found: f"{found['Novelty@10']['value']:.2f}",
        "one user, p50 / p99": waits,
        "users a second": lambda found: f"{found['lists per second']['value']:,.0f}",
    }
    return of_rows(found[found["setting"] == ""], {"data": "data", "system": "system"}, columns)


def cold_start() -> str:
    """The benchmark of new items and new customers; of several seeds, means of values and interval ends."""
    columns = {
        "cases": lambda found: f"{found['cases']['value']:,.0f}",
        "MRR": lambda found: number(found["MRR"], ".3f"),
    }
    found = measured("cold_start").query("setting != ''")
    return of_rows(found, {"data": "data", "question": "task", "system": "system"}, columns)


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


def deployed() -> str:
    """What could be deployed: quality over seeds, size, waiting time and throughput on one core."""
    rows = []
    for row in pd.read_csv(BENCHMARKS / "distillation_deploy.csv").to_dict("records"):
        spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.4f}"
        cells = [f"{row['weights_share']:.1%}", f"{row['bytes'] / 1e3:,.0f} kB", f"{row['ndcg']:.4f}{spread}"]
        cells += [f"{row['kept']:.1%}", f"{1e3 * row['p50']:.2g} / {1e3 * row['p99']:.2g} ms"]
        rows.append([row["data"], row["system"], *cells, f"{row['throughput_gain']:.1f}×"])
    head = ["data", "system", "weights", "size", "NDCG@10", "of the teacher's", "one user, p50 / p99", "throughput"]
    return table(rows, head)


def lightgcn() -> str:
    """LightGCN and counting on the released splits, beside the published figures."""
    columns = {
        "seeds": lambda found: str(found["Recall@20"]["seeds"]),
        "Recall@20": lambda found: number(found["Recall@20"]),
        "NDCG@20": lambda found: number(found["NDCG@20"]),
        "core time of a training": lambda found: seconds(found["Recall@20"]),
    }
    found = measured("lightgcn").query("setting == ''")
    return of_rows(found, {"data": "data", "system": "system"}, columns, by="Recall@20")


def fusion() -> str:
    """What a graph adds to models and counting, overall and by how often the target is bought."""
    thirds = {"": "all", "1 of 3": "most frequent third", "2 of 3": "middle third", "3 of 3": "rarest third"}

    def gain(found: ByMetric) -> str:
        told = (f"{number(row, '+.4f')} on {row['metric'].split(' on ')[1]}" for row in gains(found))
        return " · ".join(told) or "–"

    found = measured("graphs").query("task == ''")
    found["what"] = found["targets"].map(thirds)
    columns = {
        "seeds": lambda found: str(found["NDCG@10"]["seeds"]),
        "NDCG@10": lambda found: number(found["NDCG@10"]),
        "gain": gain,
    }
    return of_rows(found, {"data": "data", "system": "system", "what was bought": "what"}, columns)


def later_links() -> str:
    """Links that appear later."""
    columns = {
        "seeds": lambda found: str(found["average precision"]["seeds"]),
        "average precision": lambda found: f"{found['average precision']['value']:.4f}",
        "AUROC": lambda found: f"{found['AUROC']['value']:.3f}",
    }
    found = measured("graphs").query("kind in ('counting', 'no graph', 'graph')")
    return of_rows(found, {"data": "data", "kind": "kind", "method": "system"}, columns)


def confidences() -> str:
    """Error of a rule's confidence on unseen baskets, by the number of baskets that hold its antecedent."""
    found = measured("readout").rename(columns={"system": "estimate", "value": "rmse"})
    found = found[found["metric"].str.startswith("rmse, ")]
    found["band"] = found["metric"].str.removeprefix("rmse, ")
    bands = sorted(found["band"].unique(), key=lambda band: int(band.split()[0]))
    estimates = ["counts", "shrunk", "best count", "model", "combined"]
    keys = ["data", "split", "judge", "estimate"]
    errors = found.pivot_table(index=keys, columns="band", values="rmse", aggfunc="mean", sort=False)[bands]
    rows = []
    for (data, split, judge), part in errors.groupby(keys[:3], sort=False):
        for estimate in estimates:
            line = part.loc[(data, split, judge, estimate)]
            cells = ["–" if pd.isna(error) else f"{error:.4f}" for error in line]
            rows.append([data, split, judge, estimate, *cells])
    return table(rows, [*keys[:2], "judged by", "estimate", *bands])


def about(benchmark: str) -> str:
    """How a benchmark was run."""
    said = settings_of(benchmark)
    return f"Made by `{said['command'].strip()}`, Python {said['python']}, {said['machine']}."


def figure(name: str, says: str) -> str:
    """Markdown of a figure of the benchmarks in a page of results."""
    return f"![{says}](benchmarks/{name}.png)"


def topics() -> dict[str, list[str]]:
    """Topic → what stands between the two marks of its page in results/."""
    planted = reference()[LESSON_01]["values"]
    return {
        "next_items": [quality(), about("quality"), figure("quality", "Quality against time of training")],
        "recommenders": [recommend(), about("recommend"), figure("recommend", "Accuracy against diversity")],
        "cold_start": [cold_start(), about("cold_start"), figure("cold_start", "New items and new customers")],
        "finetuning": [
            finetuning(),
            about("finetuning"),
            figure("finetuning", "Quality against trained weights"),
            few_labels(),
            figure("finetuning_few", "Quality by the number of labels, customers of the shop"),
            advice(),
        ],
        "distillation": [
            distillation(),
            about("distillation"),
            figure("distillation_methods_movielens-1m", "Ways to teach, films"),
            figure("distillation_methods_shop", "Ways to teach, shop"),
            heat(),
        ],
        "compression": [
            deployed(),
            about("distillation"),
            figure("distillation_deploy_movielens-1m", "Quality against size and waiting time, films"),
            figure("distillation_deploy_shop", "Quality against size and waiting time, shop"),
        ],
        "graphs": [
            fusion(),
            about("graphs"),
            figure("graphs", "What a graph adds, by how often the bought item is bought"),
        ],
        "lightgcn": [lightgcn(), about("lightgcn"), figure("lightgcn", "Recall against time of training")],
        "links": [later_links(), about("graphs")],
        "confidences": [
            confidences(),
            about("readout"),
            figure("readout", "Error of confidences by the number of baskets behind them"),
        ],
        "training": [training(), about("training"), figure("training", "Speed of the training loops")],
        "mining": [
            mining(),
            about("mining"),
            figure("mining", "Time of the miners"),
            table(
                [[text, shown(planted[name])] for name, text in PLANTED.items()],
                ["on the corner shop, lesson 01", "measured"],
            ),
        ],
    }


def lesson_page(values: dict[str, Any]) -> str:
    """Everything that a lesson recorded in profile quick."""
    rows = [[f"`{key}`", shown(entry), entry.get("note", "")] for key, entry in values.items()]
    return table(rows, ["value", "measured", "note"])


def lessons() -> list[tuple[str, str, str]]:
    """Of every lesson the name of its file, its title and the question that it answers."""
    found = []
    for source in editions.sources(ROOT):
        opening = source.read_text(encoding="utf-8").partition("\n# %%")[0]
        title = re.search(r"^# # \d\d · (.+)$", opening, re.MULTILINE)
        question = re.search(r"^# \*Question: (.+)\*$", opening, re.MULTILINE)
        if not title or not question:
            sys.exit(f"{source}: its first cell needs the lines  # 01 · Title  and  *Question: …*")
        found.append((source.stem, title[1], question[1]))
    return found


def overview() -> str:
    """The lessons with their questions."""
    rows = [[name[:2], f"[{title}](notebooks/{name}.ipynb)", question] for name, title, question in lessons()]
    return table(rows, ["", "lesson", "question"])


def launches() -> str:
    """Where each lesson and its exercise edition open in the browser."""
    rows = []
    for name, title, _ in lessons():
        both = f"notebooks/{name}.ipynb", f"notebooks/exercises/{name}.ipynb"
        cells = [f"[open]({place(path)})" for place in (editions.colab, editions.binder) for path in both]
        rows.append([f"[{name[:2]} {title}](../{both[0]})", *cells])
    return table(rows, ["lesson", "Colab", "Colab, exercise", "Binder", "Binder, exercise"])


def pages() -> dict[Path, list[str]]:
    """The files and what stands between each two of their marks, in order."""
    recorded = reference()
    index = "\n".join(f"- [{name}](lessons/{name}.md)" for name in recorded)
    return {
        ROOT / "README.md": [headlines(), overview()],
        ROOT / "docs" / "lessons.md": [launches()],
        RESULTS / "README.md": [index],
        **{RESULTS / f"{topic}.md": ["\n\n".join(blocks)] for topic, blocks in topics().items()},
        **{RESULTS / "lessons" / f"{name}.md": [lesson_page(said["values"])] for name, said in recorded.items()},
    }


def filled(path: Path, blocks: list[str]) -> str:
    """The text of a page with its computed parts renewed; a page that is not there yet begins with a plain title."""
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {path.stem}\n\n{BEGIN}\n{END}\n"
    kept = re.split(f"{BEGIN}.*?{END}", text, flags=re.DOTALL)
    if len(kept) != len(blocks) + 1:
        sys.exit(f"{path}: needs the marks  {BEGIN}  and  {END}  {len(blocks)} times, not {len(kept) - 1} times.")
    marked = [f"{BEGIN}\n\n{block}\n\n{END}" for block in blocks]
    return kept[0] + "".join(block + words for block, words in zip(marked, kept[1:], strict=True))


def main() -> None:
    """Write the pages, or with `check` compare and exit 1 where one differs, is missing or has nothing behind it."""
    found = pages()
    stale = []
    for path, blocks in found.items():
        new = filled(path, blocks)
        if not path.exists() or new != path.read_text(encoding="utf-8"):
            stale.append(path.relative_to(ROOT).as_posix())
            if sys.argv[1:] != ["check"]:
                path.parent.mkdir(exist_ok=True)
                path.write_text(new, encoding="utf-8")
    left_over = [
        page.relative_to(ROOT).as_posix() for page in RESULTS.rglob("*.md") if page not in {*found, *WRITTEN_ELSEWHERE}
    ]
    if left_over:
        sys.exit(f"{', '.join(left_over)}: no results stand behind it; remove it.")
    if stale and sys.argv[1:] == ["check"]:
        sys.exit(f"{', '.join(stale)}: not what the results say; run  python tools/results_tables.py")


if __name__ == "__main__":
    main()
