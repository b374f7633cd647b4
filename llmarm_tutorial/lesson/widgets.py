"""Interactive twins of what a lesson shows: try other inputs where a kernel runs, read a table where none does.

Every twin shows two things in one cell: a plain HTML table for the input it starts with, which stays in the stored
notebook, on a web page and on paper, and below it the controls. What the table says is computed by functions of their
own, so that it can be tested, and used, without any widget.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML, display

from llmarm_tutorial.errors import BadParameter
from llmarm_tutorial.lesson.results import NO_FORMULAS

try:
    import ipywidgets
except ImportError:  # the table needs none
    ipywidgets = None

Answer = tuple[int, float, str]  # item code, score, reason
System = Callable[[list[int]], Iterable[Answer]]  # codes in the basket → answers, best first

MOST_SHOWN = 20
EMPTY = "Put at least one product into the basket."


def recommendations(
    names: Sequence[str], systems: Mapping[str, System], basket: Sequence[int], k: int = 5
) -> pd.DataFrame:
    """What each system recommends for a basket, with its reasons.

    Args:
        names: Name of each item code.
        systems: Name of the system → what answers for the codes of a basket, best first; it may give fewer than k.
        basket: Item codes, at least one.
        k: How many recommendations of each system, from 1 to `MOST_SHOWN`.

    Returns:
        One row per recommendation, by system, then rank: `system`, `rank` (from 1), `item` (code), `name`, `score`,
        `reason`.

    Raises:
        BadParameter: If the basket is empty, names an unknown code, or k is out of range.
    """
    if not len(basket) or min(basket) < 0 or max(basket) >= len(names):
        raise BadParameter(f"A basket holds at least one item, with codes from 0 to {len(names) - 1}.")
    if not 1 <= k <= MOST_SHOWN:
        raise BadParameter(f"From 1 to {MOST_SHOWN} recommendations can be shown, not {k}.")
    rows = []
    for system, answer in systems.items():
        for rank, (item, score, reason) in zip(range(1, k + 1), answer([int(code) for code in basket]), strict=False):
            rows.append((system, rank, int(item), str(names[item]), float(score), reason))
    return pd.DataFrame(rows, columns=["system", "rank", "item", "name", "score", "reason"])


def side_by_side(table: pd.DataFrame, basket: Sequence[str], systems: Sequence[str]) -> str:
    """The recommendations as an HTML table, a column per system; what all systems recommend is in bold.

    Args:
        table: Result of `recommendations`.
        basket: Names of the items in the basket, for the caption.
        systems: Names of the systems, in the order of the columns; one without any answer keeps its empty column.

    Returns:
        HTML in which all names and reasons are escaped.
    """
    agreed = table.groupby("item")["system"].nunique()
    agreed = set(agreed.index[agreed == len(systems)]) if len(systems) > 1 else set()
    cells = {(row.system, row.rank): _cell(row, row.item in agreed) for row in table.itertuples(index=False)}
    head = "".join(f'<th style="text-align:left">{escape(str(name))}</th>' for name in systems)
    body = ""
    for rank in range(1, int(table["rank"].max() if len(table) else 0) + 1):
        row = "".join(
            f'<td style="text-align:left;vertical-align:top">{cells.get((name, rank), "")}</td>' for name in systems
        )
        body += f"<tr><td>{rank}</td>{row}</tr>"
    caption = f"In the basket: {escape(', '.join(map(str, basket)))}"
    caption = f'<caption style="caption-side:top;text-align:left">{caption}</caption>'
    head = f"<thead><tr><th></th>{head}</tr></thead>"
    return f"<table {NO_FORMULAS}>{caption}{head}<tbody>{body}</tbody></table>"


def _cell(row: Any, agreed: bool) -> str:
    name = escape(row.name)
    reason = f'<br><small style="opacity:0.75">{escape(str(row.reason))}</small>' if row.reason else ""
    return (f"<b>{name}</b>" if agreed else name) + reason


def _failure(error: Exception) -> str:
    """What a system raised and where, for a learner who may mend it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    line = f": {place.line}" if place.line else ""
    return (
        f"No answer: {type(error).__name__}: {error} (in {place.name}, line {place.lineno}{line}). If you have changed "
        "the lesson, run its cells again from the top."
    )


class RecommendTwin:
    """Recommendations of several systems for a basket that can be changed; made by `recommend_twin`.

    Attributes:
        static: HTML of the table for the start basket.
        add: Field to look up a product and put it into the basket; None without ipywidgets.
        said: What is wrong with what was typed into the field, as HTML; None without ipywidgets.
        basket: The products that were put in; those selected, its value, are in the basket. None without ipywidgets.
        count: How many recommendations of each system; None without ipywidgets.
        shown: The table for the present basket, or the error of a system; its value is HTML. None without ipywidgets.
    """

    def __init__(
        self, names: Sequence[str], systems: Mapping[str, System], start: Sequence[int], k: int, live: bool
    ) -> None:
        self._names, self._systems = [str(name) for name in names], systems
        self._code = {name: code for code, name in enumerate(self._names)}
        if len(self._code) < len(self._names):
            raise BadParameter(
                "Every item needs a name of its own: use Transactions.labels, which tells equal ones apart."
            )
        self.static = self.html([self._names[code] for code in start], k)
        self.add = self.said = self.basket = self.count = self.shown = None
        if live:
            self._build([self._names[code] for code in start], k)

    def html(self, basket: Sequence[str], k: int) -> str:
        """The table for a basket of names, as HTML; a sentence if the basket is empty."""
        if not basket:
            return f"<p>{escape(EMPTY)}</p>"
        table = recommendations(self._names, self._systems, [self._code[name] for name in basket], k)
        return side_by_side(table, basket, list(self._systems))

    def _build(self, start: list[str], k: int) -> None:
        wide = ipywidgets.Layout(width="420px")
        self.add = ipywidgets.Combobox(
            options=self._names,
            placeholder="type a product, press Enter",
            description="add",
            layout=wide,
            continuous_update=False,  # else "Tea" goes in while somebody types "Tea lights"
        )
        self.said = ipywidgets.HTML()
        self.basket = ipywidgets.SelectMultiple(
            options=start, value=start, description="basket", rows=min(8, len(start) + 3), layout=wide
        )
        self.count = ipywidgets.IntSlider(value=k, min=1, max=MOST_SHOWN, description="how many", layout=wide)
        self.shown = ipywidgets.HTML(value=self.static)
        self.add.observe(self._put_in, "value")
        self.basket.observe(self._refresh, "value")
        self.count.observe(self._refresh, "value")

    def _put_in(self, change: dict[str, Any]) -> None:
        if not (typed := change["new"].strip()):
            return
        name = self._named(typed)
        self.said.value = "" if name else f"<p>{escape(self._unknown(typed))}</p>"
        if name:
            inside = self.basket.value
            self.basket.unobserve(self._refresh, "value")  # other options empty the value: no answer is due to that
            with self.basket.hold_sync():
                if name not in self.basket.options:
                    self.basket.options = (*self.basket.options, name)
                self.basket.value = (*inside, *({name} - set(inside)))
            self.basket.observe(self._refresh, "value")
            self.add.value = ""
            if self.basket.value != inside:
                self._refresh()

    def _named(self, typed: str) -> str | None:
        """The product of that name, whatever its capitals; None if there is none."""
        if typed in self._code:
            return typed
        return next((name for name in self._names if name.casefold() == typed.casefold()), None)

    def _unknown(self, typed: str) -> str:
        lower = {name.casefold(): name for name in self._names}
        close = difflib.get_close_matches(typed.casefold(), lower, n=3)
        guess = f" Did you mean {', '.join(lower[name] for name in close)}?" if close else ""
        return f"There is no product '{typed}'.{guess}"

    def _refresh(self, _: dict[str, Any] | None = None) -> None:
        try:
            self.shown.value = self.html(self.basket.value, self.count.value)
        except Exception as error:  # what is raised here would end in a log that nobody reads
            self.shown.value = f"<p>{escape(_failure(error))}</p>"

    def _ipython_display_(self) -> None:
        """Show the static table, and below it, where there are widgets, the live one."""
        display(HTML(self.static))
        if self.basket is not None:
            title = ipywidgets.HTML(
                "<b>Try it</b>: add products; Ctrl-click takes one out of the basket or puts it back."
            )
            display(ipywidgets.VBox([title, self.add, self.said, self.basket, self.count, self.shown]))


def recommend_twin(
    names: Sequence[str],
    systems: Mapping[str, System],
    start: Sequence[int],
    *,
    k: int = 5,
    live: bool | None = None,
) -> RecommendTwin:
    """Fill a basket and see what several systems recommend for it, side by side and with their reasons.

    As the value of a cell it shows the table for the start basket, then the controls; a page without a kernel keeps the
    table.

    Args:
        names: Name of each item code, all different.
        systems: Name of the system → what answers for the codes of a basket: (item code, score, reason), best first.
        start: Codes in the basket at the start, at least one.
        k: How many recommendations of each system at the start.
        live: Whether to make the controls; None makes them if ipywidgets is installed.

    Raises:
        BadParameter: If two items have one name, the start basket is empty or names an unknown code, or k is out of
            range.
    """
    live = ipywidgets is not None if live is None else live and ipywidgets is not None
    recommendations(names, {}, start, k)  # checks the basket and k before names are looked up
    return RecommendTwin(names, systems, start, k, live)
