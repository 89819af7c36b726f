"""One channel at the sandbox, with what the sandbox has on its shelves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from connectors.marketplaces.browsing import Browser
from connectors.marketplaces.protocol import Channel, Created, Warehouse
from connectors.xportcn.client import XportcnClient
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.orders import OrderLine, SourcingOrder
from tests.connectors.xportcn.orders import claim, order
from tests.connectors.xportcn.sandbox_process import Sandbox

Row = dict[str, Any]

SECOND_DEPOT = "二仓"
ENOUGH_ROWS = 6000


@dataclass(frozen=True)
class Paths:
    """Where the sandbox must stumble to disturb one step of a channel."""

    offer: str
    quote: str
    create: str
    pay: str
    read: str


PATHS = {
    Marketplace.TAOBAO: Paths(
        "/open/product/get",
        "/open/purchase/render",
        "/open/purchase/create/v2",
        "/open/purchase/pay",
        "/open/purchase/page",
    ),
    Marketplace.ALIBABA_1688: Paths(
        "/alibaba/product/detail/get",
        "/alibaba/order/create/preview",
        "/alibaba/order/create",
        "/alibaba/order/batch/submit/to/pay",
        "/alibaba/order/detail",
    ),
    Marketplace.BIG_MAJOR: Paths(
        "/alibaba/ka/product/detail/get",
        "/alibaba/ka/order/create/preview",
        "/alibaba/ka/order/create",
        "/alibaba/ka/order/pay",
        "/alibaba/ka/order/detail",
    ),
    Marketplace.INTERNATIONAL: Paths(
        "/alibaba/international/product/detail/get",
        "/alibaba/international/order/freight/calculate",
        "/alibaba/international/order/create",
        "/alibaba/international/order/pay",
        "/alibaba/international/order/list",
    ),
    Marketplace.POIZON: Paths(
        "/poizon/product/detail",
        "/poizon/order/orderPreview",
        "/poizon/order/createOrder",
        "/poizon/order/payOrder",
        "/poizon/order/orderList",
    ),
}
# 1688 can't be told a limit: there the amount is compared before paying (channels.base,
# `Channel.create`).
KEEPS_THE_LIMIT = frozenset(Marketplace) - {Marketplace.ALIBABA_1688}
# 1688's preview refuses an order as a whole.
NAMES_BAD_LINES = frozenset(Marketplace) - {Marketplace.ALIBABA_1688}
# Taobao's preview and InternationalAlibaba's freight don't look at a province.
KNOWS_CHINA = frozenset(
    {Marketplace.ALIBABA_1688, Marketplace.BIG_MAJOR, Marketplace.POIZON}
)
# Whose create has room to name what failed: in a list of lines, or, untold by that, as
# a part without an order.
TELLS_A_PART = {
    "part_fails": frozenset(
        {Marketplace.TAOBAO, Marketplace.ALIBABA_1688, Marketplace.BIG_MAJOR}
    ),
    "part_unsaid": frozenset({Marketplace.ALIBABA_1688}),
}
# Where our reference is the service's idempotency key.
HAS_A_KEY = frozenset(
    {Marketplace.TAOBAO, Marketplace.INTERNATIONAL, Marketplace.POIZON}
)


@cache
def shelf(url: str, marketplace: Marketplace) -> list[Row]:
    """The catalogue as it is while nothing has changed it; read once, since a reset
    brings it back.
    """
    return Sandbox(url).rows(marketplace, limit=ENOUGH_ROWS)


@dataclass(frozen=True)
class Shop:
    sandbox: Sandbox
    client: XportcnClient
    channel: Channel
    browser: Browser
    warehouse: Warehouse
    rows: list[Row]

    @property
    def marketplace(self) -> Marketplace:
        return self.channel.marketplace

    @property
    def paths(self) -> Paths:
        return PATHS[self.marketplace]

    @property
    def plain_rows(self) -> list[Row]:
        """Items with nothing special: in the first depot, with plenty of stock."""
        return [
            row
            for row in self.rows
            if row["stock"] > 1000 and SECOND_DEPOT not in row["title"]
        ]

    @property
    def plain(self) -> Row:
        return self.plain_rows[0]

    @property
    def siblings(self) -> tuple[Row, Row]:
        """Two different plain items of one seller."""
        plain = self.plain_rows
        return next(
            (row, second)
            for number, row in enumerate(plain)
            for second in plain[number + 1 :]
            if row["seller_id"] == second["seller_id"]
            and row["item_id"] != second["item_id"]
        )

    @property
    def depots(self) -> tuple[Row, Row]:
        """An item of each depot of one seller, the second depot's first."""
        second = [
            row
            for row in self.rows
            if SECOND_DEPOT in row["title"] and row["stock"] > 1000
        ]
        plain = {row["seller_id"]: row for row in self.plain_rows}
        return next(
            (row, plain[row["seller_id"]])
            for row in second
            if row["seller_id"] in plain
        )

    async def line(
        self, row: Row, quantity: int | None = None, line_no: int = 1
    ) -> OrderLine:
        offer = await self.channel.offer(row["item_id"])
        assert offer is not None
        sku = next(sku for sku in offer.skus if sku.sku_id == row["sku_id"])
        return OrderLine(
            line_no=line_no,
            item_id=offer.item_id,
            sku_id=sku.sku_id,
            title=offer.title,
            image_url=offer.image_url,
            quantity=quantity or offer.min_quantity,
            unit_price=sku.price,
            spec_id=sku.spec_id,
            distribution_item_id=offer.distribution_item_id,
            distribution_sku_id=sku.distribution_sku_id,
        )

    async def order(
        self, *rows: Row, quantity: int | None = None, order_ref: str = "R-1"
    ) -> SourcingOrder:
        """An order of one line a row; a plain one without rows."""
        rows = rows or (self.plain,)
        lines = [
            await self.line(row, quantity, line_no)
            for line_no, row in enumerate(rows, start=1)
        ]
        return self.order_of(
            *lines, seller_id=rows[0]["seller_id"], order_ref=order_ref
        )

    def order_of(
        self, *lines: OrderLine, seller_id: str = "", order_ref: str = "R-1"
    ) -> SourcingOrder:
        return order(
            *lines,
            order_ref=order_ref,
            marketplace=self.marketplace,
            seller_id=seller_id,
        )

    async def quoted_and_created(self, ours: SourcingOrder) -> Created:
        quote = await self.channel.quote(ours, self.warehouse)
        assert quote.problems == ()
        return await self.channel.create(
            claim(Action.CREATE, ours.order_ref),
            ours,
            self.warehouse,
            approved=quote.total,
        )

    async def create(self, ours: SourcingOrder) -> str:
        (order_id,) = (await self.quoted_and_created(ours)).order_ids
        return order_id

    async def created(self, order_ref: str = "R-1") -> str:
        return await self.create(await self.order(order_ref=order_ref))

    async def pay(self, order_id: str) -> None:
        await self.channel.pay(claim(Action.PAY), order_id)

    async def buy_out(self, rows: list[Row]) -> None:
        """Buy of each row, one after the other, all that an order may
        cost.
        """
        for number, row in enumerate(rows):
            quantity = min(row["stock"], 9_000_000_00 // row["price_fen"])
            await self.pay(
                await self.create(
                    await self.order(row, quantity=quantity, order_ref=f"R-{number}")
                )
            )

    def booked(self, reference: str = "R-1") -> list[Row]:
        return [
            entry
            for entry in self.sandbox.books()["orders"]
            if entry["reference"] == reference
        ]

    @contextmanager
    def fault(self, path: str, kind: str, **rule: Any) -> Iterator[None]:
        self.sandbox.faults({"path": path, "kind": kind, **rule})
        yield
        self.sandbox.faults()


def now() -> datetime:
    return datetime.now(UTC)
