"""A work queue for batches that several processes work on: chunks of orders, each held under a lease.

A chunk has one holder at a time, and a fence that grows with each. No row is locked during the work, so after a lease
two processes may work on one chunk: what is bought stays exact by the claims of effects alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from connectors.ledger.codec import from_json, to_json
from connectors.ledger.plans import NO_TOLERANCE, ledger_row, put_rows
from connectors.ledger.records import SpendLimits
from connectors.ledger.schema import share_chunks, share_helpers, shares
from connectors.ledger.transactions import LedgerRows, repeating
from domain.orders import OrderRequest
from domain.plan import PlannedOrder, PlanSummary, contradicted_in
from domain.report import MatchLine

FORGOTTEN_AFTER = timedelta(days=1)
"""No process takes up a share that was idle for so long: its approval is out of date, and is requested again."""


class Work(StrEnum):
    """What to do with the orders of a chunk."""

    PLAN = "plan"
    BUY = "buy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a share, for all its helpers. The account's rate counts their calls for `run`.

    `wanted` describes what to buy, and whether a person approves it: for a run that wants anything else nothing is
    approved. `asks` is whether a person was asked about held orders; after `done_by` nothing more is begun. `pay_is`
    and the fields after it are as in `XportcnSettings`.
    """

    account: str
    run: str
    wanted: str
    limits: SpendLimits
    chunk_size: int
    concurrency: int
    patience_s: int
    settle_s: int
    look_back_days: int
    done_by: datetime | None
    asks: bool
    pay_is: str = "unknown"
    units: str = ""
    asks_first: bool = True
    freight_ids: str = ""
    taobao_receiver: str = ""
    booking_repeated: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A shared batch. `parent` is the run that it is for, by the owner in its ledger."""

    share_id: str
    batch_id: str
    parent: str
    version: str
    terms: Terms
    seen_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The result of a chunk's planning as its share keeps it, without the orders' receivers."""

    plans: tuple[PlanSummary, ...] = ()
    postponed: tuple[str, ...] = ()
    matches: tuple[MatchLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of a share, with one holder."""

    share_id: str
    number: int
    work: Work
    content: Sequence[Any]
    fence: int

    @property
    def requests(self) -> list[OrderRequest]:
        """The requests to plan."""
        return [from_json(OrderRequest, one) for one in self.content]

    @property
    def approved(self) -> dict[str, str | None]:
        """What to buy: the hash of the approved plan by reference, None for an order that is begun."""
        return dict(self.content)

    @property
    def had_a_holder(self) -> bool:
        """Whether an earlier holder may have begun it."""
        return self.fence > 1

    def __len__(self) -> int:
        return len(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkState:
    """The state of a chunk. `is_held` is true while its holder's lease runs."""

    number: int
    work: Work
    holder: str
    is_held: bool
    is_done: bool


class ShareRows(LedgerRows):
    """The tables `shares`, `share_chunks` and `share_helpers` of one ledger."""

    # of the run that shares a batch

    @repeating
    def open(self, share_id: str, batch_id: str, *, version: str, terms: Terms) -> Share:
        """Open a share of a batch."""
        self.close_idle()
        now, me = self._ledger.clock(), self._ledger.owner
        row = {"share_id": share_id, "batch_id": batch_id, "parent": me, "version": version, "terms": to_json(terms)}
        with self._ledger.transaction(()) as connection:
            made = self._ledger.insert(shares).values(**row, opened_at=now, seen_at=now).on_conflict_do_nothing()
            connection.execute(made)
        return Share(
            share_id=share_id,
            batch_id=batch_id,
            parent=me,
            version=version,
            terms=terms,
            seen_at=now,
            closed_at=None,
        )

    @repeating
    def close_idle(self) -> None:
        """Close the shares that were idle for a day, and delete the data of their orders."""
        now = self._ledger.clock()
        with self._ledger.transaction(()) as connection:
            _close(connection, now, (shares.c.seen_at < now - FORGOTTEN_AFTER,))

    def standing(self, batch_id: str) -> Share | None:
        """The share of a batch that a run may take up: its newest, while that is open; None where there is none.

        An approval from before the newest share no longer counts.
        """
        newest = select(shares).where(shares.c.batch_id == batch_id).order_by(shares.c.opened_at.desc()).limit(1)
        found = [_share(row) for row in self._ledger.rows(newest)]
        since = self._ledger.clock() - FORGOTTEN_AFTER
        return next((one for one in found if one.closed_at is None and one.seen_at >= since), None)

    @repeating
    def take_up(self, share: Share) -> bool:
        """Become the parent of a share whose run is gone; False when it is closed, or another run took it up."""
        now, me = self._ledger.clock(), self._ledger.owner
        unchanged = and_(shares.c.parent == share.parent, shares.c.seen_at == share.seen_at)
        this = (shares.c.share_id == share.share_id, shares.c.closed_at.is_(None))
        taken = update(shares).where(*this, or_(unchanged, shares.c.parent == me)).values(parent=me, seen_at=now)
        with self._ledger.transaction(()) as connection:
            return bool(connection.execute(taken).rowcount)

    @repeating
    def touch(self, share_id: str) -> bool:
        """Record that this run is alive; False once the share is closed, or another run has taken it up."""
        this = (shares.c.share_id == share_id, shares.c.closed_at.is_(None), shares.c.parent == self._ledger.owner)
        with self._ledger.transaction(()) as connection:
            seen = update(shares).where(*this).values(seen_at=self._ledger.clock())
            return bool(connection.execute(seen).rowcount)

    def put_to_plan(self, share_id: str, first: int, parts: Sequence[Sequence[OrderRequest]]) -> bool:
        """Add chunks to plan, numbered from `first` on; adding them again changes nothing.

        False, and nothing is added, once the share is closed or another run has taken it up.
        """
        return self._put(share_id, first, Work.PLAN, [[to_json(one) for one in part] for part in parts])

    def put_to_buy(self, share_id: str, first: int, parts: Sequence[Mapping[str, str | None]]) -> bool:
        """Add chunks of orders to buy, as `Chunk.approved` has them; otherwise as `put_to_plan`."""
        return self._put(share_id, first, Work.BUY, [list(part.items()) for part in parts])

    @repeating
    def _put(self, share_id: str, first: int, work: Work, contents: Sequence[Sequence[Any]]) -> bool:
        rows = [
            {"share_id": share_id, "number": number, "work": work, "content": content, "holder": "", "fence": 0}
            for number, content in enumerate(contents, start=first)
        ]
        this = (shares.c.share_id == share_id, shares.c.closed_at.is_(None), shares.c.parent == self._ledger.owner)
        with self._ledger.transaction(()) as connection:
            # a run that closes it or takes it up waits for this commit, or is seen here
            if connection.scalar(select(shares.c.share_id).where(*this).with_for_update()) is None:
                return False
            if rows:
                connection.execute(self._ledger.insert(share_chunks).on_conflict_do_nothing(), rows)
        return True

    def states(self, share_id: str) -> list[ChunkState]:
        """The states of a share's chunks, in order."""
        now, c = self._ledger.clock(), share_chunks.c
        columns = select(c.number, c.work, c.holder, c.lease_until, c.done_at)
        return [
            ChunkState(
                number=row["number"],
                work=Work(row["work"]),
                holder=row["holder"],
                is_held=row["done_at"] is None and row["lease_until"] is not None and row["lease_until"] > now,
                is_done=row["done_at"] is not None,
            )
            for row in self._ledger.rows(columns.where(c.share_id == share_id).order_by(c.number))
        ]

    def planned(self, share_id: str, numbers: Collection[int]) -> list[Planned]:
        """The results of these chunks, which are planned."""
        return [from_json(Planned, content) for content in self._contents(share_id, numbers)]

    def to_buy(self, share_id: str, numbers: Collection[int]) -> list[dict[str, str | None]]:
        """The contents of these chunks to buy, as `Chunk.approved` has them."""
        return [dict(content) for content in self._contents(share_id, numbers)]

    def refs_to_plan(self, share_id: str) -> set[str]:
        """The references of all orders that were ever to be planned."""
        numbers = [one.number for one in self.states(share_id) if one.work is Work.PLAN]
        contents = self._contents(share_id, numbers)
        return {one["order_ref"] for told in contents for one in (told["plans"] if isinstance(told, dict) else told)}

    def _contents(self, share_id: str, numbers: Collection[int]) -> list[Any]:
        c = share_chunks.c
        statement = select(c.content).where(c.share_id == share_id, c.number.in_(numbers)).order_by(c.number)
        return [row["content"] for row in self._ledger.rows(statement)]

    def helpers(self) -> list[str]:
        """The helpers that have worked for this run, by the owner in their effects."""
        whose = select(share_helpers.c.owner).join(shares, shares.c.share_id == share_helpers.c.share_id)
        rows = self._ledger.rows(whose.where(shares.c.parent == self._ledger.owner))
        return [row["owner"] for row in rows]

    def at_work(self, share_id: str, *, within: timedelta) -> int:
        """How many other processes work on a share: seen within this time, and not ended."""
        c, since = share_helpers.c, self._ledger.clock() - within
        others = (c.share_id == share_id, c.ended_at.is_(None), c.owner != self._ledger.owner)
        rows = self._ledger.rows(select(func.count().label("helpers")).where(*others, c.seen_at >= since))
        return int(rows[0]["helpers"])

    @repeating
    def close(self, share: Share) -> None:
        """Close a share, unless its parent has changed: no more chunks are taken, and their contents are deleted."""
        with self._ledger.transaction(()) as connection:
            this = (shares.c.share_id == share.share_id, shares.c.parent == share.parent)
            _close(connection, self._ledger.clock(), this)

    # of its helpers

    @repeating
    def look(self, share_id: str) -> Share | None:
        """A share by its id; None for an unknown one."""
        with self._ledger.reading() as connection:
            return share_in(connection, share_id)

    @repeating
    def join(self, share_id: str) -> None:
        """Record that this process works on a share; repeated from time to time."""
        row = {"share_id": share_id, "owner": self._ledger.owner, "seen_at": self._ledger.clock(), "ended_at": None}
        statement = self._ledger.insert(share_helpers).values(row)
        again = statement.on_conflict_do_update(
            index_elements=["share_id", "owner"],
            set_={name: statement.excluded[name] for name in ("seen_at", "ended_at")},
        )
        with self._ledger.transaction(()) as connection:
            connection.execute(again)

    @repeating
    def leave(self, share_id: str) -> None:
        """Record that this process has ended its work on a share; what it still holds is free."""
        c = share_helpers.c
        this = (c.share_id == share_id, c.owner == self._ledger.owner)
        mine = (share_chunks.c.holder == self._ledger.owner, share_chunks.c.done_at.is_(None))
        with self._ledger.transaction(()) as connection:
            freed = update(share_chunks).where(share_chunks.c.share_id == share_id, *mine).values(lease_until=None)
            connection.execute(freed)
            connection.execute(update(share_helpers).where(*this).values(ended_at=self._ledger.clock()))

    def holders(self, share_id: str) -> set[str]:
        """The present or last holders of all chunks that are not done."""
        c = share_chunks.c
        held = select(c.holder).where(c.share_id == share_id, c.done_at.is_(None), c.holder != "").distinct()
        return {row["holder"] for row in self._ledger.rows(held)}

    @repeating
    def take(
        self, share_id: str, *, lease: timedelta, dead: Collection[str] = (), in_hand: Collection[int] = ()
    ) -> Chunk | None:
        """Become the holder of the next free chunk; None where there is none.

        A chunk is free without a holder, after its lease, when its holder is `dead`, or when its holder is this process
        but it is not `in_hand`: it was taken by a commit whose confirmation was lost.
        """
        now, c = self._ledger.clock(), share_chunks.c
        lost = and_(c.holder == self._ledger.owner, c.number.not_in(in_hand))
        is_free = or_(c.lease_until.is_(None), c.lease_until <= now, c.holder.in_(dead), lost)
        is_open = select(shares.c.share_id).where(shares.c.share_id == share_id, shares.c.closed_at.is_(None)).exists()
        first = (
            select(c.number)
            .where(c.share_id == share_id, c.done_at.is_(None), is_free, is_open)
            .order_by(c.number)
            .limit(1)
            .with_for_update(skip_locked=True)  # without meaning for SQLite, which has one writer at a time
        )
        with self._ledger.transaction(()) as connection:
            if (number := connection.scalar(first)) is None:
                return None
            held = {"holder": self._ledger.owner, "lease_until": now + lease, "fence": c.fence + 1}
            taken = update(share_chunks).where(c.share_id == share_id, c.number == number).values(held)
            row = connection.execute(taken.returning(c.work, c.content, c.fence)).one()
        work = Work(row.work)
        return Chunk(share_id=share_id, number=number, work=work, content=row.content, fence=row.fence)

    @repeating
    def renew(self, share_id: str, numbers: Collection[int], *, lease: timedelta) -> None:
        """Extend the leases of those of these chunks that this process still holds."""
        with self._ledger.transaction(()) as connection:
            until = self._ledger.clock() + lease
            connection.execute(self._mine(share_id, numbers).values(lease_until=until))

    @repeating
    def give_back(self, share_id: str, numbers: Collection[int]) -> None:
        """Release these chunks at once; the next holder first settles what was begun."""
        with self._ledger.transaction(()) as connection:
            connection.execute(self._mine(share_id, numbers).values(lease_until=None))

    @repeating
    def finish(self, chunk: Chunk) -> bool:
        """Record that a chunk is done; False when another holder decides that by now."""
        with self._ledger.transaction(()) as connection:
            return self._finish(connection, chunk, {})

    def finish_planned(self, chunk: Chunk, plans: Sequence[PlannedOrder], batch_id: str, told: Planned) -> bool:
        """Write the plans of a chunk, and its result in the place of its requests: all or nothing.

        Plans that were approved since are not overwritten: False when another holder has finished the chunk, or the
        share is closed.
        """
        values = {"content": to_json(told)}
        rows = [ledger_row(plan, batch_id, approved=False, tolerance=NO_TOLERANCE) for plan in plans]
        return put_rows(
            self._ledger,
            rows,
            contradicted=contradicted_in(plans),
            if_so=lambda connection: self._finish(connection, chunk, values),
        )

    def _finish(self, connection: Connection, chunk: Chunk, values: Mapping[str, Any]) -> bool:
        c = share_chunks.c
        this = (c.share_id == chunk.share_id, c.number == chunk.number)
        mine = (c.fence == chunk.fence, c.holder == self._ledger.owner, c.done_at.is_(None))
        done = update(share_chunks).where(*this, *mine).values(done_at=self._ledger.clock(), **values)
        return bool(connection.execute(done).rowcount)

    def _mine(self, share_id: str, numbers: Collection[int]) -> Any:
        c = share_chunks.c
        these = (c.share_id == share_id, c.number.in_(numbers))
        return update(share_chunks).where(*these, c.holder == self._ledger.owner, c.done_at.is_(None))


def share_in(connection: Connection, share_id: str) -> Share | None:
    """A share by its id, in a ledger of this schema; None for an unknown one."""
    row = connection.execute(select(shares).where(shares.c.share_id == share_id)).mappings().first()
    return _share(dict(row)) if row else None


def _close(connection: Connection, now: datetime, which: Sequence[ColumnElement[bool]]) -> None:
    closed = update(shares).where(shares.c.closed_at.is_(None), *which).values(closed_at=now)
    for share_id in connection.scalars(closed.returning(shares.c.share_id)).all():
        # waits for a chunk that is just being finished; later plans find no chunk
        connection.execute(delete(share_chunks).where(share_chunks.c.share_id == share_id))


def _share(row: Mapping[str, Any]) -> Share:
    told = {name: row[name] for name in ("share_id", "batch_id", "parent", "version", "seen_at", "closed_at")}
    return Share(**told, terms=from_json(Terms, row["terms"]))
