"""What the first page shows, of ledger and Prefect; each is asked at most every few seconds, however many look."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from markupsafe import Markup
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.overview import counted_by_state
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.ui_pages import run_page
from domain.budget import start_of_day
from domain.money import Money
from domain.pause import Pause
from domain.states import OrderState
from flows.answers.todo import ToDo, alike, shared_commands, to_do
from flows.prefect_ui.todo_artifact import BEGUN_FOR, REFUSED_FOR, asked_by, links_of, paused_at, that_ask
from flows.report.bars import LINE, SERIES, Bar, bars_chart, short_amount

T = TypeVar("T")
DAYS, NIGHTLY = 14, "buy-from-inbox"
LASTS_S, ANSWERS_WITHIN_S = 5.0, 5.0


class Latest(Generic[T]):
    """An answer that is made anew at most every few seconds, once for all that ask. Its failure lasts as long."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make, self._lock, self._until = make, asyncio.Lock(), 0.0
        self._made: T | LedgerUnusable = LedgerUnusable()

    async def get(self) -> T:
        async with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._made = await self._make()
                except LedgerUnusable as error:
                    self._made = error
                self._until = time.monotonic() + LASTS_S
        if isinstance(self._made, LedgerUnusable):
            raise self._made
        return self._made


class Standing(NamedTuple):
    """What the ledger says: orders by state, what left or may leave today, days as a chart, and what waits."""

    at: datetime
    states: Mapping[str, int]
    spent: Money
    chart: Markup
    waits: Sequence[tuple[Sequence[ToDo], str]]
    pause: Pause | None


class Server(NamedTuple):
    """What Prefect says: deployments by name, the next night, and runs that ask: name, since when, what, page."""

    forms: Mapping[str, UUID] = {}
    night: datetime | None = None
    asking: Sequence[tuple[str, datetime, str, str]] = ()


class Today:
    """Both answers, and what leads on."""

    links_of, shared_commands = staticmethod(links_of), staticmethod(shared_commands)

    def __init__(self, settings: SourcingSettings, clock: Callable[[], datetime]) -> None:
        self.standing = Latest(lambda: asyncio.to_thread(stands, settings, clock))
        self.server = Latest(ask_server)


def stands(settings: SourcingSettings, clock: Callable[[], datetime]) -> Standing:
    with Ledger(settings.ledger_url, clock=clock, owner="page", only_reads=True) as ledger:
        now, zone, limit = clock(), ZoneInfo(settings.timezone), settings.day_limit
        days = [start_of_day(start_of_day(now, zone.key) + timedelta(hours=12 - 24 * n), zone.key) for n in range(DAYS)]
        since = [ledger.spent_since(day) for day in days]
        bars = []
        for day, more, less in zip(days, since, [0, *since], strict=False):
            left = [max(limit.minor - (more - less), 0)] if limit else []
            label, text = f"{day.astimezone(zone):%a %d %b}", short_amount(more - less, "CNY")
            bars.append(Bar(label=label, parts=[more - less, *left], text=text))
        legend = ("spent", "left of the limit") if limit else ()
        with ledger.reading() as connection:
            states = counted_by_state(connection, list(OrderState))
        return Standing(
            at=now,
            states={state: states[state] for state in OrderState if state in states},
            spent=Money(since[0]),
            chart=bars_chart("CNY a day", bars[::-1], legend, (SERIES[0], LINE)),
            waits=alike(to_do(ledger, refused_for=REFUSED_FOR, begun_for=BEGUN_FOR, inbox=settings.inbox)),
            pause=ledger.buying_paused(),
        )


async def ask_server() -> Server:
    """Prefect's answers; nothing while it gives none, and without its address: its client would start a server."""
    if not os.environ.get("PREFECT_API_URL"):
        return Server()
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S), get_client() as client:
            forms = {one.name: one.id for one in await client.read_deployments()}
            nightly = [forms[name] for name in (NIGHTLY,) if name in forms]
            planned = {"state": {"type": {"any_": ["SCHEDULED"]}}, "deployment_id": {"any_": nightly}}
            runs, first = FlowRunFilter.model_validate(planned), FlowRunSort.EXPECTED_START_TIME_ASC
            nights = await client.read_flow_runs(flow_run_filter=runs, sort=first, limit=1)
            asks = await that_ask(client)
            asking = [(run.name, paused_at(run), await asked_by(client, run), run_page(run.id)) for run in asks]
    except (httpx.HTTPError, PrefectHTTPStatusError, OSError):
        return Server()
    return Server(forms, nights[0].expected_start_time if nights else None, asking)
