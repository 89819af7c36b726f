"""A store of messages in a folder of its own, and what the service posts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.callbacks.schema import Arrival
from connectors.callbacks.store import CallbackStore
from deployments.receiver import read_arrival
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


def arrival(body: bytes, clock: MovableClock) -> Arrival:
    return read_arrival(body, "203.0.113.7", clock())


@pytest.fixture
def store(ledger_url: str, clock: MovableClock) -> Iterator[CallbackStore]:
    with CallbackStore(ledger_url, clock=clock) as store:
        yield store
