"""The command `llmarm`. Every command imports what it needs when it is called, so that `--help` answers at once."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from llmarm_tutorial import __version__
from llmarm_tutorial.errors import BadParameter, LlmarmError, Missing, RunError
from llmarm_tutorial.running import cli_data

if TYPE_CHECKING:
    from llmarm_tutorial.running.display import RunDisplay
    from llmarm_tutorial.running.preflight import Preflight


class _Group(TyperGroup):
    """Turns errors that a user can mend into one sentence, and Ctrl-C into a calm end."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LlmarmError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("stopped; what is done is kept", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Product association analysis by counting and by large models, measured side by side.",
)
app.add_typer(cli_data.app, name="data")

Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for the results; default runs/<date-time>.", show_default=False)
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help="Lessons at the same time; default what cores and free memory carry.",
        show_default=False,
    ),
]
Timeout = Annotated[
    int | None, typer.Option("--timeout", min=1, help="Seconds that one cell may take.", show_default=False)
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmarm {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def doctor() -> None:
    """Check this machine, and say how to mend what is amiss."""
    from llmarm_tutorial.running import doctor as checks

    findings = checks.checkup()
    for finding in findings:
        typer.echo(str(finding))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


@app.command()
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="LESSONS", help="Numbers, names or ranges such as 01-03; default all."),
    ] = None,
    profile: Annotated[str, typer.Option("--profile", help="quick, full or gpu.")] = "quick",
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Name of the catalogue, or path of your own file.")
    ] = None,
    basket_col: cli_data.BasketCol = None,
    item_col: cli_data.ItemCol = None,
    user_col: cli_data.UserCol = None,
    time_col: cli_data.TimeCol = None,
    order_col: cli_data.OrderCol = None,
    quantity_col: cli_data.QuantityCol = None,
    format: cli_data.Format = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a lesson's parameter; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of every draw.")] = None,
    out: Out = None,
    jobs: Jobs = None,
    timeout: Timeout = None,
) -> None:
    """Execute lessons and write their notebooks, results and a report."""
    from llmarm_tutorial import files
    from llmarm_tutorial.running import lessons, pool, preflight, run_folder
    from llmarm_tutorial.running import plan as batch_module
    from llmarm_tutorial.running import report as reports

    available = lessons.discover()
    chosen = lessons.choose(names or [], available)
    given = (basket_col, item_col, user_col, time_col, order_col, quantity_col, format)
    options = dict(zip(lessons.DATA_COLUMNS, given, strict=True))
    wanted: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if dataset is not None:
        wanted["DATASET"] = batch_module.check_dataset(dataset)
    if seed is not None:
        wanted["SEED"] = seed
    for text in parameter or []:
        name, sign, value = text.partition("=")
        if not sign:
            raise BadParameter(f"-p takes NAME=VALUE, not {text!r}.")
        if name in wanted:
            raise BadParameter(f"The parameter {name} is given twice; leave one out.")
        wanted[name] = value
    batch_module.check_declared(chosen, wanted)
    settings = lessons.profile(profile, available)
    runs = []
    for lesson in chosen:
        mine = {name: value for name, value in wanted.items() if name in lesson.parameters}
        values = settings.get(lesson.number, {}) | lessons.check_values(lesson, mine)
        runs.append(run_folder.Run(lesson.name, lesson, profile, values))
    checked = preflight.check(runs)
    out = out or _new_folder()
    busy = batch_module.BUSY.format(out)
    with files.lock(out, wait=False, complaint=busy), _display(checked) as display, reports.rendering(out) as render:

        def listen(run: run_folder.Run, news: Any) -> None:
            display.listen(run, news)
            if isinstance(news, dict):
                render(news)

        show = {"announce": display.announce, "listen": listen}
        results = pool.execute(checked.runs, out, jobs=jobs, timeout=timeout, again=True, **show)
    _finish(display, results, out)


@app.command()
def lab(
    new: Annotated[
        str | None,
        typer.Option("--new", metavar="LESSON", help="Also put the kit's newer version of a lesson beside your copy."),
    ] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open JupyterLab, or make the copies only.")] = True,
) -> None:
    """Open your own copies of lessons and exercises, in the folder my, in JupyterLab."""
    from llmarm_tutorial.running import lessons, own_copies

    available = lessons.discover()
    home, notes = own_copies.update(available)
    for lesson in lessons.choose([new], available) if new else []:
        for path in own_copies.put_beside(lesson):
            typer.echo(f"written: {path}")
        _, notes = own_copies.update(available)
    typer.echo("\n".join([*notes, f"your copies: {home}"]))
    if show:
        _open_lab(home)


@app.command()
def batch(
    plan: Annotated[Path, typer.Argument(help="YAML file: lessons, datasets, seeds, profile, parameters.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of the batch; default runs/<name of the plan>. Given again, the batch goes on.",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = None,
    timeout: Timeout = None,
) -> None:
    """Execute a grid of lessons × data sets × parameters × seeds; started again, it goes on where it was."""
    from llmarm_tutorial.running import plan as batches
    from llmarm_tutorial.running import preflight
    from llmarm_tutorial.running.display import runs_in_words

    loaded = batches.read_plan(plan)
    checked = preflight.check(loaded.runs)
    loaded = replace(loaded, runs=checked.runs)
    out = out or Path("runs") / plan.stem
    todo, outdated = batches.pending(loaded, out)
    typer.echo(f"{runs_in_words(len(loaded.runs))}, {len(loaded.runs) - len(todo)} of them finished before, in {out}")
    if outdated:
        typer.echo(
            f"{len(outdated)} of these are from before their lesson, their data file or llmarm changed; "
            "remove their folders to renew"
        )
    with _display(replace(checked, runs=todo)) as display:
        show = {"announce": display.announce, "listen": display.listen}
        results = batches.run_batch(loaded, out, jobs=jobs, timeout=timeout, **show)
    _finish(display, results, out)


@app.command()
def report(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of runs.")]) -> None:
    """Write one self-contained HTML page about a folder of runs."""
    from llmarm_tutorial.running import report as reports

    typer.echo(f"report: {reports.build(folder)}")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that llmarm run wrote.")],
    profile: Annotated[
        str | None, typer.Option("--profile", help="Profile to compare with; default that of the runs.")
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="Make these runs the reference.")] = False,
) -> None:
    """Compare results with the reference results: levels within their tolerance, gains by their verdict."""
    from collections import Counter

    from llmarm_tutorial.running import report as reports
    from llmarm_tutorial.running import verify as verification

    if record:
        typer.echo(f"recorded: {verification.record(folder, profile)}")
        return
    comparisons = verification.against_reference(folder, profile)
    for c in comparisons:
        typer.echo(f"{c.verdict:<12} {c.lesson[:2]} {c.name}: {c.detail}")
    counts = Counter(c.verdict for c in comparisons)
    typer.echo(", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "no recorded values")
    failed = [run["lesson"] for run in reports.load(folder) if run["status"] != "ok"]
    if failed:
        typer.echo(f"failed lessons: {', '.join(failed)}")
    if failed or counts[verification.DRIFTED] or counts[verification.MISSING]:
        raise typer.Exit(1)


@app.command("new-lesson")
def new_lesson(
    number: Annotated[str, typer.Argument(help="Two digits, such as 07.")],
    name: Annotated[str, typer.Argument(help="Verb and topic, such as rank_next_items.")],
) -> None:
    """Start a lesson from the template."""
    from llmarm_tutorial import files
    from llmarm_tutorial.running import lessons

    if not re.fullmatch(r"\d{1,2}", number):
        raise BadParameter(f"The number of a lesson has one or two digits, unlike {number!r}.")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise BadParameter(
            f"Name the lesson by lower-case words joined by _, such as rank_next_items, unlike {name!r}."
        )
    number = number.zfill(2)
    place = lessons.folder()
    template = place / "template.py"
    if not template.exists():
        raise RunError(f"The template {template} is missing; restore it (git checkout {template.name}).")
    taken = [path.name for path in sorted((place / "source").glob(f"{number}_*.py"))]
    if taken:
        raise BadParameter(f"The number {number} is taken by {taken[0]}; choose another one.")
    text = template.read_text(encoding="utf-8").replace("{number}", number)
    title = name.replace("_", " ").capitalize()
    target = place / "source" / f"{number}_{name}.py"
    files.write_atomically(target, text.replace("{title}", title).replace("{name}", name))
    typer.echo(f"written: {target}")


def _new_folder() -> Path:
    return Path("runs") / f"{datetime.now():%Y-%m-%d-%H%M%S}"


def _open_lab(folder: Path) -> None:
    import importlib.util
    import subprocess

    if importlib.util.find_spec("jupyterlab") is None:
        raise Missing("jupyterlab", "lab", "Opening your copies in JupyterLab")
    raise typer.Exit(subprocess.run([sys.executable, "-m", "jupyterlab", str(folder)]).returncode)


def _display(checked: Preflight) -> RunDisplay:
    from rich.console import Console

    from llmarm_tutorial.running.display import RunDisplay

    display = RunDisplay(Console(width=None if sys.stdout.isatty() else 120), len(checked.runs))
    display.before(checked.left_out, checked.notes)
    return display


def _finish(display: RunDisplay, results: list[dict[str, Any]], out: Path) -> None:
    from llmarm_tutorial.running import report as reports

    display.close(results)
    display.console.print(f"\nreport: {reports.build(out)}", soft_wrap=True, markup=False, highlight=False)
    if any(run["status"] != "ok" for run in results):
        raise typer.Exit(1)
