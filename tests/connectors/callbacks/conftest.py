"""A store of messages in a folder of its own, and what the service posts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from connectors.callbacks import CallbackStore, callbacks
from connectors.xportcn.callback_reader import order_ids_in
from tests.clock import MovableClock


def posted(
    order_id: str,
    kind: str = "ORDER_BUYER_VIEW_ORDER_PAY",
    at: int = 1779263269913,
    **more: Any,
) -> bytes:
    """A message of 1688 as the service posts it."""
    body = json.dumps({"orderId": order_id, "currentStatus": "waitsellersend", **more})
    return json.dumps(
        {
            "messageType": kind,
            "messageBody": body,
            "messagePlatform": 1,
            "timestamp": str(at),
        }
    ).encode()


def keep(store: CallbackStore, *bodies: bytes) -> None:
    """Store these as the receiver does."""
    store.add({body: order_ids_in(body) for body in bodies})


def kept(store: CallbackStore) -> set[bytes]:
    """The bodies in the table."""
    return {bytes(body) for body in store.column(select(callbacks.c.body))}


def waiting(store: CallbackStore) -> int:
    """How many messages are posted and not read."""
    unread = callbacks.c.times_posted > callbacks.c.times_read
    return len(store.column(select(callbacks.c.digest).where(unread)))


@pytest.fixture
def store(ledger_url: str, clock: MovableClock) -> Iterator[CallbackStore]:
    with CallbackStore(ledger_url, clock=clock) as store:
        yield store
