"""Which orders each commit may have changed, for other threads of a run and for other runs.

Transactions of PostgreSQL become visible in any order. So a commit has the number of its transaction there, and a
reader keeps its snapshot: a commit that is visible now and was not in that snapshot is new.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Executable,
    bindparam,
    delete,
    literal_column,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from connectors.ledger.schema import changes

KEPT, PRUNE_EVERY = 256, 64
"""How many commits are kept; one in so many deletes the older ones. A reader that is further behind learns no names."""
MOST_NAMED = 500
"""A commit that changes more orders names none."""


class SeenUntil(NamedTuple):
    """What was committed at a reading: the database's snapshot, and the reader's `own` transaction.

    Every transaction with a number below `least` had ended.
    """

    seen: str = "1:1:"
    own: int = 0
    least: int = 1


def record_change(connection: Connection, order_refs: Collection[str] | None) -> None:
    """Record in this transaction which orders it may change; None: any."""
    dialect = connection.dialect.name
    named = None if order_refs is None or len(order_refs) > MOST_NAMED else sorted(order_refs)
    number = connection.execute(_recording(dialect), {"order_refs": named}).scalar_one()
    if number % PRUNE_EVERY == 0:
        oldest, prune = _pruning(dialect)
        if (kept_from := connection.execute(oldest).scalar()) is not None:
            connection.execute(prune, {"kept_from": kept_from, "own": number})
            connection.execute(_PRUNED, {"kept_from": kept_from, "own": number})


def changes_since(connection: Connection, last: SeenUntil) -> tuple[SeenUntil, set[str] | None]:
    """What is committed now, and which orders changed since `last`; None when that is not known."""
    rows = connection.execute(_reading(connection.dialect.name), last._asdict()).all()
    now = SeenUntil(seen=rows[0].now, own=rows[0].own, least=int(rows[0].now.partition(":")[0]))
    news = [row for row in rows if row.number is not None]
    if any(row.order_refs is None or (row.pruned or 0) > last.least for row in news):
        return now, None
    return now, {order_ref for row in news for order_ref in row.order_refs}


_PRUNED = update(changes).where(changes.c.number == bindparam("own")).values(pruned=bindparam("kept_from"))
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
    # a database restored into another server brings the old server's numbers, also such as are still to come here
    return row.on_conflict_do_update(index_elements=["number"], set_=values).returning(changes.c.number)


@cache
def _pruning(dialect: str) -> tuple[Executable, Executable]:
    """Two statements: read the oldest number that is kept, and delete those below it."""
    to_come = literal_column(_TO_COME[dialect], BigInteger)
    newest_first = select(changes.c.number).where(changes.c.number < to_come).order_by(changes.c.number.desc())
    past = or_(changes.c.number < bindparam("kept_from"), changes.c.number >= to_come)
    others = changes.c.number != bindparam("own")
    free = select(changes.c.number).where(past, others).with_for_update(skip_locked=True)
    return newest_first.offset(KEPT).limit(1), delete(changes).where(changes.c.number.in_(free))
