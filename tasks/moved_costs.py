"""Which orders' costs may have moved since they were computed, so that a morning
computes these alone.

An order's cost is made of its rows, the rows of the orders in its parcels, and the
rates of its days. The mark of a computation has when it was and the rates that it had.
Without a mark of this currency all are computed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.compute import field

from connectors.durable import put
from connectors.ledger.engine import chunked
from connectors.snapshots import Snapshots
from connectors.snapshots.tables import LANDED_COSTS
from domain.landed import Books
from tasks.landed_cost import TABLES_OF_COSTS

RULES = 6
"""Raised with any change of how costs are computed: then all are computed anew."""
LATE = timedelta(days=1)
"""A slow writer dates its rows by when it read them, so they may come so long after
younger ones.
"""
A_DAY_ANYWHERE = timedelta(days=2)
AT_ONCE = 2_000
"""Orders whose rows are in memory at a time."""
PAIR = pa.schema([("order_ref", pa.string()), ("number", pa.string())])
BOOKED = ("orders", "shipments")
NUMBERS = ("order_ref", "tracking_numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class CostMark:
    """What the costs in the table were computed of. `newest` is the time of the table's
    newest row.
    """

    made_of: list[Any]
    rates: list[list[str]]
    seen: str
    newest: str

    @classmethod
    def of(cls, root: Path, books: Books, timezone: str, seen: datetime) -> Self:
        """The mark of a computation that read the tables at `seen` or later."""
        rates = [
            [one.base, one.into, str(one.rate), one.on.isoformat(), one.source]
            for one in books.rates
        ]
        made_of = [
            RULES,
            books.currency,
            timezone,
            books.rates.fault,
        ]
        return cls(
            made_of=made_of, rates=rates, seen=seen.isoformat(), newest=_newest(root)
        )

    def write(self, path: Path) -> None:
        put(path, json.dumps(asdict(self)).encode())

    def rates_since(self, now: CostMark) -> date | None:
        """The first day whose rates are others now; None where none is."""
        different = {tuple(rate) for rate in self.rates} ^ {
            tuple(rate) for rate in now.rates
        }
        return min((date.fromisoformat(rate[3]) for rate in different), default=None)


def read_mark(path: Path) -> CostMark | None:
    try:
        return CostMark(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _newest(root: Path) -> str:
    at = pc.max(
        Snapshots(root).arrow(LANDED_COSTS.name, columns=["snapshot_at"])["snapshot_at"]
    ).as_py()
    return at.isoformat() if at else ""


def moved_orders(root: Path, then: CostMark | None, now: CostMark) -> list[str] | None:
    """The orders to compute; None for all.

    A mark that is not of this table, as after a restore, or of a clock that was ahead,
    is none.
    """
    if (
        then is None
        or (then.made_of, then.newest) != (now.made_of, now.newest)
        or then.seen > now.seen
    ):
        return None
    snapshots = Snapshots(root)
    since = datetime.fromisoformat(then.seen) - LATE
    moved = {
        name: _refs(snapshots, name, field("snapshot_at") > since)
        for name in TABLES_OF_COSTS
    }
    paid = _refs(snapshots, "orders", field("paid_minor") > 0)
    moved["never"] = paid.filter(
        pc.invert(pc.is_in(paid, _refs(snapshots, LANDED_COSTS.name, None)))
    )
    if day := then.rates_since(now):
        moment = datetime.fromisoformat(f"{day}T00:00:00+00:00") - A_DAY_ANYWHERE
        of_days = (field("paid_at") >= moment) | (field("booked_at") >= moment)
        moved["rates"] = _refs(snapshots, "orders", of_days)
    refs = pa.chunked_array(list(moved.values())).unique()
    if not len(refs):
        return []
    ever = [
        pa.table(snapshots.history(name, NUMBERS, field("order_ref").isin(refs)))
        for name in BOOKED
    ]
    return sorted(_together(_pairs(snapshots, *ever), refs).to_pylist())


def in_parts(root: Path, refs: Sequence[str] | None) -> list[list[str]]:
    """These orders, None for all, in parts that fit in memory and have no parcel in
    common.
    """
    snapshots = Snapshots(root)
    if refs is None:
        found = [
            _refs(snapshots, name, None)
            for name in ("orders", "payments", LANDED_COSTS.name)
        ]
        refs = sorted(pa.chunked_array(found).unique().to_pylist())
    if len(refs) <= AT_ONCE:
        return [list(refs)]
    pairs, parts, done = _pairs(snapshots), list[list[str]](), set[str]()
    for some in chunked(refs, AT_ONCE):
        if left := [ref for ref in some if ref not in done]:
            parts.append(sorted(_together(pairs, pa.array(left)).to_pylist()))
            done.update(parts[-1])
    return parts


def _refs(snapshots: Snapshots, table: str, where: pc.Expression | None) -> pa.Array:
    return snapshots.arrow(table, columns=["order_ref"], where=where)[
        "order_ref"
    ].unique()


def _pairs(snapshots: Snapshots, *further: pa.Table) -> pa.Table:
    """Each order with each number of its parcels, as they are now and by further
    rows.
    """
    found = list[pa.Table]()
    for rows in (
        *further,
        *(snapshots.arrow(name, columns=NUMBERS) for name in BOOKED),
    ):
        for batch in rows.select(NUMBERS).to_batches():
            refs, numbers = batch.columns
            found.append(
                pa.table(
                    [
                        refs.take(pc.list_parent_indices(numbers)),
                        pc.list_flatten(numbers),
                    ],
                    PAIR,
                )
            )
    return pa.concat_tables(found) if found else PAIR.empty_table()


def _together(pairs: pa.Table, refs: pa.Array) -> pa.Array:
    """These orders and those that have a number in common with one, directly or through
    others.
    """
    while True:
        numbers = pairs.filter(pc.is_in(pairs["order_ref"], refs))["number"].unique()
        found = pairs.filter(pc.is_in(pairs["number"], numbers))["order_ref"].unique()
        together = pa.chunked_array([refs, found]).unique()
        if len(together) == len(refs):
            return refs
        refs = together
