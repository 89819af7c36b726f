"""What is spent or may be, and whether there is room for more.

An order whose create or pay may have happened counts: with what was paid for it, or else with the most that may still
be. One that was cancelled, with no payment that was ever begun, counts no more. What came back frees its batch, whose
budget says what the goods may cost, and never its day, whose limit says how much may leave in one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Select, and_, bindparam, case, func, select
from sqlalchemy.dialects import postgresql, sqlite

from connectors.ledger.many import one_of
from connectors.ledger.records import Intent, SpendLimits
from connectors.ledger.schema import effects, orders, writers
from domain.budget import Limits, over_budget
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.states import OrderState

SPENDING_LOCK = 7_307_422
# What may have left counts while nobody knows: an effect in doubt that counted for nothing would be spent twice.
COUNTS_AS_SPENT = (EffectStatus.SENDING, EffectStatus.UNKNOWN, EffectStatus.DONE)


def without_room(
    connection: Connection, intents: Sequence[Intent], limits: SpendLimits, now: datetime, spent: Spent
) -> dict[str, str]:
    """Why some of these orders may not be created or paid, by `order_ref`.

    Runs are let in one by one, each until it commits. An order that the day has counted already, as one that is paid
    on the day of its creation, is not counted again.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(SPENDING_LOCK)))
    day_start = limits.day_start(now)
    batch = None if limits.batch is None else spent.in_batch(connection, limits.batch_id)
    day = None if limits.day is None else spent.since(connection, day_start)
    taken = Limits(batch=limits.batch, day=limits.day, batch_spent=Money(batch or 0), day_spent=Money(day or 0))
    refs = [intent.order_ref for intent in intents]
    most = dict(connection.execute(_MOST, {"refs": refs}).all())
    counted = {row.order_ref for row in connection.execute(OF_THESE, {"refs": refs}) if row.last >= day_start}
    return over_budget([(ref, Money(most[ref])) for ref in refs if ref not in counted], taken)


def batch_total(connection: Connection, batch_id: str) -> int:
    """Fen that the orders of a batch cost or may cost."""
    return int(connection.execute(_BATCH_TOTAL, {"batch": batch_id}).scalar_one())


def day_total(connection: Connection, since: datetime) -> int:
    """Fen that left or may leave for orders whose create or pay was begun since then."""
    return int(connection.execute(_DAY_TOTAL, {"since": since}).scalar_one())


def _live(of: Any) -> ColumnElement[bool]:
    return and_(of.c.action.in_((Action.CREATE, Action.PAY)), of.c.status.concat("").in_(COUNTS_AS_SPENT))


def _each(which: ColumnElement[bool]) -> Select[Any]:
    """What each of these orders costs or may, its outlay, and when its create or pay was last begun.

    Grouped: looked up for each order, it leads PostgreSQL astray in a table that grows faster than its statistics.
    """
    paying = effects.c.action == Action.PAY
    begun = (
        select(
            effects.c.order_ref,
            func.max(effects.c.intent_at).label("last"),
            # What the last look before the payment showed: the answer after it may tell total and payment as less.
            func.coalesce(func.max(case((paying, effects.c.amount_minor))), 0).label("for_minor"),
            func.max(case((paying, 1), else_=0)).label("payments"),
        )
        .where(_live(effects), which)
        .group_by(effects.c.order_ref)
        .subquery("begun")
    )
    # A payment that is shown as less than the order's total, or as nothing, opens no budget.
    shown = case((orders.c.total_minor > orders.c.paid_minor, orders.c.total_minor), else_=orders.c.paid_minor)
    outlay = case(
        (orders.c.paid_minor.is_not(None), case((begun.c.for_minor > shown, begun.c.for_minor), else_=shown)),
        (and_(orders.c.state == OrderState.CANCELLED, begun.c.payments == 0), 0),
        else_=_PAYABLE,
    )
    back = func.coalesce(orders.c.refunded_minor, 0)
    cost = case((back < outlay, outlay - back), else_=0)
    amounts = (outlay.label("outlay"), cost.label("cost"))
    joined = orders.join(begun, begun.c.order_ref == orders.c.order_ref)
    return select(orders.c.order_ref, orders.c.batch_id, begun.c.last, *amounts).select_from(joined)


def _sum(each: Select[Any], amount: str) -> Select[Any]:
    summed = each.subquery("spent")
    return select(func.coalesce(func.sum(summed.c[amount]), 0))


_since = effects.alias("since")
_PAYABLE = func.coalesce(orders.c.payable_minor, orders.c.approved_minor, 0)
OF_THESE = _each(one_of(effects.c.order_ref, "refs"))
OF_BATCH = _each(
    effects.c.order_ref.in_(select(orders.c.order_ref).where(orders.c.batch_id == bindparam("batch")))
).where(orders.c.batch_id == bindparam("batch"))
OF_DAY = _each(
    effects.c.order_ref.in_(select(_since.c.order_ref).where(_live(_since), _since.c.intent_at >= bindparam("since")))
)
_BATCH_TOTAL = _sum(OF_BATCH, "cost")
_DAY_TOTAL = _sum(OF_DAY, "outlay")
_MOST = select(orders.c.order_ref, _PAYABLE).where(one_of(orders.c.order_ref, "refs"))


@dataclass(slots=True)
class _Sum:
    """A sum that is kept by what changes in it: amounts by order."""

    counts: Callable[[Any], int]
    amounts: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def put(self, order_ref: str, row: Any) -> None:
        amount = 0 if row is None else self.counts(row)
        self.total += amount - self.amounts.pop(order_ref, 0)
        if amount:
            self.amounts[order_ref] = amount


class Spent:
    """What a run knows of what is spent: summed up once, then followed by the orders that changed.

    Asked within a claim's transaction, it is what the ledger says in that moment. Of this run's own commits it is told
    by `begin` and `end`, of everybody else's by the ledger, which counts them by `writer`; after one of those it sums
    up anew.
    """

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._sums: dict[str, tuple[object, _Sum]] = {}
        self._changed: set[str] | None = None
        self._open: dict[int, Collection[str] | None] = {}
        self._others = -1
        self._lock = threading.Lock()

    def begin(self, order_refs: Collection[str] | None) -> None:
        """A transaction of this thread may change these orders; None says: any."""
        with self._lock:
            self._open[threading.get_ident()] = order_refs
            self._changed = _both(self._changed, order_refs)

    def end(self, order_refs: Collection[str] | None) -> None:
        """It has ended, and may have changed these."""
        with self._lock:
            self._open.pop(threading.get_ident(), None)
            self._changed = _both(self._changed, order_refs)

    def count(self, connection: Connection) -> None:
        """Let others know of what is committed now."""
        connection.execute(_counting(connection.dialect.name), {"name": self._writer})

    def in_batch(self, connection: Connection, batch_id: str) -> int:
        """See `batch_total`."""
        return self._total(connection, "batch", batch_id, OF_BATCH, lambda row: _cost_in(row, batch_id))

    def since(self, connection: Connection, day_start: datetime) -> int:
        """See `day_total`."""
        return self._total(connection, "since", day_start, OF_DAY, lambda row: _outlay_since(row, day_start))

    def _total(
        self, connection: Connection, name: str, which: object, all_of_it: Select[Any], counts: Callable[[Any], int]
    ) -> int:
        try:
            self._follow(connection)
            of, kept = self._sums.get(name, (None, _Sum(counts)))
            if of != which:
                kept = _Sum(counts)
                for row in connection.execute(all_of_it, {name: which}):
                    kept.put(row.order_ref, row)
                self._sums[name] = which, kept
        except BaseException:
            with self._lock:
                self._changed = None
            raise
        return kept.total

    def _under_way(self) -> set[str] | None:
        """What other threads' transactions may change: they may commit at any time, before they say so."""
        changing: set[str] | None = set()
        for thread, order_refs in self._open.items():
            changing = changing if thread == threading.get_ident() else _both(changing, order_refs)
        return changing

    def _follow(self, connection: Connection) -> None:
        others = int(connection.execute(_BY_OTHERS, {"name": self._writer}).scalar_one())
        with self._lock:
            changed, self._changed = self._changed, self._under_way()
        if changed is None or others != self._others:
            self._sums.clear()
        elif changed:
            rows = {row.order_ref: row for row in connection.execute(OF_THESE, {"refs": changed})}
            for _, kept in self._sums.values():
                for order_ref in changed:
                    kept.put(order_ref, rows.get(order_ref))
        self._others = others


def _both(some: set[str] | None, further: Collection[str] | None) -> set[str] | None:
    return None if some is None or further is None else some.union(further)


def _cost_in(row: Any, batch_id: str) -> int:
    return int(row.cost) if row.batch_id == batch_id else 0


def _outlay_since(row: Any, day_start: datetime) -> int:
    return int(row.outlay) if row.last >= day_start else 0


_BY_OTHERS = select(func.coalesce(func.sum(writers.c.commits), 0)).where(writers.c.name != bindparam("name"))


@cache
def _counting(dialect: str) -> Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(writers).values(name=bindparam("name"), commits=1)
    return statement.on_conflict_do_update(index_elements=["name"], set_={"commits": writers.c.commits + 1})
