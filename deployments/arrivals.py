"""Posted bytes as a message to store: any are taken, and what can't be read is set aside."""

from __future__ import annotations

import re
from datetime import datetime

from connectors.callbacks.records import Arrival
from connectors.foreign import MOST_WORDS, clean, shortened
from connectors.xportcn.callback_reader import CallbackMessage, UnreadableCallback, parse_callback
from domain.callback_kinds import CallbackKind, CallbackState
from domain.reasons import Reason, ReasonCode, because

MOST_ORDERS = 100
"""The most orders that a message of the service names; more are not the service's."""
LONGEST_ID = 64
DEEPEST = 64
TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
BRACKETS = re.compile(rb"[\[{}\]]")


def read_arrival(body: bytes, source: str, now: datetime) -> Arrival:
    """Any posted bytes as a message to store; unreadable ones are set aside with a reason. Raises nothing."""
    if _depth(body) > DEEPEST:
        return _set_aside(body, source, now, because(ReasonCode.CALLBACK_TOO_DEEP, most=DEEPEST))
    try:
        message = parse_callback(body)
    except UnreadableCallback as error:
        failure = shortened(clean(str(error)), MOST_WORDS)
    except Exception as error:  # noqa: BLE001 - no posted bytes may stop the receiver
        failure = f"can't be read ({type(error).__name__})"
    else:
        return _understood(message, body, source, now)
    return _set_aside(body, source, now, because(ReasonCode.CALLBACK_UNREADABLE, failure=failure))


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
        kind=message.operation.kind if message.operation else CallbackKind.STATUS,
        message_type=shortened(clean(message.message_type), LONGEST_ID),
        marketplace=message.marketplace or "",
        order_ids=tuple(clean(order_id) for order_id in order_ids),
        sent_at=message.sent_at,
    )
