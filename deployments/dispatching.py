"""Starts runs for messages that the service posted: one for all waiting messages of a kind, one of a kind at a time.

The notifier does it every second. The durable table has what waits and its holder, so a death loses nothing, and two
dispatchers start one run.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connectors.callbacks.records import Ticket
from connectors.callbacks.store import CallbackStore, callbacks_url
from connectors.callbacks.tickets import Tickets
from connectors.ledger.engine import sqlite_file
from domain.callback_kinds import CallbackKind
from domain.wording import pluralize

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

DEPLOYMENT = "hear-callbacks/hear-callbacks"
FORGETS_EVERY = timedelta(hours=6)
UPDATE = "this process is older than the receiver; bring both to one version and start this one again"


class Dispatcher:
    """Polls one store, on behalf of one Prefect server."""

    def __init__(self, store: CallbackStore, client: PrefectClient) -> None:
        self._store, self._client = store, client
        self._tickets = Tickets(store)
        self._forgot_at: datetime | None = None
        self._foreign: set[str] = set()

    async def poll(self) -> list[Ticket]:
        """Have a run started for each kind that waits and has none at work; answers their tickets."""
        started = []
        kinds = await asyncio.to_thread(self._store.kinds_at_hand)
        self._report_foreign({kind for kind in kinds if kind not in list(CallbackKind)})
        for kind in CallbackKind:
            if kind in kinds and (ticket := await asyncio.to_thread(self._tickets.next, kind)):
                await self._start(ticket)
                await asyncio.to_thread(self._tickets.asked, ticket.id)
                started.append(ticket)
        await self._forget_old()
        return started

    def _report_foreign(self, kinds: set[str]) -> None:
        """Log kinds that this version does not know, once each: a newer one takes them up."""
        for kind in sorted(kinds - self._foreign):
            print(f"messages about {kind!r} wait for a newer version: {UPDATE}", file=sys.stderr, flush=True)
        self._foreign |= kinds

    async def _start(self, ticket: Ticket) -> None:
        """Start under the ticket's own key: asked for again after a lost answer it is still one run."""
        deployment = await self._client.read_deployment_by_name(DEPLOYMENT)
        await self._client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"kind": ticket.kind, "ticket": ticket.id},
            name=f"read about {ticket.kind}: {pluralize(ticket.orders, 'order')}",
            idempotency_key=ticket.id,
        )

    async def _forget_old(self) -> None:
        now = self._store.clock()
        if self._forgot_at is None or now - self._forgot_at >= FORGETS_EVERY:
            self._forgot_at = now
            await asyncio.to_thread(self._store.forget_old)


def are_received(ledger_url: str) -> bool:
    """Whether a receiver runs here: with SQLite there is no file before."""
    file = sqlite_file(callbacks_url(ledger_url))
    return file is None or file.exists()
