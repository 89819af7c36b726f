"""The order in which Prefect's server handles events: its own way, made to survive a
restart of the server.

A state's event waits for that of the state before, when that is less than five minutes
older. The events seen are kept in memory, so after a restart an event would wait a
quarter of an hour for earlier ones, and automations that act within seconds would have
missed their time.
"""

from __future__ import annotations

import time
from uuid import UUID

from prefect.server.events.ordering import memory
from prefect.server.events.schemas.events import Event

STARTED_MS = time.time() * 1000


class CausalOrdering(memory.CausalOrdering):
    """Takes events from before this server began as seen: none is sent again."""

    async def event_has_been_seen(self, event: UUID | Event) -> bool:
        event_id = event.id if isinstance(event, Event) else event
        return (
            await super().event_has_been_seen(event)
            or _made_at_ms(event_id) < STARTED_MS
        )


def _made_at_ms(event_id: UUID) -> float:
    """Milliseconds since 1970; ids of version 7 begin with it. Other ids have no time,
    and are waited for.
    """
    return event_id.int >> 80 if event_id.version == 7 else float("inf")
