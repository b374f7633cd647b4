"""Write what is computed into README.md, results/, docs/lessons.md and what lessons show of benchmarks, or check it.

    python tools/results_tables.py [check]      after `llmarm verify DIR --record` or a benchmark

Numbers come from results/reference/quick.json and the rows in results/benchmarks/; what stands where, and how, says
tools/results_pages.toml. A page keeps what people wrote outside the marks.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import editions
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))  # for the schema of their rows
from rows import over_seeds, read_rows, unfolded  # noqa: E402

from llmarm_tutorial.evaluation.verdicts import LEVEL, LOSES, WINS, verdict  # noqa: E402
from llmarm_tutorial.lesson import claims  # noqa: E402
from llmarm_tutorial.lesson.results import Result  # noqa: E402

RESULTS = ROOT / "results"
IN_LESSONS = ROOT / "llmarm_tutorial" / "lesson"  # its recorded*.csv
BEGIN, END = "<!-- made by tools/results_tables.py -->", "<!-- end -->"
PLAN = tomllib.loads((ROOT / "tools" / "results_pages.toml").read_text(encoding="utf-8"))
SCALES = {"ms": 1e3, "kB": 1e-3}  # unit → what seconds or bytes are multiplied by


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def number(row: Any, form: str = ".4f", scale: float = 1) -> str:
    """A measured value: mean ± standard deviation over seeds [interval], as far as there are any and they differ."""
    value, sd, low, high = (scale * row[name] for name in ("value", "sd", "low", "high"))
    text = f"{value:{form}}" + (f" ± {sd:{form.lstrip('+')}}" if sd > 0 else "")
    return "–" if pd.isna(value) else text if pd.isna(low) else f"{text} [{low:{form}}, {high:{form}}]"


@cache
def read(name: str) -> dict[str, Any]:
    """A JSON file of results/: how a benchmark was run, or what the lessons recorded."""
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


@cache
def measured(benchmark: str) -> pd.DataFrame:
    """The rows of a benchmark over seeds, with a column for every name in their setting."""
    return unfolded(over_seeds(read_rows(RESULTS / "benchmarks" / f"{benchmark}.csv")))


def named(line: dict[str, str]) -> pd.DataFrame:
    """The row that data, system, setting and metric name; none if it was not measured."""
    found = measured(line["benchmark"])
    for name in ("data", "system", "setting", "metric"):
        found = found[found[name] == line.get(name, "")]
    return found


def cell(rows: pd.DataFrame, asked: str) -> str:
    """What a cell says of the rows of its line, see tools/results_pages.toml."""
    what, form, unit = (*asked.split("|"), "", "")[:3]
    metric, _, beside = what.partition("#")
    rows = rows[[fnmatchcase(name, metric) for name in rows["metric"]]]
    rows = rows.assign(value=rows[beside], sd=float("nan"), low=float("nan")) if beside else rows
    said = []
    for _, row in rows.iterrows():
        against = f" on {row['metric'].split(' gain on ')[1]}" if "gain on *" in metric else ""
        said.append(f"{number(row, form or '.4f', SCALES.get(unit, 1))} {unit}".strip() + against)
    return " · ".join(said if "gain on *" in metric else said[:1]) or "–"


def by_number(names: Iterable[Any]) -> list[Any]:
    """Names in the order of the alphabet, but for numbers in them, which go by their size."""
    return sorted(names, key=lambda name: re.sub(r"\d+", lambda digits: digits[0].zfill(9), str(name)))


def of_benchmark(block: dict[str, Any]) -> str:
    """A table of the rows of a benchmark, its command and its figures."""
    found = measured(block["benchmark"]).query(block.get("where", "data != ''"))
    lines, columns, order = block["lines"], block.get("columns", {}), block.get("order")
    records = found.to_dict("records")
    key = pd.Series([tuple(part.format_map(row) for part in lines.values()) for row in records], index=found.index)
    across = pd.Series([block.get("across", "").format_map(row) for row in records], index=found.index)
    ordered = by_number if block.get("sorted") else list
    more = ordered(dict.fromkeys(across)) if "across" in block else []
    data, rows = list(dict.fromkeys(found["data"])), []
    for line, part in ((line, found[key == line]) for line in ordered(dict.fromkeys(key))):
        cells = [cell(part, asked) for asked in columns.values()]
        cells += [cell(part[across[part.index] == name], block["cell"]) for name in more]
        place = (data.index(part["data"].iloc[0]), -part.loc[part["metric"] == order, "value"].max()) if order else ()
        rows.append((place, [*line, *cells]))
    shown = table([cells for _, cells in sorted(rows, key=lambda row: row[0])], [*lines, *columns, *more])
    made = "Made by `{command}`, Python {python}, {machine}.".format_map(read(f"benchmarks/{block['benchmark']}"))
    figures = [f"![{says}](benchmarks/{name}.png)" for name, says in block.get("figures", {}).items()]
    return "\n\n".join([shown, made, *figures])


def of_lesson(block: dict[str, Any]) -> str:
    """What a lesson recorded, or the values that are named, and its command."""
    values = read("reference/quick")["lessons"][block["lesson"]]["values"]
    names = block.get("values", {name: f"`{name}`" for name in values})
    lines = [Result.from_dict(values[name] | {"name": name}).line().partition(" = ")[2] for name in names]
    shown = table(list(zip(names.values(), lines, strict=True)), ["value", "measured"])
    return f"{shown}\n\nMade by `llmarm run {block['lesson'][:2]}`."


def of_published(block: dict[str, Any]) -> str:
    """Published figures beside ours."""
    head, rows = ["what", "data", "metric", "reported", "ours", "difference", "source", "command"], []
    for line in pd.read_csv(RESULTS / block["published"], dtype=str, keep_default_na=False).to_dict("records"):
        ours, gap, command = "not measured yet", "–", "–"
        if len(found := named(line)):
            ours, gap = number(found.iloc[0]), f"{found['value'].iloc[0] - float(line['reported']):+.4f}"
            command = "`{command}`".format_map(read(f"benchmarks/{line['benchmark']}"))
        cells = [line[name] for name in head[:4]]
        rows.append([*cells, f"{ours} ({line['system']})", gap, line["source"], command])
    return table(rows, head)


def in_lessons(blocks: list[dict[str, str]]) -> str:
    """What lessons show of benchmarks, as the text of a CSV file: see `lesson.recorded`."""
    parts = []
    for block in blocks:
        found = measured(block["benchmark"]).query(block["where"])
        found = found.assign(system=[block["system"].format_map(row) for row in found.to_dict("records")])
        found = found.set_index(["system", "setting"])
        level = found.loc[found["metric"] == block["metric"], ["value", "seeds"]]
        gain = found[found["metric"] == f"{block['metric']} gain on {block['over']}"]
        part = level.join(gain[["value", "low", "high"]].rename(columns={"value": "gain"})).reset_index()
        data = PLAN["names"][found["data"].iloc[0]]
        parts.append(part.assign(topic=block["topic"], data=data, metric=block["metric"], over=block["over"]))
    columns = ["topic", "data", "system", "setting", "seeds", "metric", "value", "over", "gain", "low", "high"]
    return as_csv(pd.concat(parts)[columns])


def as_csv(table: pd.DataFrame) -> str:
    """A table as the text of a file that travels with the package."""
    return table.to_csv(index=False, float_format="%.6f")


def answers(lines: list[dict[str, str]]) -> pd.DataFrame:
    """Answers to the question where a model beats counting, a row each."""
    rows = []
    for line in lines:
        if "lesson" in line:
            entry = read("reference/quick")["lessons"][line["lesson"]]["values"][line["value"]]
            value, low, high = entry["value"], *entry["interval"]
        else:
            value, low, high = named(line)[["value", "low", "high"]].to_numpy().reshape(3)  # one row, or an error
        unit, against = line["metric"].split(" gain on ")
        data, against = (PLAN["names"].get(name, name) for name in (line["data"], against))
        measured_in = {"gain": value, "low": low, "high": high, "metric": unit}
        asked = {"question": line["question"], "data": data, "system": line["shown"], "against": against}
        rows.append(asked | measured_in | {name: line.get(name, "") for name in ("property", "claim")})
    return pd.DataFrame(rows)


def verdicts() -> pd.DataFrame:
    """The gains by which lessons decide a claim, a row each, as the reference has them."""
    rows = []
    for lesson, entry in read("reference/quick")["lessons"].items():
        gains = {name: value for name, value in entry["values"].items() if value.get("over")}
        for claim in claims.load().values():
            for name in gains:
                if claim.deciding([f"{lesson[:2]}:{name}"]):
                    low, high = gains[name]["interval"]
                    rows.append({"claim": claim.id, "lesson": lesson[:2], "name": name, "low": low, "high": high})
    return pd.DataFrame(rows)


def headlines(lines: list[dict[str, str]]) -> str:
    """The answers as a table, and how often each verdict fell."""
    rows, fell = [], []
    for one in answers(lines).itertuples():
        fell.append(verdict(one.low, one.high))
        said = fell[-1] if fell[-1] == LEVEL else f"**{fell[-1]}**"
        gain = f"{one.gain:+z.3f} [{one.low:+z.3f}, {one.high:+z.3f}] {one.metric}"
        rows.append([one.question, one.data, one.system, said, one.against, gain])
    shown = table(rows, ["question", "data", "system", "verdict", "against", "gain, 95 % interval"])
    return f"{shown}\n\nIn these {len(rows)} rows: {', '.join(f'{w} {fell.count(w)}' for w in (WINS, LOSES, LEVEL))}."


def pages() -> dict[Path, list[str]]:
    """The files and what stands between each two of their marks, in order."""
    recorded = read("reference/quick")["lessons"]
    asked, opened = zip(*(editions.entry(source) for source in editions.sources(ROOT)), strict=True)
    lessons = table(asked, ["", "lesson", "question"])
    made = {
        ROOT / "README.md": [of_benchmark(PLAN["dial"]).partition("\n\n")[0], headlines(PLAN["headlines"]), lessons]
    }
    made[ROOT / "docs/lessons.md"] = [table(opened, PLAN["lessons"])]
    made[RESULTS / "README.md"] = ["\n".join(f"- [{name}](lessons/{name}.md)" for name in recorded)]
    made |= {RESULTS / "lessons" / f"{name}.md": [of_lesson({"lesson": name})] for name in recorded}
    makers = {"benchmark": of_benchmark, "lesson": of_lesson, "published": of_published}
    for topic, blocks in PLAN["pages"].items():
        made[RESULTS / f"{topic}.md"] = [makers[kind](block) for block in blocks for kind in makers if kind in block]
    return made


def filled(path: Path, blocks: list[str]) -> str:
    """The text of a page with its computed parts renewed; a page that is not there yet begins with a plain title."""
    fresh = f"# {path.stem}\n" + f"\n{BEGIN}\n{END}\n" * len(blocks)
    kept = re.split(f"{BEGIN}.*?{END}", path.read_text(encoding="utf-8") if path.exists() else fresh, flags=re.DOTALL)
    if len(kept) != len(blocks) + 1:
        sys.exit(f"{path}: needs the marks  {BEGIN}  and  {END}  {len(blocks)} times, not {len(kept) - 1} times.")
    marked = (f"{BEGIN}\n\n{block}\n\n{END}{words}" for block, words in zip(blocks, kept[1:], strict=True))
    return kept[0] + "".join(marked)


def main() -> None:
    """Write the pages, or with `check` compare and exit 1 where one differs, is missing or has nothing behind it."""
    new = {path: filled(path, blocks) for path, blocks in pages().items()}
    new[IN_LESSONS / "recorded.csv"] = in_lessons(PLAN["recorded"])
    new[IN_LESSONS / "recorded_answers.csv"] = as_csv(answers(PLAN["headlines"]))
    new[IN_LESSONS / "recorded_verdicts.csv"] = as_csv(verdicts())
    stale = [path for path in new if not path.exists() or new[path] != path.read_text(encoding="utf-8")]
    for path in stale if sys.argv[1:] != ["check"] else ():
        path.write_text(new[path], encoding="utf-8")
    known = {*new, RESULTS / "libraries.md", RESULTS / "LOG.md"}  # these are written by a benchmark and by people
    if left_over := [str(page) for page in RESULTS.rglob("*.md") if page not in known]:
        sys.exit(f"{', '.join(left_over)}: no results stand behind it; remove it.")
    if stale and sys.argv[1:] == ["check"]:
        sys.exit(f"{', '.join(map(str, stale))}: not what the results say; run  python tools/results_tables.py")


if __name__ == "__main__":
    main()
