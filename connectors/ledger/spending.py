"""What is spent or may be, and whether the limits have room for more.

An order whose create or pay may have happened counts: with what was paid for it, or
else with the most that may still be paid. A cancelled order without any begun payment
counts no more. Refunds free the budget of the batch, which limits what the goods cost,
never the limit of the day, which limits how much money leaves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from connectors.ledger.engine import one_of
from connectors.ledger.records import Intent, SpendLimits
from connectors.ledger.schema import (
    BEGINS_TO_SPEND,
    STATUS_OF_THESE,
    changes,
    effects,
    minor_sum,
    orders,
)
from domain.decisions import Verdict
from domain.effects import Action, EffectStatus
from domain.holds import BudgetLimits, over_budget
from domain.money import Money
from domain.states import OrderState

KEPT, PRUNE_EVERY = 256, 64
"""How many commits are kept; one in so many deletes the older ones. A reader that is
further behind learns no names.
"""
MOST_NAMED = 500
"""A commit that changes more orders names none."""


class SeenUntil(NamedTuple):
    """What was committed at a reading: the database's snapshot, and the reader's `own`
    transaction.

    Every transaction with a number below `least` had ended.
    """

    seen: str = "1:1:"
    own: int = 0
    least: int = 1


def record_change(connection: Connection, order_refs: Collection[str] | None) -> None:
    """Record in this transaction which orders it may change; None: any."""
    dialect = connection.dialect.name
    named = (
        None
        if order_refs is None or len(order_refs) > MOST_NAMED
        else sorted(order_refs)
    )
    number = connection.execute(_recording(dialect), {"order_refs": named}).scalar_one()
    if number % PRUNE_EVERY == 0:
        oldest, prune = _pruning(dialect)
        if (kept_from := connection.execute(oldest).scalar()) is not None:
            connection.execute(prune, {"kept_from": kept_from, "own": number})
            connection.execute(_PRUNED, {"kept_from": kept_from, "own": number})


def changes_since(
    connection: Connection, last: SeenUntil
) -> tuple[SeenUntil, set[str] | None]:
    """What is committed now, and which orders changed since `last`; None when that is
    not known.
    """
    rows = connection.execute(_reading(connection.dialect.name), last._asdict()).all()
    now = SeenUntil(
        seen=rows[0].now, own=rows[0].own, least=int(rows[0].now.partition(":")[0])
    )
    news = [row for row in rows if row.number is not None]
    if any(row.order_refs is None or (row.pruned or 0) > last.least for row in news):
        return now, None
    return now, {order_ref for row in news for order_ref in row.order_refs}


_PRUNED = (
    update(changes)
    .where(changes.c.number == bindparam("own"))
    .values(pruned=bindparam("kept_from"))
)
_UNSEEN = """
SELECT look.now, look.own, changes.number, changes.order_refs, changes.pruned
FROM (SELECT {now} AS now, {own} AS own) AS look LEFT JOIN changes ON changes.number >= :least AND {unseen}
"""
_UNSEEN_BY_DIALECT = {
    "postgresql": _UNSEEN.format(
        now="CAST(pg_current_snapshot() AS text)",
        own="COALESCE(CAST(CAST(pg_current_xact_id_if_assigned() AS text) AS bigint), 0)",
        # a snapshot takes the transaction that takes it for one that has ended
        unseen="(changes.number = :own OR NOT pg_visible_in_snapshot("
        "CAST(CAST(changes.number AS text) AS xid8), CAST(:seen AS pg_snapshot)))",
    ),
    "sqlite": _UNSEEN.format(
        now="(SELECT CAST(COALESCE(MAX(number), 0) AS text) FROM changes)",  # the last may be this transaction's own
        own="0",
        unseen=":own = 0 AND :seen <> ''",
    ),
}
_NUMBERS = {
    "postgresql": "CAST(CAST(pg_current_xact_id() AS text) AS bigint)",
    "sqlite": "(SELECT COALESCE(MAX(number), 0) + 1 FROM changes)",
}
_TO_COME = {
    "postgresql": "CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)",
    "sqlite": "(SELECT MAX(number) + 1 FROM changes)",
}


@cache
def _reading(dialect: str) -> Executable:
    return text(_UNSEEN_BY_DIALECT[dialect]).columns(order_refs=JSON)


@cache
def _recording(dialect: str) -> Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    values: dict[str, Any] = {"order_refs": bindparam("order_refs"), "pruned": null()}
    row = insert(changes).values(number=literal_column(_NUMBERS[dialect]), **values)
    # a database restored into another server brings the old server's numbers, also such
    # as are still to come here
    return row.on_conflict_do_update(index_elements=["number"], set_=values).returning(
        changes.c.number
    )


@cache
def _pruning(dialect: str) -> tuple[Executable, Executable]:
    """Two statements: read the oldest number that is kept, and delete those below
    it.
    """
    to_come = literal_column(_TO_COME[dialect], BigInteger)
    newest_first = (
        select(changes.c.number)
        .where(changes.c.number < to_come)
        .order_by(changes.c.number.desc())
    )
    past = or_(changes.c.number < bindparam("kept_from"), changes.c.number >= to_come)
    others = changes.c.number != bindparam("own")
    free = (
        select(changes.c.number).where(past, others).with_for_update(skip_locked=True)
    )
    return newest_first.offset(KEPT).limit(1), delete(changes).where(
        changes.c.number.in_(free)
    )


SPENDING_LOCK = 7_307_422
_LET_IN = select(func.pg_advisory_xact_lock(SPENDING_LOCK))
# An effect in doubt counts, or its amount would be spent twice.
COUNTS_AS_SPENT = (EffectStatus.SENDING, EffectStatus.UNKNOWN, EffectStatus.DONE)
BEGUN = select(effects.c.order_ref).where(
    one_of(effects.c.order_ref, "refs"), STATUS_OF_THESE.in_(COUNTS_AS_SPENT)
)
"""Those of some orders (`refs`) of which something may have happened."""


def without_room(
    connection: Connection,
    intents: Sequence[Intent],
    limits: SpendLimits,
    *,
    now: datetime,
    totals: CommittedTotals,
    standing: Mapping[str, Any],
) -> dict[str, Verdict]:
    """Why some of these orders may not be created or paid, by `order_ref`. `standing`
    has their rows.

    Claims with a limit run one at a time, each until it commits. An order that the day
    has counted already, such as one paid on the day of its creation, is not counted
    again.
    """
    if limits.batch is None and limits.day is None:
        return {}  # a run with a limit counts this claim as one after its own
    day_start = limits.day_start(now)
    batch_id, since = (
        None if limits.batch is None else limits.batch_id,
        None if limits.day is None else day_start,
    )
    if connection.dialect.name == "postgresql":
        if not totals.follows(batch_id=batch_id, since=since):
            totals.sums(
                connection, batch_id=batch_id, since=since
            )  # before other claims wait for it
        connection.execute(_LET_IN)
    refs = [intent.order_ref for intent in intents]
    batch, day, begun = totals.sums(
        connection, batch_id=batch_id, since=since, also=refs
    )
    taken = BudgetLimits(
        batch=limits.batch,
        day=limits.day,
        batch_spent=Money(batch),
        day_spent=Money(day),
    )
    counted = {order_ref for order_ref, row in begun.items() if row.last >= day_start}
    uncounted = [
        intent.order_ref for intent in intents if intent.order_ref not in counted
    ]
    return over_budget(
        [(ref, Money(standing[ref].payable)) for ref in uncounted], taken
    )


def batch_total(connection: Connection, batch_id: str) -> int:
    """Fen that the orders of a batch cost or may cost, less refunds."""
    return connection.execute(_BATCH_TOTAL, {"batch": batch_id}).scalar_one()


def day_total(connection: Connection, since: datetime) -> int:
    """Fen that left or may leave for orders whose create or pay was begun since
    then.
    """
    return connection.execute(_DAY_TOTAL, {"since": since}).scalar_one()


def _live(of: Any) -> ColumnElement[bool]:
    return and_(
        of.c.action.in_(BEGINS_TO_SPEND), of.c.status.concat("").in_(COUNTS_AS_SPENT)
    )


def _each(which: ColumnElement[bool]) -> Select[Any]:
    """What each of these orders costs or may cost, its outlay, and when its create or
    pay was last begun.

    Grouped: a lookup for each order misleads PostgreSQL's planner in a table that grows
    faster than its statistics.
    """
    paying = effects.c.action == Action.PAY
    begun = (
        select(
            effects.c.order_ref,
            func.max(effects.c.intent_at).label("last"),
            # What the last reading before the payment showed: the answer after it may
            # show total and payment as less.
            func.coalesce(func.max(case((paying, effects.c.amount_minor))), 0).label(
                "for_minor"
            ),
            func.max(case((paying, 1), else_=0)).label("payments"),
        )
        .where(_live(effects), which)
        .group_by(effects.c.order_ref)
        .subquery("begun")
    )
    # A payment that is shown as less than the order's total, or as nothing, opens no
    # budget.
    shown = case(
        (orders.c.total_minor > orders.c.paid_minor, orders.c.total_minor),
        else_=orders.c.paid_minor,
    )
    outlay = case(
        (
            orders.c.paid_minor.is_not(None),
            case((begun.c.for_minor > shown, begun.c.for_minor), else_=shown),
        ),
        (and_(orders.c.state == OrderState.CANCELLED, begun.c.payments == 0), 0),
        else_=PAYABLE,
    )
    back = func.coalesce(orders.c.refunded_minor, 0)
    cost = case((back < outlay, outlay - back), else_=0)
    amounts = (outlay.label("outlay"), cost.label("cost"))
    joined = orders.join(begun, begun.c.order_ref == orders.c.order_ref)
    return select(
        orders.c.order_ref, orders.c.batch_id, begun.c.last, *amounts
    ).select_from(joined)


def _sum(each: Select[Any], amount: str) -> Select[int]:
    summed = each.subquery("spent")
    return select(minor_sum(summed.c[amount]))


_since = effects.alias("since")
PAYABLE = func.coalesce(orders.c.payable_minor, orders.c.approved_minor, 0).label(
    "payable"
)
OF_THESE = _each(one_of(effects.c.order_ref, "refs"))
OF_BATCH = _each(
    effects.c.order_ref.in_(
        select(orders.c.order_ref).where(orders.c.batch_id == bindparam("batch"))
    )
).where(orders.c.batch_id == bindparam("batch"))
OF_DAY = _each(
    effects.c.order_ref.in_(
        select(_since.c.order_ref).where(
            _live(_since), _since.c.intent_at >= bindparam("since")
        )
    )
)
_BATCH_TOTAL = _sum(OF_BATCH, "cost")
_DAY_TOTAL = _sum(OF_DAY, "outlay")


@dataclass(slots=True)
class _Sum:
    """A sum that is updated by its changes: amounts by order."""

    counts: Callable[[Any], int]
    amounts: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def put(self, order_ref: str, row: Any) -> None:
        amount = 0 if row is None else self.counts(row)
        self.total += amount - self.amounts.pop(order_ref, 0)
        if amount:
            self.amounts[order_ref] = amount


class CommittedTotals:
    """A run's totals of what is spent: summed up once, then updated by the orders that
    changed.

    Read within a claim's transaction they are exact: the commit of every process
    records which orders it may have changed, and those are read anew.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[object, _Sum]] = {}
        self._last: SeenUntil | None = None
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Sum up anew at the next reading: what the last one saw may have been rolled
        back.
        """
        with self._lock:
            self._last = None

    def sums(
        self,
        connection: Connection,
        *,
        batch_id: str | None,
        since: datetime | None,
        also: Collection[str] = (),
    ) -> tuple[int, int, dict[str, Any]]:
        """See `batch_total` and `day_total`, 0 for None; and the counted amounts of the
        orders in `also`.
        """
        with self._lock:
            last, self._last = self._last, None  # unless all of this succeeds
            now, changed = changes_since(connection, last or SeenUntil())
            if last is None or changed is None:
                self._sums.clear()
            begun = self._follow(
                connection, changed if changed and self._sums else set(), also
            )
            batch = self._sum(
                connection,
                "batch",
                batch_id,
                OF_BATCH,
                lambda row: _cost_in(row, batch_id),
            )
            day = self._sum(
                connection,
                "since",
                since,
                OF_DAY,
                lambda row: _outlay_since(row, since),
            )
            self._last = now
        return batch, day, begun

    def follows(self, *, batch_id: str | None, since: datetime | None) -> bool:
        """Whether these totals are summed up already."""
        wanted = {"batch": batch_id, "since": since}.items()
        with self._lock:
            return self._last is not None and all(
                which is None or (name in self._sums and self._sums[name][0] == which)
                for name, which in wanted
            )

    def _follow(
        self, connection: Connection, changed: set[str], also: Collection[str]
    ) -> dict[str, Any]:
        refs = changed.union(also)
        found = (
            {row.order_ref: row for row in connection.execute(OF_THESE, {"refs": refs})}
            if refs
            else {}
        )
        for _, kept in self._sums.values():
            for order_ref in changed:
                kept.put(order_ref, found.get(order_ref))
        return {order_ref: found[order_ref] for order_ref in also if order_ref in found}

    def _sum(
        self,
        connection: Connection,
        name: str,
        which: object,
        all_of_it: Select[Any],
        counts: Callable[[Any], int],
    ) -> int:
        if which is None:
            return 0
        of, kept = self._sums.get(name, (None, _Sum(counts)))
        if of != which:
            kept = _Sum(counts)
            for row in connection.execute(all_of_it, {name: which}):
                kept.put(row.order_ref, row)
            self._sums[name] = which, kept
        return kept.total


def _cost_in(row: Any, batch_id: str | None) -> int:
    return int(row.cost) if row.batch_id == batch_id else 0


def _outlay_since(row: Any, day_start: datetime | None) -> int:
    return int(row.outlay) if day_start is not None and row.last >= day_start else 0
