"""What `sourcing diff` shows: the changes of a table, sorted by what they mean to a merchant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from rich.table import Table as Shown

from cli.terminal import MOST_SHOWN, and_more, console
from cli.times import clock_time
from connectors.snapshots import Table
from domain.money import Money

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
TELLING = ("state", "status", "kind", "item_id", "title", "reason", "quantity", "price_minor", "paid_minor", "stock")
MOST_TELLING = 5
REPLACED = "Of snapshots that were replaced meanwhile: what they said before is not kept"


@dataclass(frozen=True, slots=True)
class Section:
    """Some of the changes under one heading: which rows, and what to show of each."""

    heading: str
    rows: pd.DataFrame
    columns: Sequence[str]

    def show(self) -> None:
        """A table of the first rows, and how many more there are; nothing where there is none."""
        if not len(self.rows):
            return
        shown = Shown(*map(_heading, self.columns), title=f"{self.heading} ({len(self.rows):,})", title_justify="left")
        for row in rows_of(self.rows.head(MOST_SHOWN)):
            shown.add_row(*(_cell(row, name) for name in self.columns))
        console.print(shown)
        if len(self.rows) > MOST_SHOWN:
            console.print(and_more(len(self.rows), "--json"))


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as Python values, gaps as None."""
    rows: list[dict[str, Any]] = pa.Table.from_pandas(frame, preserve_index=False).to_pylist()
    return rows


def sections(table: Table, changes: pd.DataFrame) -> Iterator[Section]:
    """Every change is in one section at least; `changes` is as `Snapshots.changes` gives it."""
    key = table.key
    telling = [name for name in TELLING if name in changes and name not in key][:MOST_TELLING]
    changed = changes[changes["change"] == "changed"]
    has_states = "state" in table.columns and "country" not in table.columns  # of a receiver it is the address's
    yield Section("New", changes[changes["change"] == "new"], [*key, *telling])
    if table.name == "offers":
        yield from _of_offers(key, changed)
    elif has_states:
        more = [name for name in ("reason",) if name in changes]
        yield Section("States moved", changed[_moved(changed, "state")], [*key, "was_state", "state", *more])
    told = {"price_minor", "stock", "active"} if table.name == "offers" else {"state"} if has_states else set()
    other = changed["columns"].map(lambda columns: not told.issuperset(columns)).astype("bool")
    yield Section("Other changes" if told else "Changed", changed[other], [*key, "columns"])
    yield Section(REPLACED, changes[changes["change"] == "rewritten"], [*key, *telling])


def _of_offers(key: Sequence[str], changed: pd.DataFrame) -> Iterator[Section]:
    named = [*key, "title"]
    here = changed["active"] & (changed["stock"] > 0)
    was = changed["was_active"] & (changed["was_stock"] > 0)
    stock = [*named, "was_stock", "stock"]
    yield Section("Price moves", changed[_moved(changed, "price_minor")], [*named, "was_price_minor", "price_minor"])
    yield Section("Gone: sold out or off sale", changed[was & ~here], [*stock, "active"])
    yield Section("Back", changed[here & ~was], [*stock, "price_minor"])
    left = (here == was) & (_moved(changed, "stock") | _moved(changed, "active"))
    yield Section("More or less in stock", changed[left], [*stock, "active"])


def _moved(changed: pd.DataFrame, name: str) -> pd.Series[bool]:
    moved: pd.Series[bool] = changed[name] != changed[f"was_{name}"]
    return moved


def _heading(name: str) -> str:
    return name.removesuffix("_minor").replace("_", " ")


def _cell(row: Row, name: str) -> str:
    if name == "columns":
        return "\n".join(_move(row, column) for column in row[name])
    value = row[name]
    if value is None:
        return "–"
    if name.endswith("_minor"):
        return _amount(row, name)
    return clock_time(value) if isinstance(value, datetime) else str(value)


def _move(row: Row, column: str) -> str:
    """A personal column has no values here."""
    if column not in row:
        return f"{_heading(column)} (personal)"
    return f"{_heading(column)}: {_cell(row, f'was_{column}')} → {_cell(row, column)}"


def _amount(row: Row, name: str) -> str:
    """With its own currency, such as `freight_currency`, or the row's; without one there is no amount."""
    was, stem = re.findall("^(was_)?(.*)_minor$", name)[0]
    currency = row.get(f"{was}{stem}_currency", row.get(f"{was}currency"))
    return str(Money(row[name], currency)) if currency else "–"
