"""Starts runs for what the service posted: one for all waiting messages of a kind, one of a kind at a time.

Each worker looks every few seconds. The durable table says what waits and who has it, so a dispatcher, a worker or a
server that dies loses nothing, and two dispatchers start one run.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from prefect.client.orchestration import get_client
from prefect.deployments import arun_deployment

from connectors.callbacks.records import Ticket
from connectors.callbacks.store import CallbackStore, callbacks_url
from connectors.callbacks.tickets import Tickets
from connectors.ledger.engine import sqlite_file
from connectors.settings import SourcingSettings
from domain.wording import number_of
from tasks.resources import utc_now

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

DEPLOYMENT = "hear-callbacks/callbacks"
LOOKS_EVERY_S = 3.0
FORGETS_EVERY = timedelta(hours=6)


async def dispatch(store: CallbackStore, client: PrefectClient) -> list[Ticket]:
    """Have a run started for each kind that waits and has none at work; answers their tickets."""
    tickets, started = Tickets(store), []
    for kind in await asyncio.to_thread(store.kinds_at_hand):
        if ticket := await asyncio.to_thread(tickets.next, kind):
            await _start(client, ticket)
            await asyncio.to_thread(tickets.asked, ticket.id)
            started.append(ticket)
    return started


async def _start(client: PrefectClient, ticket: Ticket) -> None:
    """Under the ticket's own key: asked for again after a lost answer it is still one run."""
    await arun_deployment(
        DEPLOYMENT,
        client=client,
        parameters={"kind": ticket.kind, "ticket": ticket.id},
        flow_run_name=f"hear of {ticket.kind}: {number_of(ticket.orders, 'order')}",
        timeout=0,
        idempotency_key=ticket.id,
        as_subflow=False,
    )


def watch_callbacks() -> None:
    """Start what is to be started as long as this process, or thread, lives."""
    asyncio.run(_watch())


async def _watch() -> None:
    while True:
        try:
            ledger_url = SourcingSettings().ledger_url
            if _are_received(ledger_url):
                with CallbackStore(ledger_url, clock=utc_now) as store:
                    await _look_after(store)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look must follow
            print(f"callbacks can't be acted on now: {error!r}", flush=True)
        await asyncio.sleep(LOOKS_EVERY_S)


async def _look_after(store: CallbackStore) -> None:
    forgot_at = utc_now() - FORGETS_EVERY
    async with get_client() as client:
        while True:
            await dispatch(store, client)
            if utc_now() - forgot_at >= FORGETS_EVERY:
                forgot_at = utc_now()
                await asyncio.to_thread(store.forget_old)
            await asyncio.sleep(LOOKS_EVERY_S)


def _are_received(ledger_url: str) -> bool:
    """Whether anybody receives here: with SQLite there is no file before."""
    file = sqlite_file(callbacks_url(ledger_url))
    return file is None or file.exists()
