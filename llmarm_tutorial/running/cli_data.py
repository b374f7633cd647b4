"""`llmarm data …`: the catalogue, downloads, checks, and the corner shop at any size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from llmarm_tutorial.errors import BadParameter

app = typer.Typer(
    no_args_is_help=True, help="Data sets: list, describe, fetch, check, make; weights of models for them."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a data set of the catalogue.")]


def _column(option: str, which: str) -> Any:
    return Annotated[str | None, typer.Option(option, metavar="COLUMN", help=f"Your file's column {which}.")]


BasketCol = _column("--basket-col", "of baskets, or columns: member,date")
ItemCol = _column("--item-col", "of items")
UserCol = _column("--user-col", "of customers")
TimeCol = _column("--time-col", "of times, or columns: date,time")
OrderCol = _column("--order-col", "of visit numbers, where no time is known")
QuantityCol = _column("--quantity-col", "of quantities: rows not above 0 are left out")
Format = Annotated[
    str | None, typer.Option("--format", help="Your file's layout: rows, baskets, lists or wide; default: found out.")
]


@app.command("list")
def list_sets() -> None:
    """List the catalogue: what each set has, and whether it is on this machine."""
    from rich.console import Console
    from rich.table import Table

    from llmarm_tutorial.data import catalogue

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("name", "here", "has", "what it is"):
        table.add_column(column, no_wrap=column != "what it is")
    for entry in catalogue.entries():
        here = "yes" if catalogue.locate(entry) else "fetch" if entry.urls else "made"
        table.add_row(entry.name, here, ", ".join(sorted(entry.aspects)), entry.title)
    console = Console()
    console.print(table) if console.is_terminal else Console(width=140).print(table)


@app.command()
def info(name: Name) -> None:
    """Describe a data set: source, licence, citation, expected counts."""
    from llmarm_tutorial.data import catalogue

    entry = catalogue.entry(name)
    facts = {
        "title": entry.title,
        "has": ", ".join(sorted(entry.aspects)),
        "source": entry.source,
        "licence": entry.licence,
        "citation": entry.citation,
        "counts": ", ".join(f"{count:,} {what}" for what, count in {**entry.published, **entry.counts}.items()),
        "left out": entry.drops,
        "on this machine": str(catalogue.locate(entry) or "no"),
    }
    typer.echo(entry.name)
    for what, text in facts.items():
        if text:
            typer.echo(f"  {what:<16} {text}")


@app.command()
def look(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Path of your own file.")],
    basket_col: BasketCol = None,
    item_col: ItemCol = None,
    user_col: UserCol = None,
    time_col: TimeCol = None,
    order_col: OrderCol = None,
    quantity_col: QuantityCol = None,
    format: Format = None,
) -> None:
    """Show what your own file seems to be, and the command that runs a lesson on it."""
    from llmarm_tutorial.data import look as looking
    from llmarm_tutorial.data.file_options import FileOptions
    from llmarm_tutorial.data.loading import Known
    from llmarm_tutorial.running import lessons, preflight

    said = (basket_col, item_col, user_col, time_col, order_col, quantity_col, format)
    found = looking.look(str(file), FileOptions(*(value or "" for value in said)))
    known = Known(found.data.aspects, found.data)
    obstacles = {lesson: preflight.obstacle(lesson, str(file), known) for lesson in lessons.discover() if lesson.needs}
    serving = [lesson.number for lesson, why in obstacles.items() if not why]
    typer.echo("\n".join(found.lines()))
    if serving:
        typer.echo(f"serves    {_lessons(serving)}")
        for reason in dict.fromkeys(why for why in obstacles.values() if why):
            typer.echo(f"lacking   {_lessons([of.number for of, why in obstacles.items() if why == reason])}: {reason}")
    else:
        typer.echo(f"serves    no lesson yet. {next(iter(obstacles.values()), 'There are none here.')}")
    typer.echo(f"run it with\n  {found.command(next(iter(serving), '01'))}")


def _lessons(numbers: list[str]) -> str:
    return f"lesson{'s' * (len(numbers) > 1)} {', '.join(numbers)}"


@app.command()
def fetch(name: Name) -> None:
    """Download a data set from its official source into the cache and check its content."""
    from llmarm_tutorial.data import download

    typer.echo(f"{name}: {download.fetch(name)}")


@app.command()
def check(name: Name) -> None:
    """Compare a data set's content on this machine with the catalogue."""
    from llmarm_tutorial.data import loading
    from llmarm_tutorial.data.notes import note_lines

    report = loading.check(name)
    for row in report.rows:
        found = f"{row.found:,}" if isinstance(row.found, int) else row.found
        expected = f"{row.expected:,}" if isinstance(row.expected, int) else row.expected
        typer.echo(
            f"[ok]      {row.what}: {found}" if row.ok else f"[problem] {row.what}: {found}, expected {expected}"
        )
    for line in note_lines(report.notes):
        typer.echo(f"[note]    {line}")
    typer.echo(f"{name} in {report.path} {'holds what it should' if report.ok else 'differs from the catalogue'}")
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def make(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    customers: Annotated[
        int | None, typer.Option("--customers", min=1, help="Number of customers; default that of the shipped shop.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of the generator; default that of the shipped shop.")
    ] = None,
    structure: Annotated[
        float | None,
        typer.Option(
            "--structure",
            min=0,
            max=1,
            help="Share of the planted projects, styles and conjunctions at work; default that of the shipped shop.",
        ),
    ] = None,
) -> None:
    """Generate a corner shop of any size as Parquet, in bounded memory."""
    from llmarm_tutorial.data.shop import simulate

    if out.exists() and not out.is_dir():
        raise BadParameter(f"{out} is a file; give a folder.")
    given = {"customers": customers, "seed": seed, "structure": structure}
    chosen = {name: value for name, value in given.items() if value is not None}
    simulate.write(out, progress=True, **chosen)
    typer.echo(f"written: {out}")


@app.command()
def weights(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A name, or the path of your own file.")] = "shop",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="MODEL", help="One of them; give it again for more.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; default where lessons look.", show_default=False)
    ] = None,
    basket_col: BasketCol = None,
    item_col: ItemCol = None,
    user_col: UserCol = None,
    time_col: TimeCol = None,
    order_col: OrderCol = None,
    quantity_col: QuantityCol = None,
    format: Format = None,
) -> None:
    """Train the models that lessons open, minutes each; what is there is left, what was stopped goes on."""
    from llmarm_tutorial.data import catalogue, loading
    from llmarm_tutorial.files import ROOT
    from llmarm_tutorial.models import shipped, shipped_recipes

    names = ("basket_col", "item_col", "user_col", "time_col", "order_col", "quantity_col", "format")
    said = (basket_col, item_col, user_col, time_col, order_col, quantity_col, format)
    data = loading.load(dataset, **{name: value or "" for name, value in zip(names, said, strict=True)})
    ours = dataset == "shop" and (ROOT / "pyproject.toml").exists()
    folder = out or (shipped.SHIPPED if ours else catalogue.data_home() / "weights")
    shipped_recipes.make(data, folder, only or (), say=typer.echo)
    typer.echo(f"in {folder}")
