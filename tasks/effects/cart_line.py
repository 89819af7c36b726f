"""Putting one line of an order into the marketplace's cart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from connectors.ledger.records import OrderRecord
from connectors.marketplaces.protocol import Cart
from connectors.marketplaces.refusals import CHECKED, means_no
from connectors.xportcn.errors import Refused
from domain.absence import OwnRecord
from domain.effects import Action, Claim, EffectStatus
from domain.marketplace import Marketplace
from domain.orders import CartFault, CartRow, OrderLine, row_of
from domain.witnessed import Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.engine.resources import Resources


@dataclass(frozen=True)
class AddToCart(EffectKind):
    """Putting a line into the cart. Its SKU did not lie there before, so a row of it is the proof."""

    line: OrderLine | None = None

    action: ClassVar[Action] = Action.CART
    is_worth_asking: ClassVar[bool] = False

    @classmethod
    def owns(cls, part: str) -> bool:
        return True

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        line = self.line
        assert line is not None
        offer = next(offer for offer in order.offers if offer.item_id == line.item_id)
        return _lies_there(await require_cart(self.resources, order.marketplace).add(claim, line, offer))

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        marketplaces = {attempt.order.marketplace for attempt in attempts}
        rows = {place: await require_cart(self.resources, place).rows() for place in marketplaces}
        return {one.effect.key: _seen(one, rows[one.order.marketplace]) for one in attempts}

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        return means_no(refusal, CHECKED | {"CART_FULL"})

    @classmethod
    def question(cls, order_ref: str, order_id: str | None, part: str) -> str:
        return f"Does {part.replace('-', ' ')} of {order_ref} lie in the cart?"


def _seen(attempt: Attempt, rows: Sequence[CartRow]) -> Sighting:
    line = {part_of(line): line for line in attempt.order.lines}[attempt.effect.part]
    row = row_of(rows, line)
    return _lies_there(row.row_id) if row else OwnRecord(shown=Statement(source=Source.CART, value=part_of(line)))


def _lies_there(row_id: str) -> Proof:
    return Proof(answer={"row_id": row_id})


def part_of(line: OrderLine) -> str:
    """The part of the key that sets the adding of one line apart from that of the order's other lines."""
    return f"line-{line.line_no}"


def require_cart(resources: Resources, marketplace: Marketplace) -> Cart:
    """The cart of a marketplace. Raises `CartFault` where the service has none."""
    cart = resources.offerings[marketplace].cart
    if cart is None:
        raise CartFault(f"the service has no cart for {marketplace}")
    return cart


def row_ids(resources: Resources, order: OrderRecord) -> dict[int, str]:
    """The cart's row of each line that was put there, by line number."""
    rows = {
        effect.part: str(effect.answer["row_id"])
        for effect in resources.ledger.effects_of([order.order_ref])
        if effect.action is Action.CART and effect.status is EffectStatus.DONE and effect.answer
    }
    return {line.line_no: rows[part_of(line)] for line in order.lines if part_of(line) in rows}
