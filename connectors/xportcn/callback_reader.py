"""Messages that the service posts to the developer's URL, parsed (contract 3,
assumed-all 6).

No message is signed, numbered or in order: it only means "read this order again" and
never moves money or state itself. So a message of unknown type, or unlike the contract,
still counts as long as it names an order.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from connectors.xportcn.envelope import read_json
from connectors.xportcn.operations import callbacks
from connectors.xportcn.operations.callbacks import PackageInbound
from connectors.xportcn.operations.operation import Callback
from connectors.xportcn.wire import ID, GivenId, MaybeUnixMs
from domain.marketplace import Marketplace

_VIEW = "ORDER_BUYER_VIEW_"
KINDS: dict[str, Callback] = {
    "TAOBAO_ORDER_PRICE_MODIFY": callbacks.TAOBAO_PRICE,
    "TAOBAO_ORDER_STATUS_MODIFY": callbacks.TAOBAO_STATUS,
    "TAOBAO_ORDER_REFUND": callbacks.TAOBAO_REFUND,
    f"{_VIEW}ORDER_PRICE_MODIFY": callbacks.ALIBABA_PRICE,
    **dict.fromkeys(
        [
            *(
                f"{_VIEW}{what}"
                for what in (
                    "BUYER_MAKE",
                    "ORDER_PAY",
                    "ORDER_STEP_PAY",
                    "ORDER_SUCCESS",
                )
            ),
            *(f"{_VIEW}{what}_SENDGOODS" for what in ("ANNOUNCE", "PART_PART")),
            *(f"{_VIEW}ORDER_{what}_RECEIVEGOODS" for what in ("COMFIRM", "CONFIRM")),
            *(f"{_VIEW}ORDER_{what}_CLOSE" for what in ("BUYER", "SELLER", "BOPS")),
            *(
                "BATCH_PAY",
                "ORDER_BATCH_PAY",
                "LOGISTICS_BUYER_VIEW_TRACE",
                "LOGISTICS_MAIL_NO_CHANGE",
            ),
        ],
        callbacks.ALIBABA_STATUS,
    ),
    f"{_VIEW}ORDER_BUYER_REFUND_IN_SALES": callbacks.ALIBABA_REFUND,
    f"{_VIEW}ORDER_REFUND_AFTER_SALES": callbacks.ALIBABA_REFUND,
}
# bigMajor's orders come by 1688's URLs. These types are its alone; for shared types the
# body decides.
KA_KINDS: dict[str, Callback] = {
    "ORDER_CREATE": callbacks.ALIBABA_STATUS,
    "ORDER_CANCEL": callbacks.ALIBABA_STATUS,
    "ORDER_PAY_SUCCESS": callbacks.ALIBABA_STATUS,
    f"{_VIEW}ORDER_BUYER_REFUND": callbacks.ALIBABA_REFUND,
}
ORDER_NAMES = frozenset(
    ["orderId", "orderID", "order_id", "purchaseId", "purchase_id", "purchaseOrderId", "alibaba_order_id",
     "alibabaOrderId", "tradeId", "trade_id", "distOrderNo"]
)  # fmt: skip
FORM = re.compile(r"\w+=", re.ASCII)
POIZON_ID = "distOrderNo"
_ORDER_ID: TypeAdapter[str] = TypeAdapter(GivenId)
_SENT_AT: TypeAdapter[datetime | None] = TypeAdapter(MaybeUnixMs)


class UnreadableCallback(ValueError):
    """The post is no message, or lacks the order it should name; the text names the
    fault, and quotes nothing.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackMessage:
    """One message: read the orders of `order_ids` again.

    `operation` is its row of the catalogue, None for an unknown type; `marketplace` is
    None where it can't be derived. `message_type` is empty for the report of a
    `parcel`, which comes bare. `sent_at` is UTC.
    """

    message_type: str
    operation: Callback | None
    marketplace: Marketplace | None
    sent_at: datetime | None
    order_ids: tuple[str, ...]
    parcel: PackageInbound | None = None


def parse_callback(posted: bytes | str) -> CallbackMessage:
    """Read one posted message. Raises `UnreadableCallback`, and nothing else."""
    message = _object(_of_a_form(posted), "the message")
    if "messageType" in message or "messageBody" in message:
        return _enveloped(message)
    parcel = _parcel(message)
    return CallbackMessage(
        message_type="",
        operation=callbacks.PACKAGE_INBOUND if parcel else None,
        marketplace=Marketplace.BIG_MAJOR if parcel else None,
        sent_at=None,
        order_ids=(parcel.order_id,)
        if parcel
        else _order_ids(message, "", callbacks.PACKAGE_INBOUND),
        parcel=parcel,
    )


def _parcel(message: Mapping[str, Any]) -> PackageInbound | None:
    try:
        return PackageInbound.model_validate(message)
    except ValidationError:
        return None


def _of_a_form(posted: bytes | str) -> bytes | str:
    """The field `message` of a form, as upstream posts it; any other post as it is."""
    text = posted.decode("utf-8", "replace") if isinstance(posted, bytes) else posted
    try:
        fields = dict(parse_qsl(text, max_num_fields=20)) if FORM.match(text) else {}
    except ValueError:
        fields = {}
    return fields.get("message", posted)


def _enveloped(message: Mapping[str, Any]) -> CallbackMessage:
    message_type = _text(message.get("messageType"))
    content = _object(message.get("messageBody"), "messageBody")
    operation = KINDS.get(message_type) or KA_KINDS.get(message_type)
    return CallbackMessage(
        message_type=message_type,
        operation=operation,
        marketplace=_marketplace(
            message_type, _text(message.get("messagePlatform")), content
        ),
        sent_at=_sent_at(message.get("timestamp")),
        order_ids=_order_ids(content, message_type, operation),
    )


def _marketplace(
    message_type: str, platform: str, content: Mapping[str, Any]
) -> Marketplace | None:
    if message_type.startswith("TAOBAO_") or platform == "0":
        return Marketplace.TAOBAO
    if message_type in KA_KINDS or content.get("orderStatus") is not None:
        return Marketplace.BIG_MAJOR
    if message_type in KINDS or content.get("currentStatus") is not None:
        return Marketplace.ALIBABA_1688
    return None


def _order_ids(
    content: Mapping[str, Any], message_type: str, operation: Callback | None
) -> tuple[str, ...]:
    """The order in the operation's field, else every order that the content names,
    those nearest to its top first.
    """
    if operation is not None:
        with suppress(ValidationError):
            return (_ORDER_ID.validate_python(content.get(operation.order_field)),)
    named = tuple(dict.fromkeys(_ids(content)))
    if operation is not None and not named:
        what = message_type or "the message"
        raise UnreadableCallback(
            f"{what} names no order: {operation.order_field} is missing or no id"
        )
    return named


def _ids(content: Any) -> Iterator[str]:
    waiting = deque([content])
    while waiting:
        part = waiting.popleft()
        if isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, Mapping):
            waiting.extend(part.values())
            named = ((name, _text(part[name])) for name in part if name in ORDER_NAMES)
            yield from (text for name, text in named if _is_order_id(name, text))


def _is_order_id(name: str, text: str) -> bool:
    """Whether a text is an order's id: digits, and on Poizon letters and dashes too
    (another reseller).
    """
    return (text.isascii() and text.isdigit()) or (
        name == POIZON_ID and ID.fullmatch(text) is not None
    )


def _object(raw: object, what: str) -> Mapping[str, Any]:
    """An object, or the JSON text of one."""
    try:
        parsed = read_json(raw) if isinstance(raw, bytes | str) else raw
    except ValueError as error:
        raise UnreadableCallback(f"{what} is not JSON") from error
    if not isinstance(parsed, Mapping):
        raise UnreadableCallback(f"{what} is no JSON object")
    return parsed


def _text(value: object) -> str:
    return (
        str(value).strip()
        if isinstance(value, str | int) and not isinstance(value, bool)
        else ""
    )


def _sent_at(value: object) -> datetime | None:
    try:
        return _SENT_AT.validate_python(value)
    except ValidationError:
        return None
