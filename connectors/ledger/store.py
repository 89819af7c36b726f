"""The ledger's operations: plans, claims and outcomes, moves of orders, tracking
events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import (
    Collection,
    Container,
    Iterable,
    Iterator,
    Sequence,
)
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Select,
    Text,
    and_,
    bindparam,
    cast,
    false,
    func,
    or_,
    select,
    update,
)

from connectors.ledger.batches import BatchRows
from connectors.ledger.claiming import (
    claim_each,
    claimed_of,
    effect_records,
    won_unheard,
)
from connectors.ledger.copying import found_sound, require_check, sound_since
from connectors.ledger.engine import (
    LedgerUnusable,
    chunked,
    one_of,
    sqlite_file,
    unusable,
)
from connectors.ledger.first_orders import FirstOrderRows
from connectors.ledger.forgetting import ForgottenRows
from connectors.ledger.guard import LedgerGuard
from connectors.ledger.marks import RESTORED, MarkRows
from connectors.ledger.order_ids import ForeignOrderRows
from connectors.ledger.order_mover import LOCKED_ORDERS, change_order, write_all
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.outbox import Outbox, is_due
from connectors.ledger.pace import PaceRows
from connectors.ledger.plans import (
    NO_TOLERANCE,
    MatchRows,
    PartRows,
    approve_rows,
    ledger_row,
    put_rows,
)
from connectors.ledger.records import (
    ORDERS,
    Approval,
    Claimed,
    EffectRecord,
    Intent,
    OrderChange,
    OrderRecord,
    Outcome,
    SpendLimits,
    order_records,
    reason_of,
)
from connectors.ledger.refunds import RefundRows
from connectors.ledger.resolutions import ResolutionRows
from connectors.ledger.schema import (
    STATUS_OF_THESE,
    account,
    batches,
    effects,
    marks,
    messages,
    moves,
    orders,
)
from connectors.ledger.spending import BATCH_TOTAL, COUNTS_AS_SPENT, DAY_TOTAL
from connectors.ledger.switches import (
    BUYING,
    HoldRows,
    Switches,
    share_switch,
    standing_pause,
)
from connectors.ledger.tracking import ExportedRows, TrackingRows
from connectors.ledger.transactions import Clock, repeating
from connectors.ledger.unwritten import UnwrittenRows
from domain.effects import OPEN, SPENDING, Action, EffectStatus
from domain.plan import PlannedOrder, contradicted_in
from domain.reasons import Reason, ReasonCode, stored
from domain.states import OrderState

CLOCKS_APART_S = 30

# built once: building a statement costs several times what running it does
_ORDERS = ORDERS.where(one_of(orders.c.order_ref, "refs"))
_ASKED = one_of(effects.c.order_ref, "refs")
_EFFECTS = select(effects).where(_ASKED).order_by(effects.c.intent_at)
_ACTED = _EFFECTS.where(one_of(effects.c.action, "actions"))
_UNSETTLED = select(effects.c.order_ref).where(_ASKED, STATUS_OF_THESE.in_(OPEN))


class Ledger(Switches):
    """One database of orders and effects. Safe for several processes at once.

    Every method is one durable transaction, or a read. `owner` is also the name of the
    run's send log.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        owner: str,
        asks_first: bool = False,
        only_reads: bool = False,
    ) -> None:
        """`asks_first`: claims hold what follows the first paid order of a marketplace
        until a person has answered.
        """
        super().__init__(url, clock=clock, owner=owner, only_reads=only_reads)
        self.asks_first = asks_first
        self.first_orders = FirstOrderRows(self)
        self.guard = LedgerGuard(url, self.engine)
        self.resolutions = ResolutionRows(self)
        self.marks = MarkRows(self)
        self.holds = HoldRows(self)
        self.foreign_orders = ForeignOrderRows(self)
        self.refunds = RefundRows(self)
        self.tracking = TrackingRows(self)
        self.forgotten = ForgottenRows(self)
        self.outbox = Outbox(self)
        self.pace = PaceRows(self)
        self.batches = BatchRows(self)
        self.parts = PartRows(self)
        self.matches = MatchRows(self)
        self.exported = ExportedRows(self)
        self.unwritten = UnwrittenRows(self)

    def __exit__(self, *exc_info: object) -> None:
        """A ledger that could not be used is checked whole by the next run."""
        self.close()
        file = sqlite_file(self.url)
        if file and isinstance(exc_info[1], LedgerUnusable):
            require_check(file)

    @repeating
    def require_sound(self) -> None:
        """Raise `LedgerUnusable` for a damaged file: a fault in an index would let an
        effect be claimed twice.

        A file that was lately found sound is trusted, unless the ledger was restored
        since. PostgreSQL checks its own files; there the clocks are compared, since
        several machines may be at work.
        """
        if file := sqlite_file(self.url):
            self._require_sound_file(file)
        else:
            self._require_one_time()

    def _require_one_time(self) -> None:
        apart = abs(
            (self.column(select(func.now()))[0] - datetime.now(UTC)).total_seconds()
        )
        if apart > CLOCKS_APART_S:
            raise LedgerUnusable(
                f"this machine's clock and that of the ledger's database {self.shown} are {apart:.0f} s apart, more "
                f"than {CLOCKS_APART_S}: leases of several machines need one time. Turn NTP on. Nothing was sent."
            )

    def _require_sound_file(self, file: Path) -> None:
        began = datetime.now(UTC)
        if since := sound_since(file, began):
            restored = self.marks.restored_at()
            if restored is None or restored < since:
                return
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
        if found != "ok":
            raise unusable(self.url, sqlite3.DatabaseError(f"malformed: {found}"))
        found_sound(file, began)

    # batches and orders

    @repeating
    def belong_to(self, name: str) -> None:
        """Bind this ledger to one account of the service, so that test orders and real
        ones never mix.

        Raises `LedgerUnusable` when it belongs to another account.
        """
        with self.transaction() as connection:
            connection.execute(
                self.insert(account).values(one=1, name=name).on_conflict_do_nothing()
            )
        self.require_account(name)

    def require_account(self, name: str) -> None:
        """Raise `LedgerUnusable` where it belongs to another account; a new one belongs
        to none.
        """
        for owner in self.rows(select(account.c.name).where(account.c.name != name)):
            raise LedgerUnusable(
                f"the ledger {self.shown} holds orders of {owner['name']}, the settings say {name}: "
                "give each account its own SOURCING_DATA_DIR, and in PostgreSQL its own database. Nothing was sent."
            )

    def is_new(self) -> bool:
        """Whether the ledger never had an order, and was never restored."""
        restored = select(marks.c.id).where(marks.c.name == RESTORED).limit(1)
        return not self.rows(select(orders.c.order_ref).limit(1)) and not self.rows(
            restored
        )

    def is_message_due(self, now: datetime) -> bool:
        """Whether a message is to be sent now: cheap enough to poll."""
        return bool(self.rows(select(messages.c.cause).where(is_due(now)).limit(1)))

    @repeating
    def start_batch(self, batch_id: str, source: str) -> datetime:
        """Record a batch once; returns when it was first started."""
        row = {"batch_id": batch_id, "source": source, "created_at": self.clock()}
        with self.transaction() as connection:
            connection.execute(
                self.insert(batches).values(row).on_conflict_do_nothing()
            )
            started: datetime = connection.execute(
                select(batches.c.created_at).where(batches.c.batch_id == batch_id)
            ).scalar_one()
        return started

    def orders(self, order_refs: Iterable[str]) -> dict[str, OrderRecord]:
        return self._orders(_ORDERS, refs=[*order_refs])

    def each_order(self, order_refs: Iterable[str]) -> Iterator[OrderRecord]:
        """The known orders in the order of the references, read in chunks: never all of
        them are in memory.
        """
        for some in chunked(order_refs):
            found = self.orders(some)
            yield from (found[ref] for ref in some if ref in found)

    def orders_with_ids(self, order_ids: Iterable[str]) -> dict[str, OrderRecord]:
        """The orders with these order ids of the service."""
        with_ids = ORDERS.where(one_of(orders.c.order_id, "ids"))
        return self._orders(with_ids, ids=[*order_ids])

    def orders_in(
        self, states: Iterable[OrderState], *, since: datetime | None = None
    ) -> dict[str, OrderRecord]:
        """All orders in any of these states, oldest first; or those updated `since`
        then.
        """
        found = ORDERS.where(orders.c.state.in_(list(states))).order_by(
            orders.c.recorded_at
        )
        return self._orders(
            found if since is None else found.where(orders.c.updated_at >= since)
        )

    def has_orders_in(self, states: Iterable[OrderState]) -> bool:
        """Whether any order is in one of these states."""
        some_order = select(orders.c.order_ref).where(orders.c.state.in_(list(states)))
        return bool(self.column(some_order.limit(1)))

    def approved_before(self, at: datetime) -> dict[str, OrderRecord]:
        """The orders whose plan is approved, and of which nothing was begun or changed
        since then.
        """
        planned = ORDERS.where(
            orders.c.state == OrderState.PLANNED, orders.c.plan_hash.is_not(None)
        )
        return self._orders(planned.where(orders.c.updated_at < at))

    def orders_with_reason(self, code: ReasonCode) -> dict[str, OrderRecord]:
        """The orders whose reason has this code; not those of several reasons."""
        return self._orders(ORDERS.where(orders.c.reason_code == code))

    def shipment_owners(
        self, shipment_order_id: str, numbers: Sequence[str], *, since: datetime
    ) -> list[OrderRecord]:
        """The orders with this shipment, and those booked since then that have one of
        the parcel numbers in theirs.
        """
        told = cast(orders.c.shipment, Text)
        parcels = [told.contains(number, autoescape=True) for number in numbers]
        named = self._orders(
            ORDERS.where(orders.c.shipment_order_id == shipment_order_id)
        )
        booked = self._orders(
            ORDERS.where(orders.c.booked_at >= since, or_(false(), *parcels))
        )
        carrying = {
            ref: order
            for ref, order in booked.items()
            if {*numbers} & {*order.tracking_numbers}
        }
        return [*(named | carrying).values()]

    def count(self) -> int:
        """The number of all orders."""
        return int(self.column(select(func.count()).select_from(orders))[0])

    def newest(self, most: int | None = None) -> Iterator[OrderRecord]:
        """The orders that changed last, or all of them, the newest first; never all of
        them are in memory.
        """
        changed_last = (
            select(orders.c.order_ref, orders.c.updated_at)
            .where(orders.c.state == bindparam("state"))
            .order_by(orders.c.updated_at.desc())
            .limit(most)
        )
        found = [
            (-row["updated_at"].timestamp(), row["order_ref"])
            for state in OrderState
            for row in self.rows(changed_last, state=state)
        ]
        yield from self.each_order(order_ref for _, order_ref in sorted(found)[:most])

    def put_plans(self, plans: Sequence[PlannedOrder], batch_id: str) -> None:
        """Write planned orders: new ones, and ones without an effect (a plan may be
        made again). Others stay as is.
        """
        put_rows(
            self,
            [ledger_row(plan, batch_id) for plan in plans],
            contradicted=contradicted_in(plans),
        )

    def approve(
        self,
        approvals: Iterable[Approval],
        batch_id: str,
        *,
        tolerance: Decimal = NO_TOLERANCE,
    ) -> None:
        """Record approvals of a batch's plans.

        A plan that was made anew meanwhile is not the approved one: it stays as it is,
        as does a begun order.
        """
        for some in chunked(approvals):
            approve_rows(self, some, batch_id, tolerance)

    def change(self, changes: Sequence[OrderChange]) -> None:
        """Apply moves of orders without an effect. An illegal move raises `IllegalMove`
        and changes nothing.
        """
        self.write((), changes)

    def spent_since(self, since: datetime) -> int:
        """Fen that left or may leave for orders whose create or pay was begun since
        then, refunds included.
        """
        return int(self.column(DAY_TOTAL, since=since)[0])

    def committed_in(self, batch_id: str) -> int:
        """Fen that the orders of a batch cost or may cost, less refunds."""
        return int(self.column(BATCH_TOTAL, batch=batch_id)[0])

    def refs_in(self, batch_id: str) -> list[str]:
        """The references of a batch's orders, oldest first."""
        statement = select(orders.c.order_ref).where(orders.c.batch_id == batch_id)
        return self.column(statement.order_by(orders.c.recorded_at, orders.c.order_ref))

    def sources_of(self, batch_ids: Iterable[str]) -> dict[str, str]:
        """The source of each batch that a run has begun: a file's path, or a
        description of another source.
        """
        statement = select(batches.c.batch_id, batches.c.source).where(
            batches.c.batch_id.in_(list(batch_ids))
        )
        return self.pairs(statement)

    # effects

    def claim(
        self,
        intents: Sequence[Intent],
        *,
        lease: timedelta,
        limits: SpendLimits | None = None,
    ) -> Claimed:
        """Claim one effect of one action for each order, all in one durable commit
        before anything is sent.

        One statement decides between processes. A row that was never begun, or provably
        never left, becomes ours; a refused one gets a new attempt; an open one belongs
        to `take_over`. An order whose approved plan has changed is left alone; an order
        beyond the `limits` or at a held marketplace is held. While buying is `paused`
        nothing that buys is claimed, and nothing is written. Raises `LedgerUnusable`
        while a mark forbids to buy.
        """
        now = self.clock()
        tries = count()
        buys = any(intent.action in SPENDING for intent in intents)

        @repeating
        def try_once() -> Claimed:
            with self.transaction() as connection:
                if buys:
                    share_switch(connection)
                off = self.guard.require(connection, now)
                # a try whose commit was not confirmed may have won: its rows must not
                # pass for another run's
                if next(tries) and (won := won_unheard(self, connection, intents, now)):
                    return claimed_of(connection, won, intents)
                if buys and BUYING in off:
                    return Claimed(paused=standing_pause(connection))
                return claim_each(
                    self,
                    connection,
                    intents,
                    now=now,
                    lease=lease,
                    limits=limits,
                    off=off,
                )

        claimed = try_once()
        for record in claimed.won.values():
            self.guard.last_key = record.key
        return claimed

    @repeating
    def take_over(
        self,
        order_refs: Collection[str],
        *,
        action: Action,
        lease: timedelta,
        dead_owners: Collection[str],
        in_hand: Container[str] = (),
    ) -> list[EffectRecord]:
        """Become the holder of effects that may have been sent, to read what became of
        them.

        Only of those whose lease is over, whose owner is dead, or which this very run
        holds without working on them (their slots are not `in_hand`). `sender` and
        `intent_at` stay: they say what may be on its way.
        """
        now = self.clock()
        given = {"refs": [*order_refs]}
        adrift = and_(
            _ASKED,
            effects.c.action == action,
            effects.c.status.in_(OPEN),
            or_(
                effects.c.lease_until <= now,
                effects.c.owner.in_([self.owner, *dead_owners]),
            ),
        )
        # in the order in which outcomes are locked, so that two runs never deadlock
        locked = select(effects).where(adrift).order_by(effects.c.key).with_for_update()
        with self.transaction() as connection:
            free = [
                record.key
                for record in effect_records(connection, locked, given)
                if not (record.owner == self.owner and record.slot in in_hand)
            ]
            taken = update(effects).where(adrift, one_of(effects.c.key, "keys"))
            held = taken.values(
                fence=effects.c.fence + 1, owner=self.owner, lease_until=now + lease
            )
            return effect_records(
                connection, held.returning(effects), given | {"keys": free}
            )

    def record(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Write outcomes and what they do to their orders, in one commit.

        False for an outcome with an old fence: another holder decides, so it changes
        nothing. An id of another order is never written: such an outcome is recorded as
        unknown.
        """
        return self.write(outcomes, ())

    @repeating
    def write(
        self, outcomes: Sequence[Outcome], changes: Sequence[OrderChange]
    ) -> list[bool]:
        """Do `record` and then `change` in one commit: all or nothing."""
        with self.transaction() as connection:
            return write_all(self, connection, outcomes, changes)

    @repeating
    def disown(self, order: OrderRecord, why: Reason) -> bool:
        """Remove an order id that proved to be another order's, in one commit.

        The create effect made its order under an unknown id: it is unknown again, and
        settled as such. False when the order has changed since it was read.
        """
        with self.transaction() as connection:
            connection.execute(LOCKED_ORDERS, {"refs": [order.order_ref]})
            now = (
                connection.execute(_ORDERS, {"refs": [order.order_ref]})
                .mappings()
                .one()
            )
            if (now["state"], now["order_id"]) != (order.state, order.order_id):
                return False
            creates = (
                effects.c.order_ref == order.order_ref,
                effects.c.action == Action.CREATE,
            )
            done = update(effects).where(
                *creates, effects.c.status == EffectStatus.DONE
            )
            connection.execute(
                done.values(
                    status=EffectStatus.UNKNOWN,
                    **stored(why),
                    fence=effects.c.fence + 1,
                )
            )
            ref = order.order_ref
            state = OrderState.UNKNOWN
            change_order(
                self,
                connection,
                OrderChange(
                    order_ref=ref,
                    state=state,
                    why=why,
                    writes=OrderUpdate.not_ordered(),
                ),
            )
        return True

    def effects_of(
        self, order_refs: Iterable[str], *actions: Action
    ) -> list[EffectRecord]:
        """All effects of these orders, or those of some `actions`, oldest first."""
        rows = self.rows(
            _ACTED if actions else _EFFECTS, refs=[*order_refs], actions=actions
        )
        return [EffectRecord.of(row) for row in rows]

    def paid_by(self, sender: str, order_refs: Iterable[str]) -> set[str]:
        """Those of these orders whose payment this owner sent, also where its outcome
        is unknown.
        """
        paid = select(effects.c.order_ref).where(
            _ASKED,
            effects.c.action == Action.PAY,
            STATUS_OF_THESE.in_(COUNTS_AS_SPENT),
            effects.c.sender == sender,
        )
        return {*self.column(paid, refs=[*order_refs])}

    def unsettled(self, order_refs: Iterable[str]) -> set[str]:
        """Those of these orders that have an effect without a known outcome."""
        return {*self.column(_UNSETTLED, refs=[*order_refs])}

    def owners_at_work(self, order_refs: Iterable[str]) -> set[str]:
        """The owners of unsettled effects whose lease still runs."""
        at_work = select(effects.c.owner).where(
            _ASKED, STATUS_OF_THESE.in_(OPEN), effects.c.lease_until > self.clock()
        )
        return {*self.column(at_work, refs=[*order_refs])}

    def senders_in_doubt(self) -> set[str]:
        """The send logs that unsettled effects still need: of their possible senders,
        and of their present holders.
        """
        unsettled = select(effects.c.sender, effects.c.owner).where(
            effects.c.status.in_(OPEN)
        )
        return {name for row in self.rows(unsettled) for name in row.values()}

    def moves_of(self, order_ref: str) -> list[dict[str, Any]]:
        """The audit trail of one order, oldest first, each move with its reason in
        words.
        """
        rows = self.rows(
            select(moves).where(moves.c.order_ref == order_ref).order_by(moves.c.id)
        )
        return [row | {"reason": str(reason_of(row) or "")} for row in rows]

    # inside

    @repeating
    def _orders(self, statement: Select[Any], **given: Any) -> dict[str, OrderRecord]:
        with self.reading() as connection:
            return order_records(connection, statement, given)
