"""`sourcing diff`: the changes of a table, sorted by what they mean to a merchant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.failures import BadUsage, Json
from cli.lazily import lazily
from domain.money import Money
from domain.wording import counted

with lazily():
    from cli import terminal
    from connectors import snapshots
    from connectors.snapshots import reader, rows

if TYPE_CHECKING:
    import pandas as pd

    from connectors.snapshots.tables import Table


Row = Mapping[str, Any]
CONTEXT = (
    "state",
    "status",
    "kind",
    "item_id",
    "title",
    "reason",
    "quantity",
    "price_minor",
    "paid_minor",
    "stock",
)
MOST_CONTEXT = 5
REPLACED = (
    "Of snapshots that were replaced meanwhile: what they said before is not kept"
)


@dataclass(frozen=True, slots=True)
class DiffSection:
    """Some of the changes under one heading: which rows, and what to show of each."""

    table: Table
    heading: str
    rows: pd.DataFrame
    columns: Sequence[str]

    def show(self) -> None:
        """Show a table of the first rows, and how many more there are; nothing where
        there is none.
        """
        if not len(self.rows):
            return
        shown = terminal.table_of(
            map(_heading, self.columns),
            (),
            title=f"{self.heading} ({len(self.rows):,})",
        )
        for row in rows.records(self.rows.head(terminal.MOST_SHOWN)):
            shown.add_row(*(_cell(self.table, row, name) for name in self.columns))
        terminal.console.print(shown)
        terminal.show_more(len(self.rows), "--json")


def sections(table: Table, changes: pd.DataFrame) -> Iterator[DiffSection]:
    """Every change is in one section at least; `changes` is as `Snapshots.changes`
    gives it.
    """
    key = table.key
    context = [name for name in CONTEXT if name in changes and name not in key][
        :MOST_CONTEXT
    ]
    changed = changes[changes["change"] == "changed"]
    section = partial(DiffSection, table)
    has_states = (
        "state" in table.columns and "country" not in table.columns
    )  # of a receiver it is the address's
    yield section("New", changes[changes["change"] == "new"], [*key, *context])
    if table.name == "offers":
        yield from _of_offers(section, key, changed)
    elif has_states:
        more = [name for name in ("reason",) if name in changes]
        yield section(
            "States moved",
            changed[_moved(changed, "state")],
            [*key, "was_state", "state", *more],
        )
    told = (
        {"price_minor", "stock", "active"}
        if table.name == "offers"
        else {"state"}
        if has_states
        else set()
    )
    other = (
        changed["columns"]
        .map(lambda columns: not told.issuperset(columns))
        .astype("bool")
    )
    yield section(
        "Other changes" if told else "Changed", changed[other], [*key, "columns"]
    )
    yield section(REPLACED, changes[changes["change"] == "rewritten"], [*key, *context])


def _of_offers(
    section: Callable[..., DiffSection], key: Sequence[str], changed: pd.DataFrame
) -> Iterator[DiffSection]:
    named = [*key, "title"]
    here = changed["active"] & (changed["stock"] > 0)
    was = changed["was_active"] & (changed["was_stock"] > 0)
    stock = [*named, "was_stock", "stock"]
    yield section(
        "Price moves",
        changed[_moved(changed, "price_minor")],
        [*named, "was_price_minor", "price_minor"],
    )
    yield section(
        "Gone: sold out or off sale", changed[was & ~here], [*stock, "active"]
    )
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
    return terminal.clock_time(value) if isinstance(value, datetime) else str(value)


def _move(table: Table, row: Row, column: str) -> str:
    """A personal column has no values here."""
    if column not in row:
        return f"{_heading(column)} (personal)"
    return f"{_heading(column)}: {_cell(table, row, f'was_{column}')} → {_cell(table, row, column)}"


def diff(
    table: Annotated[
        str, typer.Argument(help="A table of the snapshots, such as offers or orders.")
    ],
    *,
    since: Annotated[
        str,
        typer.Option(
            metavar="WHEN",
            help="A time such as 06:00, 2026-11-26 or '2026-11-26 06:00', 12h, 7d, or a snapshot.",
        ),
    ] = "1d",
    until: Annotated[
        str, typer.Option(metavar="WHEN", help="The same; without it now.")
    ] = "",
    json: Json = False,
) -> None:
    """What changed in a table: new offers, prices, stock gone and back, states of
    orders.
    """
    from connectors.snapshots.tables import TABLES

    if table not in TABLES:
        raise BadUsage(f"there is no table {table}; there are {', '.join(TABLES)}")
    now, zone = datetime.now(UTC), terminal.zone()
    begin, end = (
        reader.moment_of(since, now, zone),
        reader.moment_of(until, now, zone) if until else now,
    )
    personal = {
        name for name, column in TABLES[table].columns.items() if column.personal
    }
    changes = snapshots.Snapshots().changes(table, begin, end)
    changes = changes[
        [name for name in changes if str(name).removeprefix("was_") not in personal]
    ]
    if json:
        terminal.print_json(document(table, begin, end, changes))
        return
    counts = counted(changes["change"]) or "nothing changed"
    span = f"from {_columns_shown(begin)} to {_columns_shown(end)} ({zone})"
    terminal.console.print(f"{table}, {span}: {counts}", soft_wrap=True)
    for section in sections(TABLES[table], changes):
        section.show()


def document(
    table: str, since: datetime | str, until: datetime | str, changes: pd.DataFrame
) -> dict[str, object]:
    """For programs: times in ISO 8601 and UTC; of each change its key, the row now, and
    the values before.
    """
    from connectors.snapshots.tables import TABLES

    key = TABLES[table].key
    facts = [
        name
        for name in TABLES[table].columns
        if name in changes and name not in (*key, "snapshot_id", "snapshot_at")
    ]
    return {
        "table": table,
        "since": _plain(since),
        "until": _plain(until),
        "counts": {
            str(kind): int(count)
            for kind, count in changes["change"].value_counts().items()
        },
        "changes": [
            {
                "change": row["change"],
                "key": {name: row[name] for name in key},
                "columns": row["columns"],
                "now": {name: _plain(row[name]) for name in facts},
                "was": {
                    name: _plain(row[f"was_{name}"])
                    for name in row["columns"]
                    if name in facts
                },
                "snapshot_id": row["snapshot_id"],
            }
            for row in rows.records(changes)
        ],
    }


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _columns_shown(moment: datetime | str) -> str:
    return (
        terminal.clock_time(moment)
        if isinstance(moment, datetime)
        else f"snapshot {moment}"
    )
