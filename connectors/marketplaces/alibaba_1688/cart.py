"""1688's cart: its orders carry the buyer's message, so they are found again like any other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.marketplaces.alibaba_1688 import reading
from connectors.marketplaces.alibaba_1688.browser import address
from connectors.marketplaces.alibaba_1688.channel import Alibaba1688Channel
from connectors.marketplaces.protocol import Created, RowsAreGone, Warehouse
from connectors.marketplaces.refusals import no_quote, require_true
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Refused
from connectors.xportcn.operations import alibaba_cart as api
from connectors.xportcn.operations import alibaba_order
from connectors.xportcn.wire import Nothing
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.offers import Offer
from domain.orders import CartRow, OrderLine, SourcingOrder
from domain.quotes import Quote
from domain.service_orders import ServiceOrder


class Alibaba1688Cart:
    """Implements `Cart` (see `marketplaces.protocol`)."""

    marketplace: Marketplace = Marketplace.ALIBABA_1688

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def rows(self) -> tuple[CartRow, ...]:
        cart = await self._client.read(api.LIST, Nothing())
        live = [_row(row, seller) for seller in cart.enable_list for row in seller.cart_item_infos]
        return (*live, *(_row(row, None) for row in cart.disable_list))

    async def add(self, claim: Claim, line: OrderLine, offer: Offer) -> str:
        request = api.AddRequest(offer_id=line.item_id, spec_id=line.spec_id, quantity=line.quantity)
        return await self._client.effect(api.ADD, request, claim=claim)

    async def delete(self, row_ids: Sequence[str]) -> None:
        await self._client.read(api.DELETE, api.DeleteRequest(cart_ids=tuple(row_ids)))

    async def set_quantity(self, row_id: str, quantity: int) -> None:
        request = api.EditRequest(id=row_id, quantity=quantity)
        require_true(api.EDIT, answered=await self._client.read(api.EDIT, request))

    async def quote(self, order: SourcingOrder, row_ids: Sequence[str], warehouse: Warehouse) -> Quote:
        request = api.PreviewRequest(address_param=address(warehouse), cart_ids=tuple(row_ids))
        try:
            preview = await self._client.read(api.PREVIEW, request)
            return reading.quote(preview, order.lines, self._client.settings.allowed_trade_types)
        except Refused as refused:
            return no_quote(reading.problem(refused.code, refused.message))

    async def create(self, claim: Claim, order: SourcingOrder, row_ids: Sequence[str], warehouse: Warehouse) -> Created:
        request = api.CreateRequest(
            flow=order.flow or alibaba_order.FLOW,
            trade_type=order.trade_type or None,
            message=order.order_ref,
            address_param=address(warehouse),
            cart_ids=tuple(row_ids),
        )
        return reading.created(await self._client.effect(api.CREATE, request, claim=claim), order.lines)

    async def find(self, order: SourcingOrder, row_ids: Sequence[str], *, since: datetime) -> list[ServiceOrder]:
        shown = await Alibaba1688Channel(self._client).find([order.order_ref], since=since)
        found = list(shown.found.get(order.order_ref, ()))
        if not found and not any(row.row_id in row_ids for row in await self.rows()):
            words = "the rows have left the cart, and no order of theirs shows in the order list"
            raise RowsAreGone(words, operation=alibaba_order.ORDER_PAGE.name)
        return found


def _row(row: api.CartRow, seller: api.CartSeller | None) -> CartRow:
    return CartRow(
        row_id=row.id,
        item_id=row.offer_id,
        sku_id=row.sku_id,
        spec_id=row.spec_id,
        title=row.item_title,
        price=row.price,
        quantity=row.quantity,
        stock=row.amount_on_sale,
        seller_id=seller.seller_open_id if seller else "",
        seller_name=seller.seller_nick_name if seller else "",
        buyable=seller is not None,
    )
