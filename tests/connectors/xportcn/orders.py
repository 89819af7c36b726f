"""Orders, claims and clients that the tests share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.marketplaces.protocol import Warehouse
from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action, Claim, effect_key
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine, OrderRequest, Receiver, RequestLine, SourcingOrder

RECEIVER = Receiver(
    name="Jo Doe",
    phone="5551234567",
    email="jo@example.com",
    country="US",
    state="California",
    city="Oakland",
    zip="94601",
    address="1 Main St",
)
WAREHOUSE = Warehouse(
    name="一号仓",
    phone="13800000000",
    province="广东省",
    city="深圳市",
    district="宝安区",
    address="1 路",
    zip="518000",
)


def claim(action: Action, order_ref: str = "R-1") -> Claim:
    lease = datetime.now(UTC) + timedelta(minutes=2)
    return Claim(
        key=effect_key(order_ref, action),
        order_ref=order_ref,
        action=action,
        fence=1,
        lease_until=lease,
    )


def line(line_no: int = 1, **changes: Any) -> OrderLine:
    expected: dict[str, Any] = {
        "item_id": "672991141190",
        "sku_id": "3452545926724",
        "title": "这是商品",
        "image_url": "http://example.com/1.jpg",
        "quantity": 2,
        "unit_price": Money(1000),
        "spec_id": "a" * 32,
        "distribution_item_id": f"900{line_no}",
        "distribution_sku_id": f"800{line_no}",
    }
    return OrderLine(line_no=line_no, **(expected | changes))


def order(
    *lines: OrderLine,
    order_ref: str = "R-1",
    marketplace: Marketplace = Marketplace.TAOBAO,
    seller_id: str = "s1",
) -> SourcingOrder:
    lines = lines or (line(),)
    request = OrderRequest(
        order_ref=order_ref,
        marketplace=marketplace,
        receiver=RECEIVER,
        freight="cheapest",
        lines=tuple(
            RequestLine(
                row=our.line_no + 1,
                item=our.item_id,
                sku="",
                quantity=our.quantity,
                max_unit_price=None,
            )
            for our in lines
        ),
    )
    return SourcingOrder(request=request, seller_id=seller_id, lines=lines)


class Naps:
    """A sleep that takes no time and is remembered."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def settings(url: str, **changes: Any) -> XportcnSettings:
    return XportcnSettings(_env_file=None, base_url=url, **changes)


def client_of(
    url: str,
    *,
    on_send: Callable[[Claim], None] | None = None,
    naps: Naps | None = None,
    breaker: CircuitBreaker | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    at_once: int | None = None,
    **changes: Any,
) -> XportcnClient:
    """A client that does not wait between tries, unless at its `breaker`."""
    extra: dict[str, Any] = {
        "breaker": breaker,
        "transport": transport,
        "at_once": at_once,
    }
    if on_send:
        extra["on_send"] = on_send
    return XportcnClient(settings(url, **changes), sleep=naps or Naps(), **extra)
