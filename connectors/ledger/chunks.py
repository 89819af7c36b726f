"""Chunks of a batch that several processes work on: each is taken once, and finished by
that process alone.

The batch's row has what they all work by. No row is locked during the work: what is
bought stays exact by the claims of effects alone. The run that shares the batch
withdraws what a dead process had taken, and does it itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    delete,
    literal,
    or_,
    select,
    update,
)

from connectors.ledger.pace import CLOCK, is_postgres
from connectors.ledger.plans import ledger_row, put_rows
from connectors.ledger.records import SpendLimits
from connectors.ledger.schema import batches, chunks, from_json, to_json
from connectors.ledger.transactions import Clock, LedgerRows, Transactions, repeating
from domain.orders import OrderRequest
from domain.plan import PlannedOrder, PlanSummary, contradicted_in
from domain.report import MatchLine

KEPT_FOR = timedelta(days=1)
"""Chunks of a run that was not seen for so long are deleted: they may name
receivers.
"""


class Work(StrEnum):
    """What to do with the orders of a chunk."""

    PLAN = "plan"
    BUY = "buy"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBatch:
    """What helpers of a batch work by, as its row has it. `owner`, the run that shares
    it, was last seen at `seen_at`.

    The account's rate counts their calls for `run`, which has `begun` at that time.
    `asks` is whether a person was asked about held orders; after `done_by` nothing more
    is begun. `settings` and `xportcn` replace those of a helper's machine.
    """

    batch_id: str
    owner: str
    seen_at: datetime
    version: str
    account: str
    run: str
    limits: SpendLimits
    concurrency: int
    done_by: datetime | None
    begun: datetime | None = None
    asks: bool
    settings: Mapping[str, Any]
    xportcn: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The result of a chunk's planning, without the orders' receivers."""

    plans: tuple[PlanSummary, ...] = ()
    postponed: tuple[str, ...] = ()
    matches: tuple[MatchLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk in the hands of this process."""

    number: int
    work: Work
    content: Sequence[Any]

    @property
    def requests(self) -> list[OrderRequest]:
        """The requests to plan."""
        return [from_json(OrderRequest, one) for one in self.content]

    @property
    def approved(self) -> dict[str, str | None]:
        """What to buy: the hash of the approved plan by reference, None for an order
        that is begun.
        """
        return dict(self.content)

    def __len__(self) -> int:
        return len(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkState:
    """The state of a chunk, and when, by our clock, the process that has taken it, if
    any, was last seen.
    """

    number: int
    taken_by: str | None
    seen_at: datetime | None
    is_done: bool


class ChunkRows(LedgerRows):
    """The table `chunks` of one ledger, and what the rows of batches have about it.

    `helpers` are the processes that this run has seen at work on its batches, by the
    owner in their effects.
    """

    def __init__(self, ledger: Transactions) -> None:
        super().__init__(ledger)
        self.helpers = set[str]()

    # of the run that shares a batch

    @repeating
    def unshare(self, batch_id: str, *, since: datetime) -> set[str]:
        """End the work of helpers of runs before; answers the processes with chunks in
        hand that were seen since.
        """
        c, silent_for = chunks.c, self._ledger.clock() - since
        with self._ledger.transaction(()) as connection:
            connection.execute(
                update(batches)
                .where(batches.c.batch_id == batch_id)
                .values(shared_by=None)
            )
            free = or_(
                c.taken_by.is_(None),
                c.done_at.is_not(None),
                c.seen_at < self._now - silent_for,
            )
            connection.execute(delete(chunks).where(c.batch_id == batch_id, free))
            return set(
                connection.scalars(select(c.taken_by).where(c.batch_id == batch_id))
            )

    @repeating
    def share(self, shared: SharedBatch) -> None:
        """Share a batch for this run alone; the chunks of runs before it are
        deleted.
        """
        self.drop_old()
        row = {
            "shared": to_json(shared),
            "shared_by": shared.owner,
            "shared_at": self._now,
        }
        with self._ledger.transaction(()) as connection:
            connection.execute(
                update(batches).where(batches.c.batch_id == shared.batch_id).values(row)
            )
            others = (
                chunks.c.batch_id == shared.batch_id,
                chunks.c.owner != shared.owner,
            )
            connection.execute(delete(chunks).where(*others))

    def touch(self, shared: SharedBatch) -> bool:
        """Record that this run is alive; False once another one shares the batch."""
        return (
            self._do(update(batches).where(*_still(shared)).values(shared_at=self._now))
            > 0
        )

    @property
    def _now(self) -> ColumnElement[datetime] | datetime:
        return CLOCK if is_postgres(self._ledger.engine) else self._ledger.clock()

    @repeating
    def put(
        self,
        shared: SharedBatch,
        first: int,
        work: Work,
        parts: Sequence[Sequence[OrderRequest | tuple[str, str | None]]],
    ) -> None:
        """Add chunks to plan, or to buy as `Chunk.approved` has them, numbered from
        `first` on; again changes nothing.

        Nothing is added once another run shares the batch.
        """
        rows = [
            {
                "batch_id": shared.batch_id,
                "owner": shared.owner,
                "number": number,
                "work": work,
                "content": [to_json(one) for one in part],
            }
            for number, part in enumerate(parts, start=first)
        ]
        # locked: a run that shares the batch anew waits for this commit, or is seen
        # here
        still = (
            select(batches.c.batch_id)
            .where(*_still(shared))
            .with_for_update(key_share=True)
        )
        with self._ledger.transaction(()) as connection:
            if rows and connection.scalar(still) is not None:
                connection.execute(
                    self._ledger.insert(chunks).on_conflict_do_nothing(), rows
                )

    def states(self, shared: SharedBatch) -> list[ChunkState]:
        """The states of all chunks, in order."""
        c, now = chunks.c, _its_now(self._ledger.engine)
        rows = self._ledger.rows(
            select(c.number, c.taken_by, c.seen_at, c.done_at, now)
            .where(*_of(shared))
            .order_by(c.number)
        )
        self.helpers.update(row["taken_by"] for row in rows if row["taken_by"])
        for row in rows:
            row["seen_at"] = _by(self._ledger.clock, row["seen_at"], row.pop("now"))
        return [
            ChunkState(is_done=row.pop("done_at") is not None, **row) for row in rows
        ]

    def planned(self, shared: SharedBatch, numbers: Collection[int]) -> list[Planned]:
        """The results of these chunks, which are planned."""
        c = chunks.c
        content = (
            select(c.content)
            .where(*_of(shared), c.number.in_(numbers))
            .order_by(c.number)
        )
        return [from_json(Planned, one) for one in self._ledger.column(content)]

    def withdraw(self, shared: SharedBatch) -> None:
        """Delete the chunks that are not done: from now on no process finishes them."""
        self._do(delete(chunks).where(*_of(shared), chunks.c.done_at.is_(None)))

    @repeating
    def close(self, shared: SharedBatch) -> None:
        """Share the batch no more, unless another run does by now: its helpers end."""
        with self._ledger.transaction(()) as connection:
            connection.execute(
                update(batches).where(*_still(shared)).values(shared_by=None)
            )
            connection.execute(delete(chunks).where(*_of(shared)))

    def drop_old(self) -> None:
        """Delete the chunks of runs that were not seen for a day."""
        gone = select(batches.c.batch_id).where(
            batches.c.shared_at < self._now - KEPT_FOR
        )
        self._do(delete(chunks).where(chunks.c.batch_id.in_(gone)))

    # of its helpers, and of itself

    @repeating
    def of_batch(self, batch_id: str) -> SharedBatch | None:
        """What helpers of a batch work by; None where it is not shared."""
        with self._ledger.reading() as connection:
            return shared_in(connection, batch_id, self._ledger.clock)

    def at_work(self, shared: SharedBatch) -> set[str]:
        """The processes with a chunk that is not done."""
        c = chunks.c
        taken = (
            select(c.taken_by)
            .where(*_of(shared), c.done_at.is_(None), c.taken_by.is_not(None))
            .distinct()
        )
        return {*self._ledger.column(taken)}

    @repeating
    def take(
        self,
        shared: SharedBatch,
        *,
        in_hand: Collection[int] = (),
        dead: Collection[str] = (),
    ) -> Chunk | None:
        """Take the next chunk; None where there is none.

        Beside those that no process has taken, these are free: chunks of `dead`
        processes of this machine, and those of this process that are not `in_hand`,
        which it took by a commit whose confirmation was lost.
        """
        c, me = chunks.c, self._ledger.owner
        lost = and_(c.taken_by == me, c.number.not_in(in_hand))
        is_free = or_(c.taken_by.is_(None), c.taken_by.in_(dead), lost)
        first = (
            select(c.number)
            .where(*_of(shared), c.done_at.is_(None), is_free)
            .order_by(c.number)
            .limit(1)
        )
        # a lock that SQLite does without: it has one writer at a time
        number = first.with_for_update(skip_locked=True).scalar_subquery()
        taken = (
            update(chunks)
            .where(*_of(shared), c.number == number)
            .values(taken_by=me, seen_at=self._now)
        )
        with self._ledger.transaction(()) as connection:
            row = connection.execute(
                taken.returning(c.number, c.work, c.content)
            ).first()
        return (
            Chunk(number=row.number, work=Work(row.work), content=row.content)
            if row
            else None
        )

    def show_alive(self, shared: SharedBatch) -> None:
        """Record that this process works on what it has taken."""
        self._do(update(chunks).where(*self._mine(shared)).values(seen_at=self._now))

    def release(self, shared: SharedBatch) -> None:
        """Let other processes take what this one has not done."""
        self._do(update(chunks).where(*self._mine(shared)).values(taken_by=None))

    @repeating
    def finish(self, shared: SharedBatch, number: int) -> bool:
        """Record that a chunk is done; False when it was withdrawn, or another process
        has it by now.
        """
        with self._ledger.transaction(()) as connection:
            return self._finish(connection, shared, number, {})

    def finish_planned(
        self,
        shared: SharedBatch,
        number: int,
        plans: Sequence[PlannedOrder],
        planned: Planned,
    ) -> bool:
        """Write the plans of a chunk, and its result in the place of its requests: all
        or nothing.

        False, and nothing is written over plans that were approved since, where another
        process decides by now.
        """
        content = {"content": to_json(planned)}
        return put_rows(
            self._ledger,
            [ledger_row(plan, shared.batch_id) for plan in plans],
            contradicted=contradicted_in(plans),
            if_so=lambda connection: self._finish(connection, shared, number, content),
        )

    def _finish(
        self,
        connection: Connection,
        shared: SharedBatch,
        number: int,
        content: Mapping[str, Any],
    ) -> bool:
        mine = (*self._mine(shared), chunks.c.number == number)
        done = (
            update(chunks).where(*mine).values(done_at=self._ledger.clock(), **content)
        )
        return bool(connection.execute(done).rowcount)

    def _mine(self, shared: SharedBatch) -> tuple[ColumnElement[bool], ...]:
        return (
            *_of(shared),
            chunks.c.taken_by == self._ledger.owner,
            chunks.c.done_at.is_(None),
        )


def shared_in(
    connection: Connection, batch_id: str, clock: Clock
) -> SharedBatch | None:
    """What helpers of a batch work by, in a ledger of this schema; None where it is not
    shared.

    Its `seen_at` is by `clock`, whatever the clock of the run's machine: its age is by
    the ledger's own. Raises `LookupError` for an unknown batch.
    """
    row = connection.execute(
        select(batches, _its_now(connection)).where(batches.c.batch_id == batch_id)
    ).first()
    if row is None:
        raise LookupError(batch_id)
    if not row.shared_by:
        return None
    return replace(
        from_json(SharedBatch, row.shared), seen_at=_by(clock, row.shared_at, row.now)
    )


def _its_now(ledger: Connection | Engine) -> ColumnElement[Any]:
    """The time on the ledger's own clock, where it has one, as a column `now`."""
    now: ColumnElement[Any] = CLOCK if is_postgres(ledger) else literal(None)
    return now.label("now")


def _by(clock: Clock, at: Any, now: datetime | None) -> Any:
    """A moment as `clock` has it, which may differ from the ledger's."""
    return clock() - (now - at) if now and at else at


def _still(shared: SharedBatch) -> tuple[ColumnElement[bool], ...]:
    return batches.c.batch_id == shared.batch_id, batches.c.shared_by == shared.owner


def _of(shared: SharedBatch) -> tuple[ColumnElement[bool], ...]:
    return chunks.c.batch_id == shared.batch_id, chunks.c.owner == shared.owner
