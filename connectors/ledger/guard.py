"""Guards a run against a ledger that was deleted, replaced or dropped under it, with a
journal of what it did.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    String,
    bindparam,
    event,
    literal_column,
    select,
)
from sqlalchemy.exc import DBAPIError

from connectors.durable import sync
from connectors.ledger.engine import LedgerUnusable, shown, sqlite_file
from connectors.ledger.marks import RESTORED, require_settled
from connectors.ledger.records import EffectRecord, Outcome
from connectors.ledger.schema import effects, marks, switches
from domain.effects import Action, EffectStatus
from domain.money import Money

MOST_ORDERS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class _Entry:
    action: Action
    amount: Money | None
    status: EffectStatus = EffectStatus.SENDING
    id: str = ""

    @property
    def words(self) -> str:
        if self.status is not EffectStatus.DONE:
            return f"{self.action} without an answer that settles it"
        if self.action is Action.PAY:
            return f"paid {self.amount}" if self.amount else "paid"
        done = {Action.CREATE: "ordered", Action.BOOK: "booked"}.get(
            self.action, f"{self.action} done"
        )
        return f"{done} as {self.id}" if self.id else done


@dataclass(slots=True)
class RunJournal:
    """The effects that a run has claimed, with their outcomes; of orders beyond the
    first ones their references.
    """

    last_key: str = ""
    _first: dict[str, dict[str, _Entry]] = field(default_factory=dict)
    _further: set[str] = field(default_factory=set)

    def began(self, records: Iterable[EffectRecord]) -> None:
        for record in records:
            if record.order_ref in self._first or len(self._first) < MOST_ORDERS_SHOWN:
                entries = self._first.setdefault(record.order_ref, {})
                entries[record.key] = _Entry(record.action, record.amount)
            else:
                self._further.add(record.order_ref)
            self.last_key = record.key

    def ended(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            entries = self._first.get(outcome.claim.order_ref, {})
            key = outcome.claim.key
            if outcome.status in (EffectStatus.UNSENT, EffectStatus.REFUSED):
                if entries.pop(key, None) and not entries:
                    del self._first[outcome.claim.order_ref]
            elif (entry := entries.get(key)) is not None:
                filled = outcome.change.writes.columns if outcome.change else {}
                paid = filled.get("paid_minor")
                entries[key] = replace(
                    entry,
                    status=outcome.status,
                    id=str(
                        filled.get("order_id") or filled.get("shipment_order_id") or ""
                    ),
                    amount=entry.amount if paid is None else Money(paid),
                )

    def summary(self) -> str:
        """Every order with an effect that happened or may have, in words for a person;
        of further ones their number.
        """
        if not (self._first or self._further):
            return "This run had sent nothing."
        lines = [
            f"  {ref}: {', '.join(entry.words for entry in entries.values())}"
            for ref, entries in self._first.items()
        ]
        further_count = len(self._further - self._first.keys())
        beyond = f"  and {further_count:,} orders more, of which some may have been refused or never sent"
        return "\n".join(
            ["This run had sent:", *lines, *([beyond] if further_count else [])]
        )


BESIDE = ("-wal", "-shm")
GONE = ("does not exist", "no such table")
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
        self.journal = RunJournal()
        self._url = url
        self._engine = engine
        self._file = sqlite_file(str(engine.url))
        self._watched: dict[Path, FileId] = {}
        self._tables: str | None = None
        self._statement = (
            _STATEMENT if engine.dialect.name == "sqlite" else _with_tables()
        )
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
        file_stat: dict[str, list[Any]] = {
            name: [] for name in ("mark", "claim", "tables", "off")
        }
        for row in connection.execute(
            self._statement, {"last": self.journal.last_key, "now": now}
        ):
            file_stat[row.what].append(row)
        if file_stat["mark"]:
            require_settled(connection, self._shown, now)
        if self.journal.last_key and not file_stat["claim"]:
            raise self._gone(
                f"no longer has what this run wrote into it ({self.journal.last_key}): it was replaced"
            )
        for row in file_stat["tables"]:
            if self._tables not in (None, row.name):
                raise self._gone("was dropped and made anew")
            self._tables = row.name
        return {row.name: row.words for row in file_stat["off"]}

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


def explain_replaced(
    replaced: LedgerReplaced, journal: RunJournal, rescued: Path | None
) -> str:
    """The message for a person: what happened, what this run had done, and how to go
    on.
    """
    if rescued:
        remedy = (
            f"Everything that the ledger knew is kept in {rescued}. Unless the old ledger can be put back as it was: "
            f"sourcing ledger restore {rescued}"
        )
    else:
        remedy = "Put the ledger back as it was, or the newest backup (docs/ledger.md): sourcing ledger restore FILE"
    return (
        f"{replaced}. Nothing more is sent. {journal.summary()}\n{remedy}. Then sourcing reconcile shows what the service "
        "has and the ledger does not; sourcing confirm lets a restored ledger buy again."
    )


def _file_id(path: Path) -> FileId | None:
    with suppress(OSError):
        file_stat = path.stat()
        return file_stat.st_dev, file_stat.st_ino
    return None


def _beside(file: Path) -> list[FileId | None]:
    return [_file_id(file.with_name(file.name + suffix)) for suffix in BESIDE]


def _row(what: str, name: Any, words: Any = None) -> Select[Any]:
    empty = literal_column("''", String)
    return select(
        literal_column(f"'{what}'", String).label("what"),
        name.label("name"),
        (empty if words is None else words).label("words"),
    )


def _parts() -> Iterable[Select[Any]]:
    yield _row("mark", marks.c.name).where(marks.c.ended_at.is_(None))
    since = bindparam("now", type_=marks.c.ended_at.type)
    yield _row("mark", marks.c.name).where(
        marks.c.name == RESTORED, marks.c.ended_at > since
    )
    yield _row("off", switches.c.name, switches.c.why).where(
        switches.c.ended_at.is_(None)
    )
    yield _row("claim", effects.c.key).where(effects.c.key == bindparam("last"))


def _union(*parts: Select[Any]) -> Any:
    first, *other_selects = parts
    return first.union_all(*other_selects)


_STATEMENT = _union(*_parts())


@cache
def _with_tables() -> Any:
    """The statement for PostgreSQL, with the oid of `effects`: a table made after a
    drop has another one.
    """
    return _union(
        *_parts(),
        _row(
            "tables",
            literal_column("CAST(CAST('effects' AS regclass) AS oid)::text", String),
        ),
    )
