"""The sections of `sourcing diff`: the changes of a table, sorted by what they mean to a merchant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.table import Table as Shown

from cli.terminal import MOST_SHOWN, and_more, console
from cli.times import clock_time
from connectors.snapshots import Table
from connectors.snapshots.rows import records
from domain.money import Money

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
CONTEXT = ("state", "status", "kind", "item_id", "title", "reason", "quantity", "price_minor", "paid_minor", "stock")
MOST_CONTEXT = 5
REPLACED = "Of snapshots that were replaced meanwhile: what they said before is not kept"


@dataclass(frozen=True, slots=True)
class DiffSection:
    """Some of the changes under one heading: which rows, and what to show of each."""

    table: Table
    heading: str
    rows: pd.DataFrame
    columns: Sequence[str]

    def show(self) -> None:
        """Show a table of the first rows, and how many more there are; nothing where there is none."""
        if not len(self.rows):
            return
        shown = Shown(*map(_heading, self.columns), title=f"{self.heading} ({len(self.rows):,})", title_justify="left")
        for row in records(self.rows.head(MOST_SHOWN)):
            shown.add_row(*(_cell(self.table, row, name) for name in self.columns))
        console.print(shown)
        if len(self.rows) > MOST_SHOWN:
            console.print(and_more(len(self.rows), "--json"))


def sections(table: Table, changes: pd.DataFrame) -> Iterator[DiffSection]:
    """Every change is in one section at least; `changes` is as `Snapshots.changes` gives it."""
    key = table.key
    context = [name for name in CONTEXT if name in changes and name not in key][:MOST_CONTEXT]
    changed = changes[changes["change"] == "changed"]
    section = partial(DiffSection, table)
    has_states = "state" in table.columns and "country" not in table.columns  # of a receiver it is the address's
    yield section("New", changes[changes["change"] == "new"], [*key, *context])
    if table.name == "offers":
        yield from _of_offers(section, key, changed)
    elif has_states:
        more = [name for name in ("reason",) if name in changes]
        yield section("States moved", changed[_moved(changed, "state")], [*key, "was_state", "state", *more])
    told = {"price_minor", "stock", "active"} if table.name == "offers" else {"state"} if has_states else set()
    other = changed["columns"].map(lambda columns: not told.issuperset(columns)).astype("bool")
    yield section("Other changes" if told else "Changed", changed[other], [*key, "columns"])
    yield section(REPLACED, changes[changes["change"] == "rewritten"], [*key, *context])


def _of_offers(section: Callable[..., DiffSection], key: Sequence[str], changed: pd.DataFrame) -> Iterator[DiffSection]:
    named = [*key, "title"]
    here = changed["active"] & (changed["stock"] > 0)
    was = changed["was_active"] & (changed["was_stock"] > 0)
    stock = [*named, "was_stock", "stock"]
    yield section("Price moves", changed[_moved(changed, "price_minor")], [*named, "was_price_minor", "price_minor"])
    yield section("Gone: sold out or off sale", changed[was & ~here], [*stock, "active"])
    yield section("Back", changed[here & ~was], [*stock, "price_minor"])
    left = (here == was) & (_moved(changed, "stock") | _moved(changed, "active"))
    yield section("More or less in stock", changed[left], [*stock, "active"])


def _moved(changed: pd.DataFrame, name: str) -> pd.Series[bool]:
    moved: pd.Series[bool] = changed[name] != changed[f"was_{name}"]
    return moved


def _heading(name: str) -> str:
    return name.removesuffix("_minor").replace("_", " ")


def _cell(table: Table, row: Row, name: str) -> str:
    if name == "columns":
        return "\n".join(_move(table, row, column) for column in row[name])
    value = row[name]
    if value is None:
        return "–"
    told = name.removeprefix("was_")
    if currency := table.columns[told].currency:
        currency = row[name.removesuffix(told) + currency]
        return str(Money(value, currency)) if currency else "–"
    return clock_time(value) if isinstance(value, datetime) else str(value)


def _move(table: Table, row: Row, column: str) -> str:
    """A personal column has no values here."""
    if column not in row:
        return f"{_heading(column)} (personal)"
    return f"{_heading(column)}: {_cell(table, row, f'was_{column}')} → {_cell(table, row, column)}"
