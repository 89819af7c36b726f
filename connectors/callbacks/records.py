"""A callback as posted and as stored. Its content is a hint and nothing more."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from connectors.callbacks.kinds import CallbackKind, CallbackState
from connectors.words import MOST_WORDS, clean, shortened
from connectors.xportcn.callback_reader import CallbackMessage, UnreadableCallback, parse_callback
from connectors.xportcn.operations import callbacks
from domain.reasons import Reason, ReasonCode, because, from_text

MOST_ORDERS = 100
"""The most orders that a message of the service names; more are not the service's."""
LONGEST_ID = 64
DEEPEST = 64
TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
BRACKETS = re.compile(rb"[\[{}\]]")


KINDS = {
    callbacks.TAOBAO_PRICE: CallbackKind.PRICE,
    callbacks.ALIBABA_PRICE: CallbackKind.PRICE,
    callbacks.TAOBAO_REFUND: CallbackKind.REFUND,
    callbacks.ALIBABA_REFUND: CallbackKind.REFUND,
    callbacks.PACKAGE_INBOUND: CallbackKind.INBOUND,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A posted message before it is stored. `body` is the posted bytes."""

    body: bytes
    source: str
    received_at: datetime
    state: CallbackState
    outcome: Reason | None = None
    kind: CallbackKind = CallbackKind.STATUS
    message_type: str = ""
    marketplace: str = ""
    order_ids: tuple[str, ...] = ()
    sent_at: datetime | None = None

    @property
    def digest(self) -> str:
        """The identity of a message: the service gives it no id."""
        return hashlib.sha256(self.body).hexdigest()


def read_arrival(body: bytes, source: str, now: datetime) -> Arrival:
    """Any posted bytes as a message to store; unreadable ones are set aside with a reason. Raises nothing."""
    if _depth(body) > DEEPEST:
        return _set_aside(body, source, now, because(ReasonCode.CALLBACK_TOO_DEEP, most=DEEPEST))
    try:
        message = parse_callback(body)
    except Exception as error:  # noqa: BLE001 - no posted bytes may stop the receiver
        is_told = isinstance(error, UnreadableCallback)
        failure = shortened(clean(str(error)), MOST_WORDS) if is_told else f"can't be read ({type(error).__name__})"
        return _set_aside(body, source, now, because(ReasonCode.CALLBACK_UNREADABLE, failure=failure))
    return _understood(message, body, source, now)


def _depth(body: bytes) -> int:
    """The nesting depth of brackets outside of texts; an upper bound where texts are broken."""
    deepest = depth = 0
    for bracket in BRACKETS.findall(TEXTS.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _set_aside(body: bytes, source: str, now: datetime, why: Reason) -> Arrival:
    return Arrival(body=body, source=source, received_at=now, state=CallbackState.SET_ASIDE, outcome=why)


def _understood(message: CallbackMessage, body: bytes, source: str, now: datetime) -> Arrival:
    order_ids = message.order_ids
    if len(order_ids) > MOST_ORDERS:
        return _set_aside(body, source, now, because(ReasonCode.CALLBACK_NAMES_TOO_MANY, count=len(order_ids)))
    if any(len(order_id) > LONGEST_ID for order_id in order_ids):
        return _set_aside(body, source, now, because(ReasonCode.CALLBACK_ID_TOO_LONG, most=LONGEST_ID))
    return Arrival(
        body=body,
        source=source,
        received_at=now,
        state=CallbackState.WAITING if order_ids else CallbackState.DONE,
        outcome=None if order_ids else because(ReasonCode.CALLBACK_NAMES_NONE),
        kind=CallbackKind.STATUS if message.operation is None else KINDS.get(message.operation, CallbackKind.STATUS),
        message_type=shortened(clean(message.message_type), LONGEST_ID),
        marketplace=message.marketplace or "",
        order_ids=tuple(clean(order_id) for order_id in order_ids),
        sent_at=message.sent_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A stored message. Times are UTC; `times` is how often it was posted; `outcome` is the result of processing it.

    A newer version may have written a `kind` or `state` that is unknown here.
    """

    id: int
    digest: str
    received_at: datetime
    last_at: datetime
    times: int
    source: str
    kind: str
    message_type: str
    marketplace: str
    order_ids: tuple[str, ...]
    sent_at: datetime | None
    state: str
    attempts: int
    ticket: str
    settled_at: datetime | None
    outcome: Reason | None
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        known = {name: row[name] for name in cls.__slots__}
        known |= {
            "order_ids": tuple(row["order_ids"]),
            "outcome": from_text(row["outcome"]),
            "body": bytes(row["body"]),
        }
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The messages for one run. `id` is also the idempotency key of that run in Prefect."""

    id: str
    kind: CallbackKind
    orders: int
