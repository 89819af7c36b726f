"""The ledger's operations: plans in, claims and outcomes, moves of orders, tracking events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import Connection, Executable, Select, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from connectors.ledger.engine import LedgerUnusable, open_engine, unusable
from connectors.ledger.records import Claimed, EffectRecord, Intent, OrderChange, OrderRecord, Outcome
from connectors.ledger.schema import account, batches, effects, moves, orders, tracking_events
from domain.effects import Action, EffectStatus, effect_key
from domain.service_orders import TrackingEvent
from domain.states import OrderState, move

Clock = Callable[[], datetime]
OPEN = (EffectStatus.SENDING, EffectStatus.UNKNOWN)
COUNTS_AS_SPENT = (EffectStatus.SENDING, EffectStatus.UNKNOWN, EffectStatus.DONE)


class Ledger:
    """One database of orders and effects. Safe for several processes at once.

    Every method is one durable transaction, or a read. `owner` names this run in rows and in the audit trail;
    it is also the name of its send log.
    """

    def __init__(self, url: str, *, clock: Clock, owner: str) -> None:
        self.url = url
        self.clock = clock
        self.owner = owner
        self._engine = open_engine(url)
        self._insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    # batches and orders

    def belong_to(self, name: str) -> None:
        """Tie this ledger to one account of the service, so that a try-out and real orders never mix.

        Raises `LedgerUnusable` when it belongs to another.
        """
        with self._transaction() as connection:
            connection.execute(self._insert(account).values(one=1, name=name).on_conflict_do_nothing())
            owner = connection.execute(select(account.c.name)).scalar_one()
        if owner != name:
            raise LedgerUnusable(
                f"the ledger {self._engine.url.render_as_string()} holds orders of {owner}, the settings say {name}: "
                "give each account its own SOURCING_DATA_DIR (or SOURCING_LEDGER_URL). Nothing was sent."
            )

    def start_batch(self, batch_id: str, source: str) -> datetime:
        """Record a batch once; answers when it was first started."""
        row = {"batch_id": batch_id, "source": source, "created_at": self.clock()}
        with self._transaction() as connection:
            connection.execute(self._insert(batches).values(row).on_conflict_do_nothing())
            started: datetime = connection.execute(
                select(batches.c.created_at).where(batches.c.batch_id == batch_id)
            ).scalar_one()
        return started

    def orders(self, order_refs: Iterable[str]) -> dict[str, OrderRecord]:
        """The orders of these references, by reference."""
        return self._orders(select(orders).where(orders.c.order_ref.in_(list(order_refs))))

    def orders_in(self, states: Iterable[OrderState]) -> dict[str, OrderRecord]:
        """All orders in any of these states, oldest first."""
        return self._orders(select(orders).where(orders.c.state.in_(list(states))).order_by(orders.c.recorded_at))

    def all_orders(self) -> dict[str, OrderRecord]:
        """Every order, newest first."""
        return self._orders(select(orders).order_by(orders.c.updated_at.desc(), orders.c.order_ref))

    def put_plans(self, plans: Sequence[Mapping[str, Any]]) -> None:
        """Write planned orders: new ones, and ones that had no effect yet (a plan may be made again).

        A plan has all columns of `orders` that are known before money moves. Orders with a live effect stay as is.
        """
        if not plans:
            return
        now = self.clock()
        refs = [plan["order_ref"] for plan in plans]
        with self._transaction() as connection:
            started = set(
                connection.scalars(
                    select(effects.c.order_ref).where(
                        effects.c.order_ref.in_(refs), effects.c.status.in_(COUNTS_AS_SPENT)
                    )
                )
            )
            old = dict(
                connection.execute(select(orders.c.order_ref, orders.c.state).where(orders.c.order_ref.in_(refs))).all()
            )
            rows = [
                {**plan, "recorded_at": now, "updated_at": now} for plan in plans if plan["order_ref"] not in started
            ]
            for row in rows:
                statement = self._insert(orders).values(row)
                kept = {"order_ref", "batch_id", "recorded_at"}
                changed = {name: statement.excluded[name] for name in row if name not in kept}
                connection.execute(statement.on_conflict_do_update(index_elements=["order_ref"], set_=changed))
                self._audit(connection, row["order_ref"], old.get(row["order_ref"]), row["state"], row["reason"])

    def change(self, changes: Sequence[OrderChange]) -> None:
        """Apply moves of orders that go with no effect. An illegal move raises `IllegalMove` and changes nothing."""
        with self._transaction() as connection:
            for change in changes:
                self._change(connection, change)

    def spent_since(self, since: datetime) -> int:
        """Fen approved for orders whose create or pay was begun since then and may have cost money."""
        begun = (
            select(effects.c.order_ref)
            .where(
                effects.c.action.in_((Action.CREATE, Action.PAY)),
                effects.c.status.in_(COUNTS_AS_SPENT),
                effects.c.intent_at >= since,
            )
            .distinct()
        )
        statement = select(func.coalesce(func.sum(orders.c.approved_minor), 0)).where(orders.c.order_ref.in_(begun))
        with self._reading() as connection:
            return int(connection.execute(statement).scalar_one())

    # effects

    def claim(self, intents: Sequence[Intent], *, lease: timedelta) -> Claimed:
        """Claim one effect of one action for each order, all in one durable commit before anything is sent.

        One statement decides between processes. A row that was never begun, or provably never left, becomes ours;
        a refused one gets a new attempt; an open one belongs to `take_over`.
        """
        if not intents:
            return Claimed(won={}, settled={}, open={})
        now = self.clock()
        with self._transaction() as connection:
            latest = self._latest(connection, intents)
            rows = [self._intent_row(intent, latest.get(_slot(intent)), now, lease) for intent in intents]
            insert = self._insert(effects).values(rows)
            fixed = {"key", "order_ref", "action", "attempt", "fence"}
            claim = insert.on_conflict_do_update(
                index_elements=["key"],
                set_={
                    "fence": effects.c.fence + 1,
                    "settled_at": None,
                    **{name: insert.excluded[name] for name in rows[0] if name not in fixed},
                },
                where=effects.c.status == EffectStatus.UNSENT,
            ).returning(effects)
            won = self._effects(connection, claim)
            lost = {row["key"] for row in rows} - {record.key for record in won}
            others = self._effects(connection, select(effects).where(effects.c.key.in_(lost)))
        return Claimed(
            won={e.order_ref: e for e in won},
            settled={e.order_ref: e for e in others if e.status not in OPEN},
            open={e.order_ref: e for e in others if e.status in OPEN},
        )

    def take_over(
        self, order_refs: Iterable[str], *, actions: Sequence[Action], lease: timedelta, dead_owners: Iterable[str]
    ) -> list[EffectRecord]:
        """Become the holder of effects that may have been sent, to read what became of them.

        Only of those whose lease is over or whose owner is dead. `sender` and `intent_at` stay: they tell what may
        be on its way.
        """
        now = self.clock()
        statement = (
            update(effects)
            .where(
                effects.c.order_ref.in_(list(order_refs)),
                effects.c.action.in_(actions),
                effects.c.status.in_(OPEN),
                or_(effects.c.lease_until <= now, effects.c.owner.in_(list(dead_owners))),
            )
            .values(fence=effects.c.fence + 1, owner=self.owner, lease_until=now + lease)
            .returning(effects)
        )
        with self._transaction() as connection:
            return self._effects(connection, statement)

    def record(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Write outcomes and what they do to their orders, in one commit.

        False for an outcome that came with an old fence: another holder decides, so it changes nothing.
        """
        with self._transaction() as connection:
            return [self._settle(connection, outcome) for outcome in outcomes]

    def effects_of(self, order_refs: Iterable[str]) -> list[EffectRecord]:
        """All effects of these orders, oldest first."""
        statement = select(effects).where(effects.c.order_ref.in_(list(order_refs))).order_by(effects.c.intent_at)
        with self._reading() as connection:
            return self._effects(connection, statement)

    def owners_at_work(self, order_refs: Iterable[str]) -> set[str]:
        """Owners of unsettled effects whose lease still runs."""
        statement = select(effects.c.owner).where(
            effects.c.order_ref.in_(list(order_refs)),
            effects.c.status.in_(OPEN),
            effects.c.lease_until > self.clock(),
        )
        with self._reading() as connection:
            return set(connection.scalars(statement.distinct()))

    def senders_in_doubt(self) -> set[str]:
        """Send logs that an unsettled effect still needs."""
        with self._reading() as connection:
            return set(connection.scalars(select(effects.c.sender).where(effects.c.status.in_(OPEN)).distinct()))

    # tracking

    def add_events(self, order_ref: str, events: Sequence[TrackingEvent]) -> int:
        """Record an order's events as the service lists them; known ones are left alone. Answers how many were new."""
        if not events:
            return 0
        now = self.clock()
        places: dict[str, int] = {}
        rows = []
        for event in events:
            sequence = places[event.tracking_number] = places.get(event.tracking_number, 0) + 1
            rows.append(
                {
                    "order_ref": order_ref,
                    "tracking_number": event.tracking_number,
                    "sequence": sequence,
                    "occurred_at": event.occurred_at,
                    "status": event.status,
                    "description": event.description,
                    "place": event.place,
                    "recorded_at": now,
                }
            )
        with self._transaction() as connection:
            statement = self._insert(tracking_events).values(rows).on_conflict_do_nothing()
            return len(connection.execute(statement.returning(tracking_events.c.sequence)).all())

    def events(self, *, order_refs: Iterable[str] | None = None, since: datetime | None = None) -> list[dict[str, Any]]:
        """Recorded events in order, optionally of some orders, or recorded since a moment."""
        c = tracking_events.c
        statement = select(tracking_events).order_by(c.order_ref, c.occurred_at, c.tracking_number, c.sequence)
        if order_refs is not None:
            statement = statement.where(c.order_ref.in_(list(order_refs)))
        if since is not None:
            statement = statement.where(c.recorded_at >= since)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def moves_of(self, order_ref: str) -> list[dict[str, Any]]:
        """The audit trail of one order, oldest first."""
        statement = select(moves).where(moves.c.order_ref == order_ref).order_by(moves.c.id)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    # inside

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise unusable(self.url, error) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                yield connection
        except DBAPIError as error:
            raise unusable(self.url, error) from error

    def _orders(self, statement: Select[Any]) -> dict[str, OrderRecord]:
        with self._reading() as connection:
            return {row["order_ref"]: OrderRecord.of(dict(row)) for row in connection.execute(statement).mappings()}

    @staticmethod
    def _effects(connection: Connection, statement: Executable) -> list[EffectRecord]:
        return [EffectRecord.of(dict(row)) for row in connection.execute(statement).mappings()]

    def _latest(self, connection: Connection, intents: Sequence[Intent]) -> dict[str, EffectRecord]:
        refs = [intent.order_ref for intent in intents]
        statement = (
            select(effects)
            .where(effects.c.order_ref.in_(refs), effects.c.action == intents[0].action)
            .order_by(effects.c.attempt)
        )
        return {_slot_of(record): record for record in self._effects(connection, statement)}

    def _intent_row(
        self, intent: Intent, latest: EffectRecord | None, now: datetime, lease: timedelta
    ) -> dict[str, Any]:
        attempt = 1 if latest is None else latest.attempt + (latest.status is EffectStatus.REFUSED)
        return {
            "key": effect_key(intent.order_ref, intent.action, part=intent.part, attempt=attempt),
            "order_ref": intent.order_ref,
            "action": intent.action,
            "attempt": attempt,
            "status": EffectStatus.SENDING,
            "amount_minor": intent.amount.minor if intent.amount else None,
            "currency": intent.amount.currency if intent.amount else None,
            "request_hash": intent.request_hash,
            "fence": 1,
            "owner": self.owner,
            "lease_until": now + lease,
            "sender": self.owner,
            "intent_at": now,
            "reason": "",
        }

    def _settle(self, connection: Connection, outcome: Outcome) -> bool:
        now = self.clock()
        statement = (
            update(effects)
            .where(
                effects.c.key == outcome.claim.key,
                effects.c.fence == outcome.claim.fence,
                effects.c.status.in_(OPEN),
            )
            .values(
                status=outcome.status,
                reason=outcome.reason,
                answer=outcome.answer,
                settled_at=now,
                lease_until=now,
            )
        )
        if connection.execute(statement).rowcount != 1:
            return False
        if outcome.change:
            self._change(connection, outcome.change)
        return True

    def _change(self, connection: Connection, change: OrderChange) -> None:
        row = connection.execute(
            select(orders.c.state, orders.c.reason).where(orders.c.order_ref == change.order_ref)
        ).one()
        old = OrderState(row.state)
        values: dict[str, Any] = {**(change.columns or {}), "updated_at": self.clock()}
        if change.state is not None:
            values |= {"state": move(old, change.state), "reason": change.reason}
        connection.execute(update(orders).where(orders.c.order_ref == change.order_ref).values(values))
        if change.state is not None and (old, row.reason) != (change.state, change.reason):
            self._audit(connection, change.order_ref, old, change.state, change.reason)

    def _audit(self, connection: Connection, order_ref: str, old: str | None, new: str, reason: str) -> None:
        if old == new and not reason:
            return
        row = {"order_ref": order_ref, "at": self.clock(), "old_state": old, "new_state": new, "reason": reason}
        connection.execute(moves.insert().values({**row, "by": self.owner}))


def _slot(intent: Intent) -> str:
    return effect_key(intent.order_ref, intent.action, part=intent.part)


def _slot_of(record: EffectRecord) -> str:
    return record.key if record.attempt == 1 else record.key.removesuffix(f":{record.attempt}")
