"""How each marketplace is asked and answers, as far as the tests of odd answers need
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.marketplaces import offering_of
from connectors.marketplaces.protocol import Channel
from connectors.xportcn.client import XportcnClient
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import SourcingOrder
from tests.connectors.marketplaces import test_alibaba_1688 as alibaba_1688
from tests.connectors.marketplaces import test_big_major as big_major
from tests.connectors.marketplaces import test_international as international
from tests.connectors.marketplaces import test_poizon as poizon
from tests.connectors.marketplaces import test_taobao as taobao
from tests.connectors.xportcn.fake_service import FakeService, ok
from tests.connectors.xportcn.orders import order


@dataclass(frozen=True, kw_only=True)
class Wire:
    """Paths of one marketplace, and an order of it that costs `costs`. `preview` is
    what a create asks first.
    """

    order: SourcingOrder
    costs: Money
    create: str
    creating: str
    pay: str
    paying: Mapping[str, Any]
    read: str
    shown: Callable[[Any], Any]
    preview: str = ""
    previewed: Any = None

    def may_create(self, service: FakeService) -> None:
        """Let the preview inside a create go well."""
        if self.preview:
            service.answers(self.preview, lambda: ok(self.previewed))


WIRES = {
    Marketplace.TAOBAO: Wire(
        order=order(),
        costs=Money(2570),
        create=taobao.CREATE,
        creating="Taobao / Order / purchase order create V2",
        pay=taobao.PAY,
        paying={"purchaseOrderIdList": ["7"]},
        read=taobao.PAGE,
        shown=lambda status: taobao.page(taobao.purchase(status=status)),
    ),
    Marketplace.ALIBABA_1688: Wire(
        order=alibaba_1688.our_order(),
        costs=Money(6561),
        create=alibaba_1688.CREATE,
        creating="1688 / Order / Create an order",
        pay=alibaba_1688.PAY,
        paying={"orderIds": ["7"]},
        read=alibaba_1688.ORDER,
        shown=lambda status: alibaba_1688.listed(7, status=status),
    ),
    Marketplace.BIG_MAJOR: Wire(
        order=big_major.our_order(),
        costs=Money(6561),
        create=big_major.CREATE,
        creating="bigMajor / Create an order",
        pay=big_major.PAY,
        paying={"orderId": "7"},
        read=big_major.ORDER,
        shown=lambda status: big_major.shown(7, orderStatus=status),
        preview=big_major.PREVIEW,
        previewed=[big_major.previewed(big_major.item())],
    ),
    Marketplace.INTERNATIONAL: Wire(
        order=international.our_order(),
        costs=Money(2600),
        create=international.CREATE,
        creating="InternationalAlibaba / CreateOrder",
        pay=international.PAY,
        paying={"orderIdList": ["7"]},
        read=international.LIST,
        shown=lambda status: {
            "totalCount": 1,
            "orderList": [international.shown(7, tradeStatus=status)],
        },
        preview=international.FREIGHT,
        previewed=international.freight(),
    ),
    Marketplace.POIZON: Wire(
        order=poizon.our_order(),
        costs=Money(2600),
        create=poizon.CREATE,
        creating="Poizon / CreateOrder",
        pay=poizon.PAY,
        paying={"distOrderNo": "7"},
        read=poizon.LIST,
        shown=lambda status: {
            "totalRecords": 1,
            "data": [poizon.shown(7, orderStatus=status)],
        },
    ),
}


def channel_of(marketplace: Marketplace, client: XportcnClient) -> Channel:
    return offering_of(marketplace, client).channel
