"""All rows of one ledger into another: a move to another database, or a backup of PostgreSQL as a file."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import DatabaseError

from connectors.ledger.engine import LedgerUnusable, open_engine, shown, unusable
from connectors.ledger.marks import Mark, require_unmarked
from connectors.ledger.schema import effects, marks, metadata
from domain.effects import EffectStatus

ROWS_AT_ONCE = 500
NUMBERED = ("moves", "answers", "marks", "not_ours")


def move_ledger(url: str, to: str, *, now: datetime, by: str) -> dict[str, int]:
    """Copy a ledger into an empty database and keep the old one from ever buying again; answers the rows by table.

    Nobody writes meanwhile. Raises `LedgerUnusable`: then the old ledger is as it was.
    """
    source, target = open_engine(url), open_engine(to)
    try:
        with source.begin() as old:
            if old.dialect.name == "postgresql":
                old.execute(text("LOCK TABLE orders, effects, batches IN EXCLUSIVE MODE"))
            require_unmarked(old, shown(url))
            _require_quiet(old, now)
            with target.begin() as new:
                _require_empty(new, to)
                rows = copy_rows(old, new)
            words = f"was moved to {shown(to)} at {now:%Y-%m-%d %H:%M:%S} UTC"
            old.execute(insert(marks).values(name=Mark.MOVED, at=now, by=by, words=words))
    except DatabaseError as error:
        raise unusable(to, error) from error
    finally:
        source.dispose()
        target.dispose()
    return rows


def copy_rows(source: Connection, target: Connection) -> dict[str, int]:
    """Copy every row of every table; answers how many, by table."""
    copied = {}
    for table in metadata.sorted_tables:
        rows = source.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table)).mappings()
        copied[table.name] = 0
        for part in rows.partitions(ROWS_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in part])
            copied[table.name] += len(part)
        there = target.execute(select(func.count()).select_from(table)).scalar_one()
        if there != copied[table.name]:
            raise LedgerUnusable(f"of table {table.name} {copied[table.name]} rows were copied and {there} are there")
    if target.dialect.name == "postgresql":
        for name in NUMBERED:
            target.execute(
                text(f"SELECT setval('{name}_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM {name}), false)")
            )
    return copied


def _require_quiet(connection: Connection, now: datetime) -> None:
    held = connection.execute(
        select(effects.c.key, effects.c.lease_until)
        .where(effects.c.status == EffectStatus.SENDING, effects.c.lease_until > now)
        .order_by(effects.c.lease_until.desc())
    ).first()
    if held:
        raise LedgerUnusable(
            f"a run is at work ({held.key}, until {held.lease_until:%Y-%m-%d %H:%M:%S} UTC): wait for its end. "
            "Nothing was copied."
        )


def _require_empty(connection: Connection, url: str) -> None:
    for table in metadata.sorted_tables:
        if connection.execute(select(func.count()).select_from(table)).scalar_one():
            raise LedgerUnusable(f"the ledger {shown(url)} has rows in table {table.name}: give an empty database")
