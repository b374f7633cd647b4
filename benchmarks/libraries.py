"""Do libraries agree? The same small input through every peer, compared with exact arithmetic.

    python benchmarks/libraries.py [--peers gsppy ranx …] [--work build/peers]     asks, and writes everything anew
    python benchmarks/libraries.py --smoke                                         asks what is installed here
    python benchmarks/libraries.py --page                                          writes the page from the table

Every peer is pinned and gets a virtual environment of its own under the work folder; environments and answers that are
there are used again, so that a run that was broken off goes on. A peer that cannot be installed, or has no such
function, is "not available". The table is results/benchmarks/libraries.csv, the page results/libraries.md; lessons
show what `lesson/libraries.csv` of the package holds of it.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from library_questions import METRICS, QUESTIONS, Question, exact

from llmarm_tutorial import __version__
from llmarm_tutorial.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
ADAPTERS = Path(__file__).parent / "adapters"
TABLE, PAGE = ROOT / "results/benchmarks/libraries.csv", ROOT / "results/libraries.md"
SHOWN = ROOT / "llmarm_tutorial/lesson/libraries.csv"
IN_LESSONS = {
    "itemsets": ("on .07", "twice", "nine", "conf .8"),
    "patterns": ("on .07", "between", "in a row", "whole"),
    "rankings": ("one hit",),
}
KIT = "llmarm"
NOT_THERE = "NotImplementedError"  # how an adapter says that its library has no such thing
LACKS = "lacks it"


class Peer(NamedTuple):
    """A library, or one of its functions: who answers which topic, and what has to be installed for it."""

    topic: str
    name: str
    needs: str = ""  # pinned; the first is the library itself. Empty: this environment
    gives: str = "all"  # or "maximal" itemsets, or patterns of "two and more" items


_FRAMES = "numpy==2.4.6 pandas==3.1.1"
_MLXTEND = f"mlxtend==0.25.0 {_FRAMES}"
_RUSKET = f"rusket==0.1.101 {_FRAMES} scipy==1.17.1 pyarrow==26.0.1"
_TREC = "pytrec-eval-terrier==0.5.11 numpy==2.4.6"
PEERS = (
    Peer("itemsets", KIT),
    Peer("itemsets", "mlxtend apriori", _MLXTEND),
    Peer("itemsets", "mlxtend fpgrowth", _MLXTEND),
    Peer("itemsets", "mlxtend fpmax", _MLXTEND, "maximal"),
    Peer("itemsets", "mlxtend hmine", _MLXTEND),
    Peer("itemsets", "pyfim", "pyfim==6.28"),
    Peer("itemsets", "efficient-apriori", "efficient-apriori==2.0.6"),
    Peer("itemsets", "PAMI", "pami==2026.10.13.1"),
    Peer("itemsets", "rusket", _RUSKET),
    Peer("itemsets", "desbordante", "desbordante==2.5.0"),
    Peer("itemsets", "pyspark", "pyspark==4.3.0 numpy==2.4.6"),
    Peer("patterns", KIT),
    Peer("patterns", "prefixspan", "prefixspan==0.5.2"),
    Peer("patterns", "gsppy", "gsppy==5.3.0"),
    Peer("patterns", "seq2pat", f"seq2pat==2.0.0 {_FRAMES}", "two and more"),
    Peer("patterns", "rusket", _RUSKET),
    Peer("patterns", "pyspark", "pyspark==4.3.0 numpy==2.4.6"),
    Peer("rankings", KIT),
    Peer("rankings", "RecTools", "rectools==0.19.0"),
    Peer("rankings", "RePlay", "replay-rec==0.22.0"),
    Peer("rankings", "implicit", "implicit==0.7.3 scipy==1.17.1 numpy==2.4.6"),
    Peer("rankings", "cornac", "cornac==3.0.1"),
    Peer("rankings", "torchmetrics", "torchmetrics==1.9.0 torch==2.13.0"),
    Peer("rankings", "ranx", "ranx==0.3.21"),
    Peer("rankings", "pytrec_eval", _TREC),
    Peer("rankings", "ir-measures", f"ir-measures==0.4.3 {_TREC}"),
    Peer("rankings", "scikit-learn", "scikit-learn==1.9.1 numpy==2.4.6"),
)
SMOKE = ("mlxtend", "scikit-learn", "prefixspan", KIT)


def digest(*parts: object) -> str:
    """A name for what a stored thing depends on."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


def environment(needs: str, work: Path) -> Path | str:
    """The Python of an environment that holds these packages, made if it is not there; or why it cannot be had."""
    folder = work / f"{needs.split('==')[0]}-{digest(needs, sys.version_info[:2])}"
    python, ready = folder / "bin/python", folder / "ready"
    if ready.is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    if shutil.which("uv"):
        steps = [
            ["uv", "venv", "-q", "--python", sys.executable, folder],
            ["uv", "pip", "install", "-q", "--python", python],
        ]
    else:
        steps = [[sys.executable, "-m", "venv", folder], [python, "-m", "pip", "install", "-q"]]
    steps[1] += needs.split()
    for step in steps:
        done = subprocess.run(list(map(str, step)), capture_output=True, text=True)
        if done.returncode:
            return f"cannot be installed: {done.stderr.strip().splitlines()[-1][:120]}"
    ready.touch()  # written last
    return python


def ask(peer: Peer, questions: list[Question], python: Path | str, work: Path) -> list[list[dict]]:
    """Of every question, the peer's answer to each case, or why there is none; stored ones where nothing changed."""
    cases = [case for question in questions for case in question.cases]
    if isinstance(python, str):
        return [[{"refused": f"{NOT_THERE}: {python}"}] * len(question.cases) for question in questions]
    adapter = ADAPTERS / f"{peer.topic}.py"
    kept = work / "answers" / f"{digest(peer, cases, adapter.read_text(encoding='utf-8'))}.json"
    if peer.needs and kept.is_file():
        answers = kept.read_text(encoding="utf-8")
    else:
        settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "" if peer.needs else str(ROOT)}
        command = [python, adapter, peer.name.lower().replace("-", "_").replace(" ", "_")]
        done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, cwd=work, env=settings)
        if done.returncode:
            python = f"does not run here: {done.stderr.strip().splitlines()[-1][:120]}"
            return ask(peer, questions, python, work)
        answers = done.stdout
        if peer.needs:  # the kit changes from commit to commit
            write_atomically(kept, answers)
    each = iter(json.loads(answers))
    return [list(islice(each, len(question.cases))) for question in questions]


def wanted(peer: Peer, question: Question, case: dict) -> dict:
    """The exact answer, of that kind of sets or patterns that the peer gives."""
    truth = exact(question, case)
    if peer.gives == "maximal":
        return {one: count for one, count in truth.items() if not any(one < other for other in truth)}
    return {one: count for one, count in truth.items() if len(one) > 1} if peer.gives == "two and more" else truth


def difference(question: Question, truth: dict, rows: list) -> str:
    """How an answer in rows differs from the truth, in words; "exact" where it does not."""
    if question.topic == "patterns":
        found = {tuple(items): count for items, count in rows}
    elif question.compares == "count":
        found = {frozenset(items): count for items, count in rows}
    else:
        found = {(frozenset(x), frozenset(y)): c if question.compares == "confidence" else s for x, y, c, s in rows}
    numbers = {
        f"lacks {{}} of {len(truth)}": len(truth.keys() - found.keys()),
        "{} too many": len(found.keys() - truth.keys()),
        "{} miscounted": sum(abs(found[one] - truth[one]) > 1e-6 for one in truth.keys() & found.keys()),
        "{} repeated": len(rows) - len(found),
    }
    return ", ".join(text.format(number) for text, number in numbers.items() if number) or "exact"


def judged(peer: Peer, question: Question, answers: list[dict]) -> list[dict]:
    """Rows of the table: what is measured, the exact value, the peer's answer, and the verdict."""
    truths = [wanted(peer, question, case) for case in question.cases]
    refused = next((answer["refused"] for answer in answers if "refused" in answer), None)
    rows = []
    for measure in METRICS if question.topic == "rankings" else (question.compares,):
        right = str(len(truths[0])) if len(truths) == 1 else f"{len(truths)} cases"
        if question.topic == "rankings":
            right = f"{truths[0][measure]:.4f}"
        if refused is not None:
            said = refused.removeprefix(f"{NOT_THERE}: ").splitlines()[0]
            verdict = "refuses" if said == refused.splitlines()[0] else "not available"
        elif question.topic == "rankings":
            value = answers[0]["answer"].get(measure)
            said = LACKS if value is None else f"{value:.4f}"
            verdict = "not available" if value is None else "exact" if said == right else "differs"
        else:
            each = [difference(question, t, a["answer"]) for t, a in zip(truths, answers, strict=True)]
            wrong = sum(one != "exact" for one in each)
            said = each[0] if len(each) == 1 else f"{wrong} of {len(each)} wrong" if wrong else "exact"
            verdict = "differs" if wrong else "exact"
        rows.append({"measure": measure, "exact": right, "answer": said, "verdict": verdict})
    return rows


def measure(peers: list[Peer], work: Path, *, here: bool = False) -> pd.DataFrame:
    """Ask every peer every question of its topic, in environments under `work`, or all of them in this one."""
    rows = []
    for peer in peers:
        library, version = peer.needs.split()[0].split("==") if peer.needs else (KIT, __version__)
        if here and peer.needs:
            version = importlib.metadata.version(library)
        python = Path(sys.executable) if here or not peer.needs else environment(peer.needs, work)
        questions = [question for question in QUESTIONS if question.topic == peer.topic]
        names = {"topic": peer.topic, "library": peer.name, "version": version}
        found = [
            {**names, "question": question.name, **row}
            for question, answers in zip(questions, ask(peer, questions, python, work), strict=True)
            for row in judged(peer, question, answers)
        ]
        verdicts = Counter(row["verdict"] for row in found)
        print(f"{peer.topic:9} {peer.name:18} {version:13} {dict(verdicts)}", flush=True)
        rows += found
    return pd.DataFrame(rows)


# --- the page --------------------------------------------------------------------------------------------------------

INTRODUCTION = """# Libraries

**Do libraries agree on small inputs?** Every question below can be answered with a pencil. The same input goes through
every library as its documentation shows, with its defaults. The exact answer comes from listing all subsets, all
subsequences or all orders of equal scores, in fractions. What differs from it is in bold. That need not be a fault:
some differences are definitions. Either way, a number needs its library, version and definition beside it.

Made by `python benchmarks/libraries.py`, which gives every library an environment of its own, and which writes this
page and its table, `benchmarks/libraries.csv`. ✓ is the exact answer, – not available.
"""
NOTES = {
    "itemsets": "Support is .5 where nothing else is said, and handed over as a share (to pyfim as percent). mlxtend "
    "fpmax gives maximal itemsets and is compared with those.",
    "patterns": "One item a visit; a customer counts once; anything may lie between. Support is .5 where nothing else "
    "is said, and handed over as a share; prefixspan takes the number of customers. seq2pat gives patterns of two "
    "items and more and is compared with those. Each question has one more customer, with w, x, y, z.",
    "rankings": "All at ten. Of equal scores the exact answer is the mean over their orders. An item counts at its "
    "first place. P divides by ten, MAP by the right items, or by ten if there are more. A library of lists has no "
    "ties. llmarm ranks all items, and takes those that a list lacks for ties at its end; torchmetrics and "
    "scikit-learn know of no right item without a score. Only metrics that differ are shown.",
}


def page(table: pd.DataFrame) -> str:
    """The whole page, from the table alone."""
    parts = [INTRODUCTION]
    for topic, part in table.groupby("topic", sort=False):
        asked = [question for question in QUESTIONS if question.topic == topic]
        listed = [f"- *{question.name}*: {question.says}{_values(part, question)}" for question in asked]
        lines = [["library", *(question.name for question in asked)], ["---"] * (len(asked) + 1)]
        for (library, version), rows in part.groupby(["library", "version"], sort=False):
            cells = [_cell(rows[rows["question"] == question.name]) for question in asked]
            lines.append([f"{library} {version}", *cells])
        drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts += [
            f"## {topic.capitalize()}\n",
            textwrap.fill(NOTES[topic], 119) + "\n",
            "\n".join(listed) + "\n",
            drawn + "\n",
        ]
        silent = part[part["verdict"].isin(["refuses", "not available"])]
        reasons = silent[silent["answer"] != LACKS].groupby(["library", "answer"], sort=False)["question"].unique()
        metrics = silent[silent["answer"] == LACKS].groupby("library", sort=False)["measure"].unique()
        said = [f"- {library}, *{'*, *'.join(names)}*: {answer}" for (library, answer), names in reasons.items()]
        said += [f"- {library} lacks {', '.join(names)}" for library, names in metrics.items()]
        parts += ["Refused or not available:\n", "\n".join(said) + "\n"] if said else []
    return "\n".join(parts)


def _values(part: pd.DataFrame, question: Question) -> str:
    """The exact values of a ranking, as they stand in the table; of sets nothing."""
    if question.topic != "rankings":
        return ""
    rows = part[part["question"] == question.name].drop_duplicates("measure").itertuples()
    return ": " + ", ".join(f"{row.measure.removesuffix('@10')} {float(row.exact):.3g}" for row in rows)


def _cell(rows: pd.DataFrame) -> str:
    """What a library says to one question."""
    verdicts = set(rows["verdict"])
    if verdicts == {"not available"}:
        return "–"
    if verdicts == {"refuses"}:
        return "**refuses**"
    wrong = rows[rows["verdict"] == "differs"].itertuples()
    said = [
        f"{r.measure.removesuffix('@10')} {float(r.answer):.3g}" if r.topic == "rankings" else r.answer for r in wrong
    ]
    return f"**{', '.join(said)}**" if said else "✓"


def in_lessons(table: pd.DataFrame) -> pd.DataFrame:
    """The part of the table that lessons show; of rankings all metrics of one question."""
    parts = []
    for topic, names in IN_LESSONS.items():
        part = table[(table["topic"] == topic) & table["question"].isin(names)]
        asked = part["measure" if topic == "rankings" else "question"]
        said = part["answer"].where(part["verdict"] != "not available", "–")
        parts.append(part.assign(asked=asked, answer=said.where(part["verdict"] != "refuses", "refuses")))
    return pd.concat(parts)[["topic", "asked", "library", "version", "answer"]]


def write(table: pd.DataFrame) -> None:
    """The table, the page, and what lessons show."""
    write_atomically(TABLE, table.to_csv(index=False))
    write_atomically(PAGE, page(table))
    write_atomically(SHOWN, in_lessons(table).to_csv(index=False))


def main() -> None:
    parser = argparse.ArgumentParser(description="The same small input through every library.")
    parser.add_argument(
        "--peers", nargs="+", metavar="NAME", help="only these, for instance gsppy ranx; prints, writes nothing"
    )
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build/peers", help="where environments and answers are kept"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="what is installed here, without environments; writes nothing"
    )
    parser.add_argument("--page", action="store_true", help="write the page anew from the table")
    options = parser.parse_args()
    if options.page:
        write(pd.read_csv(TABLE, dtype=str, keep_default_na=False))
        return
    names = options.peers or (SMOKE if options.smoke else None)
    peers = [peer for peer in PEERS if names is None or peer.name in names or peer.name.split()[0] in names]
    if not peers:
        sys.exit(f"No such peer: choose from {', '.join(dict.fromkeys(peer.name for peer in PEERS))}.")
    options.work.mkdir(parents=True, exist_ok=True)
    table = measure(peers, options.work.resolve(), here=options.smoke)
    if names is None:
        write(table)
    else:
        print(table[table["verdict"] != "exact"].to_string(index=False))


if __name__ == "__main__":
    main()
