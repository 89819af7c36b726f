"""The real ledger in memory, shared by all processes of an episode, with boundaries
around each transaction.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Engine

from connectors.ledger.engine import open_engine
from connectors.ledger.records import (
    BEFOREHAND,
    Claimed,
    EffectRecord,
    Intent,
    OrderChange,
    Outcome,
)
from connectors.ledger.schema import metadata
from connectors.ledger.store import Ledger
from connectors.ledger.switches import standing_pause
from domain.effects import SPENDING, Action, EffectStatus
from domain.holds import Pause
from domain.reasons import ReasonCode, read
from domain.states import OrderState
from tests.simulation.process import boundary

Tell = Callable[[str], None]
Row = SimpleNamespace
ORDER_COLUMNS = (
    "order_ref, batch_id, state, reason_code, reason_facts, plan_hash, approved_minor, order_id, paid_minor, "
    "shipment_order_id, COALESCE(payable_minor, approved_minor) AS payable_minor, freight_approved_minor, spent_at"
)
EFFECT_COLUMNS = "key, order_ref, action, status, fence, owner, sender, lease_until, intent_at, answer, doubtful_sends"
YES = ("approved", "freight_approved")
NO = (
    *(
        "not_approved",
        "waits_for_approval",
        "not_wanted",
        "wanted_back",
    ),
    *("nobody_to_ask", "above_approval_limit"),
)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def codes_of(told: object) -> Iterator[str]:
    """The codes of reasons in these facts."""
    if isinstance(told, list):
        yield from (code for item in told for code in codes_of(item))
    elif isinstance(told, dict):
        yield from [told["code"]] if {"code", "facts"} == {*told} else []
        yield from codes_of([*told.values()])


class SharedDatabase:
    """One migrated database, emptied for each episode. Its connection outlives every
    ledger on it.
    """

    def __init__(self) -> None:
        self.engine: Engine = open_engine("sqlite://")
        self.engine.dispose = lambda close=True: None  # type: ignore[method-assign]
        self.connection = self.engine.connect()
        self._empty = [
            f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)
        ]

    def empty(self) -> None:
        with self.connection.begin():
            for statement in self._empty:
                self.connection.exec_driver_sql(statement)

    def keep_copy(self) -> None:
        """As a backup would: what is committed by now."""
        self.copy = sqlite3.connect(":memory:", check_same_thread=False)
        self._file.backup(self.copy)

    def put_copy_back(self) -> None:
        self.connection.rollback()
        self.copy.backup(self._file)

    @property
    def _file(self) -> sqlite3.Connection:
        file = self.connection.connection.driver_connection
        assert isinstance(file, sqlite3.Connection)
        return file

    def rows(self, statement: str) -> list[Row]:
        """What whoever watches reads: plainly, since it is asked a hundred times an
        episode.
        """
        cursor = self.connection.connection.cursor()
        cursor.execute(statement)
        names = [column[0] for column in cursor.description]
        return [Row(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]

    def reason_codes(self) -> set[str]:
        """The codes of every reason that stands in the ledger: of orders, effects and
        moves, and within their facts.
        """
        notices = (
            f"SELECT reason_code AS code, reason_facts AS facts FROM {name}"
            for name in ("orders", "effects", "moves")
        )
        rows = self.rows(" UNION ".join(notices))
        codes = codes_of(
            [
                {"code": row.code, "facts": json.loads(row.facts or "{}")}
                for row in rows
                if row.code
            ]
        )
        unknown = ReasonCode.OF_ANOTHER_VERSION
        return {code if ReasonCode.of(code) else str(unknown) for code in codes}

    def refused_and_allowed(self) -> set[str]:
        """Orders of which a yes given beforehand allowed something after a person's
        last word was no, or while a person was asked.
        """
        refused = set[str]()
        findings = set[str]()
        for move in self.rows(
            "SELECT order_ref, reason_code, reason_facts FROM moves ORDER BY id"
        ):
            by = json.loads(move.reason_facts or "{}").get("by", "")
            if move.reason_code == "waits_for_approval" or (
                move.reason_code == "not_approved" and by
            ):
                refused.add(move.order_ref)
            elif move.reason_code in ("approved", "freight_approved"):
                if by == BEFOREHAND:
                    findings |= {move.order_ref} & refused
                else:
                    refused.discard(move.order_ref)
        return findings

    def withdrawn_unsaid(self) -> set[str]:
        """Begun orders without an approval whose last word is a yes: one given
        beforehand would renew it.
        """
        message = "', '".join((*YES, *NO))
        last = self.rows(
            f"SELECT order_ref, reason_code FROM moves WHERE reason_code IN ('{message}') ORDER BY id"
        )
        is_yes = {move.order_ref: move.reason_code in YES for move in last}
        withdrawn = self.rows(
            "SELECT order_ref FROM orders WHERE order_id IS NOT NULL AND plan_hash IS NULL"
        )
        return {order.order_ref for order in withdrawn if is_yes.get(order.order_ref)}

    def orders(self) -> dict[str, Row]:
        findings = self.rows(f"SELECT {ORDER_COLUMNS} FROM orders ORDER BY order_ref")
        for row in findings:
            row.state = OrderState(row.state)
            facts = json.loads(row.reason_facts) if row.reason_facts else None
            row.reason = str(read(row.reason_code, facts) or "")
        return {row.order_ref: row for row in findings}

    def effects(self) -> list[Row]:
        findings = self.rows(f"SELECT {EFFECT_COLUMNS} FROM effects ORDER BY key")
        for row in findings:
            row.action, row.status = Action(row.action), EffectStatus(row.status)
            row.answer = json.loads(row.answer) if row.answer else None
            row.intent_at, row.lease_until = (
                _moment(row.intent_at),
                _moment(row.lease_until),
            )
        return findings


class WatchedLedger(Ledger):
    """A process's ledger. `is_alive` tells of an owner; breaches of the effect protocol
    are told at once.

    `is_paused` is what whoever paused all buying knows of that, not what the ledger
    says.
    """

    database: SharedDatabase
    breached: Tell
    is_alive: Callable[[str], bool]
    is_paused: Callable[[], bool]

    # As the ledger's own, but on one connection that stays open: opening one costs more
    # than most statements.

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        doing = sys._getframe(4).f_code.co_name
        boundary(f"{doing}: before")
        with self.database.connection.begin():
            yield self.database.connection
            boundary(f"{doing}: before the commit")
        boundary(f"{doing}: after the commit")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        boundary("read of the ledger")
        try:
            yield self.database.connection
        finally:
            self.database.connection.rollback()

    def _require_sound_file(self, file: Path) -> None:
        """The database has no file: reading it is a boundary all the same."""
        with self.reading():
            pass

    def buying_paused(self) -> Pause | None:
        # without a boundary: only claims rest on it, and seeds stay what they were
        # before there was a switch
        try:
            return standing_pause(self.database.connection)
        finally:
            self.database.connection.rollback()

    def claim(self, intents: Sequence[Intent], **options: Any) -> Claimed:
        claimed = super().claim(intents, **options)
        for record in claimed.won.values():
            if self.is_paused() and record.action in SPENDING:
                self.breached(f"claimed while buying is paused: {record.key}")
            if record.action in (Action.PAY, Action.BOOK) and not self._is_approved(
                record
            ):
                self.breached(f"claimed without approval of its amount: {record.key}")
        return claimed

    def _is_approved(self, record: EffectRecord) -> bool:
        order = self.database.orders()[record.order_ref]
        payable_minor = (
            order.payable_minor
            if record.action is Action.PAY
            else order.freight_approved_minor
        )
        return order.plan_hash is not None and (record.amount_minor or 0) <= (
            payable_minor or 0
        )

    def write(
        self, outcomes: Sequence[Outcome], changes: Sequence[OrderChange]
    ) -> list[bool]:
        before = {row.key: row.fence for row in self.database.effects()}
        written = super().write(outcomes, changes)
        for outcome, counts in zip(outcomes, written, strict=True):
            if counts and before.get(outcome.claim.key) != outcome.claim.fence:
                self.breached(
                    f"an old fence decided: {outcome.claim.key} with {outcome.claim.fence}"
                )
        return written

    def take_over(
        self, order_refs: Collection[str], **options: Any
    ) -> list[EffectRecord]:
        before = {row.key: row for row in self.database.effects()}
        effects = super().take_over(order_refs, **options)
        for record in effects:
            old = before[record.key]
            if (
                old.lease_until > self.clock()
                and old.owner != self.owner
                and self.is_alive(old.owner)
            ):
                self.breached(f"taken from a living holder: {record.key}")
        return effects
