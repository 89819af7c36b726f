"""Messages that the service would have posted to the developer's URL so far
(assumed-all.md, section 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.entities import Order
from sandbox.world import World


@dataclass(frozen=True, slots=True)
class Message:
    """A post; `body` is its JSON."""

    at: int
    nav: int
    marketplace: str
    order_id: str
    body: dict[str, Any]


Source = Callable[[World, Order], Iterator[Message]]


def enveloped(
    kind: str, platform: int, at: int, body: dict[str, Any]
) -> dict[str, Any]:
    """The envelope of contract 3.2, which carries the body as text."""
    return {
        "messageType": kind,
        "messageBody": orjson.dumps(body).decode(),
        "messagePlatform": platform,
        "timestamp": str(at),
    }


def posted(world: World, sources: dict[str, Source]) -> list[Message]:
    """Every message of every marketplace that posts any, oldest first."""
    now = world.now()
    orders = (
        order for order in world.books.every_order() if order.marketplace in sources
    )
    found = [
        message
        for order in orders
        for message in sources[order.marketplace](world, order)
    ]
    return sorted(
        (message for message in found if message.at <= now),
        key=lambda message: message.at,
    )
