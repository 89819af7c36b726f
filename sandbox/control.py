"""The endpoints under /_sandbox/: for tests and try-outs, without signature, for this
machine only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from hashlib import md5
from ipaddress import ip_address
from typing import Any, Protocol

from aiohttp import web

from sandbox.alibaba_1688.messages import messages as alibaba_messages
from sandbox.alibaba_1688.views import REFUND_STATUS as ALIBABA_REFUND_STATUS
from sandbox.alibaba_1688.views import status as alibaba_status
from sandbox.answers import as_json
from sandbox.big_major.messages import messages as big_major_messages
from sandbox.big_major.views import status as big_major_status
from sandbox.callbacks import Callbacks
from sandbox.catalogue import MARKETPLACES
from sandbox.dialects.known import in_force, replace_dialects
from sandbox.entities import DomesticUpdate, Order, Shipment
from sandbox.faults import Faults
from sandbox.fields import Fields, read_object
from sandbox.goods import Item, Sku, decimal_text
from sandbox.international.views import status as international_status
from sandbox.late import LateEffects
from sandbox.messages import Message, Source, posted
from sandbox.poizon.views import status as poizon_status
from sandbox.refund import Refund, State
from sandbox.refusals import Refusal, bad_request
from sandbox.taobao.messages import messages as taobao_messages
from sandbox.taobao.views import REFUND_STATUS as TAOBAO_REFUND_STATUS
from sandbox.taobao.views import status as taobao_status
from sandbox.times import SECOND, iso_text
from sandbox.world import World

PREFIX = "/_sandbox/"
PICTURE = PREFIX + "picture"
MAX_ADVANCE_S = 10 * 365 * 86_400
STATUS: dict[str, Callable[[Order, int], int | str]] = {
    "taobao": taobao_status,
    "1688": alibaba_status,
    "big_major": big_major_status,
    "international": international_status,
    "poizon": poizon_status,
}
REFUND_STATUS: dict[str, Mapping[State, int | str]] = {
    "taobao": TAOBAO_REFUND_STATUS,
    "1688": ALIBABA_REFUND_STATUS,
}
MESSAGE_SOURCES: dict[str, Source] = {
    "taobao": taobao_messages,
    "1688": alibaba_messages,
    "big_major": big_major_messages,
}
WITH_SPEC_IDS = ("1688", "big_major")


class Controlled(Protocol):
    """The sandbox behind its HTTP interface, which control calls read and change."""

    world: World
    faults: Faults
    late: LateEffects
    callbacks: Callbacks | None

    def reset(self, *, keep_ids: bool = False) -> None: ...


def answer(sandbox: Controlled, request: web.BaseRequest, body: bytes) -> web.Response:
    """Carry out a control call; its changes are stored before the answer."""
    if not _from_this_machine(request):
        return as_json({"error": "control endpoints are for this machine only"}, 403)
    if request.path == PICTURE:
        return picture(request.query.get("of", ""))
    action = ACTIONS.get((request.method, request.path))
    if action is None:
        known = ", ".join(f"{method} {path}" for method, path in ACTIONS)
        return as_json(
            {"error": f"no {request.method} {request.path}; there are {known}"}, 404
        )
    sandbox.world.agenda.catch_up()
    try:
        return as_json(action(sandbox, Fields(request.query), body))
    except Refusal as refusal:
        return as_json({"error": refusal.message}, 400)
    finally:
        sandbox.world.store.flush()


def _from_this_machine(request: web.BaseRequest) -> bool:
    return request.remote is not None and _is_loopback(request.remote)


@lru_cache
def _is_loopback(address: str) -> bool:
    parsed = ip_address(address.partition("%")[0])
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


def picture(of: str) -> web.Response:
    """A drawing for the address of a picture of goods: one address always has the same
    one.
    """
    marks = md5(of.encode(), usedforsecurity=False).hexdigest()
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96"><rect width="96" height="96" '
        f'fill="#{marks[:6]}"/><circle cx="48" cy="48" r="30" fill="#{marks[6:12]}"/></svg>'
    )
    return web.Response(text=drawn, content_type="image/svg+xml")


def health(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    return {"ok": True}


def catalogue(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    query.only("marketplace", "limit", "offset")
    marketplace = query.optional_text("marketplace")
    if marketplace not in MARKETPLACES:
        raise bad_request("marketplace", f"must be one of {', '.join(MARKETPLACES)}")
    offset, limit = _number(query, "offset", 0), _number(query, "limit", 100)
    rows = sandbox.world.catalogue.shelf(marketplace).rows
    return {
        "total": len(rows),
        "items": [_row(item, sku) for item, sku in rows[offset : offset + limit]],
    }


def _number(query: Fields, name: str, default: int) -> int:
    text = query.optional_text(name, str(default))
    if not text.isdecimal():
        raise bad_request(name, "must be a whole number of at least 0")
    return int(text)


def _row(item: Item, sku: Sku) -> dict[str, Any]:
    return {
        "item_id": item.id,
        "sku_id": sku.id,
        "spec_id": sku.spec_id if item.marketplace in WITH_SPEC_IDS else None,
        "title": item.title,
        "price_fen": item.unit_fen(sku, item.min_quantity),
        "stock": sku.stock,
        "seller_id": item.seller.id,
        "min_quantity": item.min_quantity,
    }


def books(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    kept, late = sandbox.world.books, sandbox.late
    return {
        "orders": [_order(sandbox.world, order) for order in kept.every_order()],
        "payments": [
            {
                "order_id": payment.order_id,
                "amount_fen": payment.amount_fen,
                "at": iso_text(payment.at),
                "source": payment.source,
            }
            for payment in kept.payments
        ],
        "refunds": [_refund(refund) for refund in sandbox.world.refunds.every()],
        "shipments": [_shipment(shipment) for shipment in kept.shipments.values()],
        "domestic_updates": [
            _domestic_update(update) for update in kept.domestic_updates
        ],
        "wallet": wallet_of(sandbox.world),
        "late_effects": {
            "pending": late.pending,
            "landed": late.landed,
            "refused": late.refused,
        },
    }


def _order(world: World, order: Order) -> dict[str, Any]:
    return {
        "marketplace": order.marketplace,
        "order_id": order.id,
        "reference": order.reference or order.out_order_id,
        "out_order_id": order.out_order_id,
        "amount_fen": order.amount_fen,
        "status": STATUS[order.marketplace](order, world.now()),
        "paid_fen": order.paid_fen,
        "paid_times": order.paid_times,
        "refunded_fen": order.refunded_fen,
        "created_at": iso_text(order.created_at),
        "seller_id": order.seller_id,
        "post_fen": order.post_fen,
        "items": [
            {
                "item_id": line.item_id,
                "sku_id": line.sku_id,
                "quantity": line.quantity,
                "unit_fen": line.unit_fen,
            }
            for line in order.lines
        ],
    }


def _refund(refund: Refund) -> dict[str, Any]:
    return {
        "marketplace": refund.marketplace,
        "refund_id": refund.id,
        "order_id": refund.order_id,
        "amount_fen": refund.amount_fen,
        "status": REFUND_STATUS[refund.marketplace][refund.state],
        "refunded_fen": refund.refunded_fen,
        "created_at": iso_text(refund.created_at),
        "refunded_at": None
        if refund.refunded_at is None
        else iso_text(refund.refunded_at),
    }


def messages(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    query.only("limit", "offset")
    offset, limit = _number(query, "offset", 0), _number(query, "limit", 100)
    found = posted(sandbox.world, MESSAGE_SOURCES)
    return {
        "total": len(found),
        "messages": [_message(message) for message in found[offset : offset + limit]],
    }


def _message(message: Message) -> dict[str, Any]:
    return {**asdict(message), "at": iso_text(message.at)}


def callbacks(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    """Counts of posted messages and their outcomes; nothing without `--callbacks`."""
    posting = sandbox.callbacks
    return (
        {"url": posting.url, **posting.counts, "waiting": posting.waiting}
        if posting
        else {"url": ""}
    )


def _shipment(shipment: Shipment) -> dict[str, Any]:
    return {
        "order_id": shipment.id,
        "tmall_order_id": shipment.tmall_order_id,
        "render_id": shipment.render_id,
        "amount": decimal_text(shipment.amount_cents),
        "currency": shipment.currency,
        "tracking_numbers": [parcel.tracking_number for parcel in shipment.parcels],
        "created_at": iso_text(shipment.created_at),
    }


def _domestic_update(update: DomesticUpdate) -> dict[str, Any]:
    return {**asdict(update), "at": iso_text(update.at)}


def wallet_of(world: World) -> dict[str, int]:
    return {
        "opening_fen": world.books.opening_fen,
        "balance_fen": world.books.balance_fen,
    }


def set_wallet(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, int]:
    request = read_object(body)
    request.only("balance_fen")
    sandbox.world.books.set_balance(request.whole("balance_fen"))
    return wallet_of(sandbox.world)


def move_clock(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    request = read_object(body)
    request.only("advance_s")
    sandbox.world.advance(request.number("advance_s", maximum=MAX_ADVANCE_S))
    clock = sandbox.world.clock
    return {"now": iso_text(clock.now()), "advanced_s": clock.offset / SECOND}


def set_faults(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    sandbox.faults.replace(read_object(body))
    return sandbox.faults.in_force()


def faults(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    return sandbox.faults.in_force()


def set_dialects(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    replace_dialects(sandbox.world.dialects, read_object(body))
    return in_force(sandbox.world.dialects)


def dialects(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    return in_force(sandbox.world.dialects)


def reset(sandbox: Controlled, query: Fields, body: bytes) -> dict[str, Any]:
    """With `keep_ids` no id is given a second time: for a client that still knows the
    orders from before.
    """
    request = read_object(body or b"{}")
    request.only("keep_ids")
    sandbox.reset(keep_ids=request.flag("keep_ids"))
    return {"ok": True}


ACTIONS: dict[tuple[str, str], Callable[[Controlled, Fields, bytes], Any]] = {
    ("GET", PREFIX + "health"): health,
    ("GET", PREFIX + "catalogue"): catalogue,
    ("GET", PREFIX + "books"): books,
    ("GET", PREFIX + "messages"): messages,
    ("GET", PREFIX + "callbacks"): callbacks,
    ("PUT", PREFIX + "wallet"): set_wallet,
    ("POST", PREFIX + "clock"): move_clock,
    ("GET", PREFIX + "faults"): faults,
    ("PUT", PREFIX + "faults"): set_faults,
    ("GET", PREFIX + "dialects"): dialects,
    ("PUT", PREFIX + "dialects"): set_dialects,
    ("POST", PREFIX + "reset"): reset,
}
