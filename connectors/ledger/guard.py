"""Guards a run against a ledger that was deleted, replaced or dropped under it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import defaultdict
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    event,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from connectors.durable import sync
from connectors.ledger.engine import LedgerUnusable, reading, shown, sqlite_file
from connectors.ledger.marks import require_settled
from connectors.ledger.schema import effects, orders, switches
from connectors.ledger.spending import COUNTS_AS_SPENT
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.wording import first_lines

MOST_SHOWN = 50
BESIDE = ("-wal", "-shm")
GONE = ("does not exist", "no such table")
_SENT = (
    select(
        *(effects.c.order_ref, effects.c.action, effects.c.status),
        *(orders.c.order_id, orders.c.paid_minor),
    )
    .join(orders)
    .where(effects.c.sender == bindparam("run"), effects.c.status.in_(COUNTS_AS_SPENT))
    .order_by(effects.c.order_ref, effects.c.intent_at)
)
_CLAIMED = select(effects.c.key).where(effects.c.key == bindparam("last"))
_OFF = select(switches.c.name, switches.c.why).where(switches.c.ended_at.is_(None))
_TABLE_ID = text("SELECT CAST(CAST('effects' AS regclass) AS oid)")
"""A table made after a drop has another one."""
FileId = tuple[int, int]
"""Device and inode of a file."""


class LedgerReplaced(LedgerUnusable):
    """The ledger or the data folder was deleted or replaced under this run. Nothing
    more is sent.
    """


class LedgerGuard:
    """The files and rows that a run of one ledger relies on: no files for PostgreSQL,
    nothing in memory.
    """

    def __init__(self, url: str, engine: Engine) -> None:
        self.last_key = ""
        self._url = url
        self._engine = engine
        self._file = sqlite_file(str(engine.url))
        self._watched: dict[Path, FileId] = {}
        self._table_id: int | None = None
        if self._file:
            self._watch_file(self._file)

    def watch(self, *paths: Path) -> None:
        """Watch further paths: a run stops without them as well."""
        self._watched |= {path: _file_id(path) or (0, 0) for path in paths}

    def require_files(self) -> None:
        """Raise `LedgerReplaced` unless every path still has the file that was opened.
        Costs a `stat` each.
        """
        for path, file_id in self._watched.items():
            self._require(path, file_id)

    def require(self, connection: Connection, now: datetime) -> dict[str, str]:
        """What is turned off (all buying, or a marketplace) and why; called in the
        claim's transaction.

        Raises `LedgerReplaced`, or `LedgerUnusable` for a mark.
        """
        self.require_files()
        if self._file:
            self._require_same_files(connection)
        require_settled(connection, self._shown, now)
        if self.last_key and not connection.scalar(_CLAIMED, {"last": self.last_key}):
            raise self._gone(
                f"no longer has what this run wrote into it ({self.last_key}): it was replaced"
            )
        if connection.dialect.name == "postgresql":
            table_id = connection.scalar(_TABLE_ID)
            if self._table_id not in (None, table_id):
                raise self._gone("was dropped and made anew")
            self._table_id = table_id
        return {row.name: row.why for row in connection.execute(_OFF)}

    def rescue(self, now: datetime) -> Path | None:
        """Copy a file that lost its name, as far as this run still sees it, into a new
        one; None where it can't be.
        """
        if self._file is None:
            return None
        folder = (
            self._file.parent
            if self._file.parent.is_dir()
            else Path(tempfile.gettempdir())
        )
        target = folder / f"{self._file.stem}.rescued-{now:%Y%m%dT%H%M%SZ}.db"
        try:
            with (
                closing(self._engine.raw_connection()) as pooled,
                closing(sqlite3.connect(target)) as copy,
            ):
                driver: Any = pooled.driver_connection
                driver.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
            sync(target)
        except (LedgerReplaced, DBAPIError, OSError, sqlite3.Error):
            target.unlink(missing_ok=True)
            return None
        return target

    @property
    def _shown(self) -> str:
        return shown(self._url)

    def _watch_file(self, file: Path) -> None:
        self.watch(file)

        @event.listens_for(self._engine, "do_connect")
        def only_the_same(*_: object) -> None:
            self._require(file, self._watched[file])  # SQLite would make an empty file

        @event.listens_for(self._engine, "connect")
        def remember(_: Any, record: Any) -> None:
            record.info[BESIDE] = _beside(file)

        self._engine.dispose()  # so that every connection is a checked one

    def _require(self, path: Path, expected: FileId) -> None:
        if (file_id := _file_id(path)) != expected:
            raise self._gone(
                f"stood on {path}, which was {'replaced by another' if file_id else 'deleted or moved away'}"
            )

    def _require_same_files(self, connection: Connection) -> None:
        assert self._file
        for suffix, opened, file_id in zip(
            BESIDE, connection.info[BESIDE], _beside(self._file), strict=True
        ):
            if file_id != opened:
                raise self._gone(
                    f"has lost its {self._file.name}{suffix}, which was deleted or replaced"
                )

    def _gone(self, what: str) -> LedgerReplaced:
        return LedgerReplaced(
            f"the ledger {self._shown} {what} while this run was using it"
        )


def as_replaced(error: LedgerUnusable, url: str) -> LedgerReplaced | None:
    """An error that says that the database or its tables are gone, as `LedgerReplaced`;
    None for any other.
    """
    cause = str(getattr(error.__cause__, "orig", ""))
    if isinstance(error, LedgerReplaced):
        return error
    if any(sign in cause for sign in GONE):
        return LedgerReplaced(
            f"the ledger {shown(url)} was dropped while this run was using it ({cause.splitlines()[0]})"
        )
    return None


def explain_replaced(replaced: LedgerReplaced, run: str, rescued: Path | None) -> str:
    """The message for a person: what happened, what this run had done, and how to go
    on.
    """
    if rescued:
        sent = sent_by(run, rescued)
        remedy = (
            f"Everything that the ledger knew is kept in {rescued}. Unless the old ledger can be put back as it was: "
            f"sourcing ledger restore {rescued}"
        )
    else:
        sent = f"What this run had sent is noted in sends/{run}.log."
        remedy = "Put the ledger back as it was, or the newest backup (docs/ledger.md): sourcing ledger restore FILE"
    return (
        f"{replaced}. Nothing more is sent. {sent}\n{remedy}. Then sourcing reconcile shows what the service "
        "has and the ledger does not; sourcing confirm lets a restored ledger buy again."
    )


def sent_by(run: str, file: Path) -> str:
    """Every order with an effect of a run that happened or may have, in words for a
    person.
    """
    done_by_order = defaultdict[str, list[str]](list)
    with reading(f"sqlite:///{file}") as connection:
        for effect in connection.execute(_SENT, {"run": run}):
            done_by_order[effect.order_ref].append(_done(effect))
    if not done_by_order:
        return "This run had sent nothing."
    lines = [f"  {ref}: {', '.join(done)}" for ref, done in done_by_order.items()]
    shown = first_lines(lines, MOST_SHOWN, "  and {more} orders more")
    return "\n".join(["This run had sent:", *shown])


def _done(effect: Any) -> str:
    if effect.status != EffectStatus.DONE:
        return f"{effect.action} without an answer that settles it"
    if effect.action == Action.PAY:
        return f"paid {Money(effect.paid_minor or 0)}"
    if effect.action == Action.CREATE:
        return f"ordered as {effect.order_id}"
    return f"{effect.action} done"


def _file_id(path: Path) -> FileId | None:
    with suppress(OSError):
        file_stat = path.stat()
        return file_stat.st_dev, file_stat.st_ino
    return None


def _beside(file: Path) -> list[FileId | None]:
    return [_file_id(file.with_name(file.name + suffix)) for suffix in BESIDE]
