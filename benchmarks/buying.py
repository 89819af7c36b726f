"""One order on its way from the plan to the booking, for whoever has no ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.marketplaces.freight import book, render
from connectors.marketplaces.protocol import Channel, Warehouse
from connectors.xportcn.client import XportcnClient
from domain.decisions import Verdict, match_sku, order_line
from domain.effects import Action, Claim, effect_key
from domain.offers import FreightQuote, FreightService, Offer, Quote, choose_freight
from domain.orders import OrderLine, OrderRequest, SourcingOrder
from domain.plan import PlannedOrder

FAR = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Buying:
    """An order of one line, with what the service has said so far."""

    request: OrderRequest
    seller_id: str
    lines: tuple[OrderLine, ...]
    quote: Quote | None = None
    order_id: str = ""
    freight: FreightQuote | None = None

    @property
    def ref(self) -> str:
        return self.request.order_ref

    @property
    def to_buy(self) -> SourcingOrder:
        return PlannedOrder(
            request=self.request,
            seller_id=self.seller_id,
            lines=self.lines,
            quote=self.quote,
        ).sourcing_order

    def claim(self, action: Action) -> Claim:
        """Leave that nobody gave."""
        key = effect_key(self.ref, action)
        return Claim(
            key=key, order_ref=self.ref, action=action, fence=1, lease_until=FAR
        )

    async def create(self, channel: Channel, warehouse: Warehouse) -> None:
        assert self.quote is not None
        created = await channel.create(
            self.claim(Action.CREATE), self.to_buy, warehouse, approved=self.quote.total
        )
        (self.order_id,) = created.order_ids

    async def render(self, client: XportcnClient) -> None:
        self.freight = await render(client, self.to_buy)

    async def book(self, client: XportcnClient) -> None:
        assert self.freight is not None
        service = self._service(self.freight)
        await book(
            client,
            self.claim(Action.BOOK),
            self.to_buy,
            self.order_id,
            self.freight,
            service,
        )

    def _service(self, freight: FreightQuote) -> FreightService:
        service = choose_freight(freight.services, self.request.freight)
        assert service is not None
        return service


def order_lines(
    request: OrderRequest, offer: Offer | None
) -> tuple[str, tuple[OrderLine, ...]]:
    """The seller, and the request's only line matched to its SKU."""
    assert offer is not None
    (line,) = request.lines
    sku = match_sku(offer, line.sku)
    assert not isinstance(sku, Verdict)
    return offer.seller_id, (order_line(1, line, offer, sku),)
