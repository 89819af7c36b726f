"""The receiver's metrics for Prometheus: messages, money of the day, orders, and moves
without a callback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DatabaseError

from connectors.callbacks.schema import callbacks
from connectors.callbacks.store import CallbackStore
from connectors.ledger.engine import LedgerUnusable, reading
from connectors.ledger.overview import counted_by_state
from connectors.ledger.pace import pace_in
from connectors.ledger.schema import moves, orders
from connectors.ledger.spending import day_total
from connectors.settings import SourcingSettings
from domain.fair_pace import Pace
from domain.holds import start_of_day
from domain.states import NEEDS_A_PERSON, ROAD, OrderState

WITHIN = timedelta(days=1)
COUNTED_EVERY = timedelta(minutes=10)
OVER = frozenset({OrderState.DELIVERED, OrderState.REFUNDED, OrderState.CANCELLED})
REPORTED_STATES = (
    *ROAD[ROAD.index(OrderState.SHIPPED) :],
    OrderState.CANCELLED,
    OrderState.REFUNDING,
    OrderState.REFUNDED,
)
"""States that an order enters by an event at the service, so that a callback is
expected.
"""


class MetricsCollector(Collector):
    """Metrics, read anew at each scrape. Those of an unreadable ledger are left out,
    and one metric says so.
    """

    def __init__(
        self,
        store: CallbackStore,
        settings: SourcingSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self._over = dict[str, int]()
        self._counted_at: datetime | None = None

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: without it a registry would collect everything to learn the
        names.
        """
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield _by("callbacks", "Kept messages by state", "state", self._store.counts())
        yield _gauge(
            "callbacks_oldest_waiting_seconds",
            "Age of the message that waits longest",
            self._age(),
        )
        try:
            with reading(self._settings.ledger_url) as connection:
                found = list(self._of_the_ledger(connection))
        except LedgerUnusable:
            found = [_gauge("ledger_readable", "Whether the ledger could be read", 0)]
        yield from found

    def _age(self) -> float:
        oldest = self._store.oldest_waiting()
        return (self._clock() - oldest).total_seconds() if oldest else 0

    def _of_the_ledger(self, connection: Connection) -> Iterable[GaugeMetricFamily]:
        now = self._clock()
        states = self._states(connection, now)
        waits = [  # one state at a time: then an index has the answer in one place
            connection.execute(
                select(func.min(orders.c.updated_at)).where(orders.c.state == state)
            ).scalar()
            for state in NEEDS_A_PERSON
        ]
        oldest = min(filter(None, waits), default=None)
        today = start_of_day(now, self._settings.timezone)
        yield _gauge("ledger_readable", "Whether the ledger could be read", 1)
        yield _gauge(
            "spent_today_fen",
            "What left or may leave today, in fen",
            day_total(connection, today),
        )
        yield _by(
            "orders",
            "Orders by state",
            "state",
            {state: states.get(state, 0) for state in OrderState},
        )
        yield _gauge(
            "orders_unknown",
            "Orders whose outcome is not known",
            states.get(OrderState.UNKNOWN, 0),
        )
        yield _gauge(
            "orders_oldest_waiting_seconds",
            "How long the order waits that has waited longest for a person",
            (now - oldest.replace(tzinfo=oldest.tzinfo or UTC)).total_seconds()
            if oldest
            else 0,
        )
        yield _gauge(
            "moves_without_callback",
            "Changes at the service in the last day of which no message came",
            self._moves_without_callback(connection, now - WITHIN),
        )
        with suppress(
            DatabaseError
        ):  # a ledger of an earlier program has no rate until a run opens it
            yield from _of_the_pace(*pace_in(connection, self._clock))

    def _states(self, connection: Connection, now: datetime) -> dict[str, int]:
        """The orders in each state. Orders that are over are counted anew every few
        minutes only: they are many.
        """
        if self._counted_at is None or now - self._counted_at >= COUNTED_EVERY:
            self._over, self._counted_at = counted_by_state(connection, OVER), now
        return self._over | counted_by_state(connection, frozenset(OrderState) - OVER)

    def _moves_without_callback(self, connection: Connection, since: datetime) -> int:
        """The number of orders that moved without any callback about them."""
        moved = select(orders.c.order_id).join(
            moves, moves.c.order_ref == orders.c.order_ref
        )
        moved = moved.where(
            moves.c.at >= since,
            moves.c.new_state.in_(REPORTED_STATES),
            orders.c.order_id.is_not(None),
        )
        told = select(callbacks.c.order_id).where(callbacks.c.last_at >= since - WITHIN)
        heard = {row["order_id"] for row in self._store.rows(told.distinct())}
        return len(set(connection.execute(moved.distinct()).scalars()) - heard)


def _of_the_pace(now: float, pace: Pace | None) -> Iterable[GaugeMetricFamily]:
    clients = pace.alive(now).values() if pace else []
    yield _gauge(
        "callers",
        "Processes that share a limit of calls a second at present",
        len(clients),
    )
    yield _gauge(
        "calls_wanted",
        "Calls a second that they could make together",
        sum(taker.wants for taker in clients),
    )
    pause_s = pace.pause(now) if pace else 0
    yield _gauge(
        "calls_paused_seconds",
        "How long no call may be made, since the service has too many",
        pause_s,
    )


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"sourcing_{name}", words, value=value)


def _by(
    name: str, words: str, label: str, values: Mapping[Any, int]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"sourcing_{name}", words, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family
