"""Batches as their runs were asked for, which of them has a living run, and when the
sweep looks at one again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Update, or_, select, update

from connectors.ledger.schema import (
    OPEN_BATCHES,
    batches,
    from_json,
    leases,
    to_json,
)
from connectors.ledger.transactions import LedgerRows, repeating
from domain.follow_ups import MAX_FOLLOW_UPS
from domain.money import Money

RENEWED_EVERY = timedelta(seconds=30)
WORKED_FOR = timedelta(seconds=90)
"""A run that has not renewed its batch for so long is taken for dead."""
LONGEST_LEASE = timedelta(days=1)
"""No later end is believed: a clock that was ahead has stored it."""
IsDead = Callable[[str], bool]
"""Whether the process of that name has provably ended; False when this machine can't
tell.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What decides about money in a batch, as its run was asked for.

    `done_by` has its day (`domain.follow_ups.as_text`).
    """

    yes: bool = False
    budget: Money | None = None
    order_limit: Money | None = None
    day_limit: Money | None = None
    approval_limit: Money | None = None
    done_by: str = ""
    encoding: str = ""
    asked_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch with a run at work on it, or with one to come.

    `file` is the copy of its requests, which stays until each order has a plan, and
    `digest` the hash of the contents. `worked_until` is renewed by a living run;
    without one, `due_at` says when the sweep goes on.
    """

    batch_id: str
    source: str
    file: str | None
    digest: str | None
    options: BatchOptions
    flow_run: str | None
    worker: str | None
    worked_until: datetime | None
    due_at: datetime | None
    follow_ups: int
    waits_for_resume: bool

    def is_abandoned(self, moment: datetime, is_dead: IsDead) -> bool:
        """Whether its run has ended without a word."""
        if self.worked_until is None:
            return False
        is_over = (
            self.worked_until <= moment or self.worked_until > moment + 2 * WORKED_FOR
        )
        return is_over or (self.worker is not None and is_dead(self.worker))

    def is_due(self, now: datetime, is_dead: IsDead, *, is_paused: bool) -> bool:
        """Whether the sweep goes on with it now; no further than the last look."""
        if self.follow_ups >= MAX_FOLLOW_UPS or (is_paused and self.waits_for_resume):
            return False
        if self.worked_until is not None:
            return self.is_abandoned(now, is_dead)
        return self.due_at is not None and self.due_at <= now


class BatchRows(LedgerRows):
    """The table `batches` of one ledger."""

    def begin(
        self,
        batch_id: str,
        source: str,
        options: BatchOptions,
        *,
        file: str,
        digest: str,
        flow_run: str,
    ) -> None:
        """Store a batch as a person or a schedule asks for it now, before all else."""
        moment = self._ledger.clock()
        asked_columns = {
            "source": source,
            "file": file,
            "digest": digest,
            "options": to_json(options),
            "flow_run": flow_run or None,
            "worker": self._ledger.owner,
            "worked_until": moment + WORKED_FOR,
            "due_at": None,
            "follow_ups": 0,
            "waits_for_resume": False,
        }
        row = {"batch_id": batch_id, "created_at": moment, **asked_columns}
        self._do(self._ledger.upsert(batches, asked_columns).values(row))

    def take(self, batch_id: str, *, flow_run: str, follow_ups: int) -> None:
        """Let this run go on with a batch, under the options that it has; it is the
        follow-up of that number, 0 for a person's.
        """
        self._do(
            update(batches)
            .where(batches.c.batch_id == batch_id)
            .values(
                worker=self._ledger.owner,
                flow_run=flow_run or None,
                worked_until=self._ledger.clock() + WORKED_FOR,
                due_at=None,
                follow_ups=follow_ups,
                waits_for_resume=False,
            )
        )

    def renew(self, batch_id: str) -> None:
        """Record that this run lives."""
        until = self._ledger.clock() + WORKED_FOR
        self._do(self._worked_on(batch_id).values(worked_until=until))

    def leave(
        self,
        batch_id: str,
        *,
        due_at: datetime | None,
        follow_ups: int,
        waits_for_resume: bool = False,
    ) -> None:
        """Record that this run has ended, and when the sweep looks at the batch."""
        self._do(
            self._worked_on(batch_id).values(
                worked_until=None,
                due_at=due_at,
                follow_ups=follow_ups,
                waits_for_resume=waits_for_resume,
            )
        )

    def stop(self, batch_id: str) -> None:
        """Record that a person has stopped the batch: nothing goes on by itself."""
        self._do(
            update(batches)
            .where(batches.c.batch_id == batch_id)
            .values(worked_until=None, due_at=None)
        )

    def forget_file(self, batch_id: str) -> None:
        """Record that each order of the file has a plan: the ledger alone goes on."""
        self._do(
            update(batches).where(batches.c.batch_id == batch_id).values(file=None)
        )

    def open(self, batch_id: str = "") -> list[OpenBatch]:
        """The batches with a run at work or to come, the oldest first; or that one."""
        of_batch = batches.c.batch_id == batch_id if batch_id else OPEN_BATCHES
        rows = self._ledger.rows(
            select(batches).where(of_batch).order_by(batches.c.created_at)
        )
        for row in rows:
            del row["created_at"]
            row["options"] = from_json(BatchOptions, row["options"] or {})
        return [OpenBatch(**row) for row in rows]

    def is_leased(self, name: str, is_dead: IsDead) -> bool:
        """Return whether a living process has this work."""
        moment = self._ledger.clock()
        held = leases.c.until > moment, leases.c.until <= moment + LONGEST_LEASE
        holders = self._ledger.column(
            select(leases.c.owner).where(leases.c.name == name, *held)
        )
        return any(not is_dead(holder) for holder in holders)

    @repeating
    def lease(self, name: str, until: datetime, is_dead: IsDead) -> bool:
        """Take work of which only one process may be at until then; False while another
        one has it.
        """
        moment = self._ledger.clock()
        row = {"name": name, "owner": self._ledger.owner, "until": until}
        holders = self._ledger.column(
            select(leases.c.owner).where(leases.c.name == name)
        )
        dead = [holder for holder in holders if is_dead(holder)]
        statement = self._ledger.insert(leases).values(row)
        is_free = or_(
            leases.c.until <= moment,
            leases.c.until > moment + LONGEST_LEASE,
            leases.c.owner.in_(dead),
        )
        with self._ledger.transaction() as connection:
            taken_rows = connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["name"],
                    set_={"owner": row["owner"], "until": until},
                    where=is_free,
                ).returning(leases.c.name)
            )
            return taken_rows.first() is not None

    def release(self, name: str) -> None:
        """Let others take this work now, if this process has it."""
        self._do(
            update(leases)
            .where(leases.c.name == name, leases.c.owner == self._ledger.owner)
            .values(until=self._ledger.clock())
        )

    def _worked_on(self, batch_id: str) -> Update:
        return update(batches).where(
            batches.c.batch_id == batch_id, batches.c.worker == self._ledger.owner
        )
