"""Carts: putting lines there, and ordering the rows, found again by contents since they
bear no reference of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import ClassVar

from connectors.ledger.order_ids import misnamed
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.marketplaces.protocol import Cart, RowsAreGone
from connectors.marketplaces.refusals import CHECKED, NOT_ORDERED, means_not_ordered
from connectors.xportcn.errors import Refused
from domain.absence import OwnRecord
from domain.effects import Action, Claim, EffectStatus
from domain.marketplace import Marketplace
from domain.orders import CartFault, CartRow, OrderLine, row_of
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from domain.witnessed import Source, Statement
from tasks.effects.create_by_reference import (
    CLOCK_MARGIN,
    Create,
    found,
    ordered,
    several,
)
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting, read_back_each
from tasks.engine.resources import Resources


@dataclass(frozen=True)
class AddToCart(EffectKind):
    """Putting a line into the cart. Its SKU did not lie there before, so a row of it is
    the proof.
    """

    line: OrderLine | None = None

    action: ClassVar[Action] = Action.CART
    refusals: ClassVar[Set[str]] = CHECKED | {"CART_FULL"}
    is_worth_asking: ClassVar[bool] = False

    @classmethod
    def owns(cls, part: str) -> bool:
        return True

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        line = self.line
        assert line is not None
        offer = next(offer for offer in order.offers if offer.item_id == line.item_id)
        return _lies_there(
            await require_cart(self.resources, order.marketplace).add(
                claim, line, offer
            )
        )

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        marketplaces = {attempt.order.marketplace for attempt in attempts}
        rows = {
            place: await require_cart(self.resources, place).rows()
            for place in marketplaces
        }
        return {
            one.effect.key: _seen(one, rows[one.order.marketplace]) for one in attempts
        }

    @classmethod
    def question(cls, order_ref: str, order_id: str | None, part: str) -> str:
        return f"Does {part.replace('-', ' ')} of {order_ref} lie in the cart?"


def _seen(attempt: Attempt, rows: Sequence[CartRow]) -> Sighting:
    line = {part_of(line): line for line in attempt.order.lines}[attempt.effect.part]
    row = row_of(rows, line)
    return (
        _lies_there(row.row_id)
        if row
        else OwnRecord(shown=Statement(source=Source.CART, value=part_of(line)))
    )


def _lies_there(row_id: str) -> Proof:
    return Proof(answer={"row_id": row_id})


def part_of(line: OrderLine) -> str:
    """The part of the key that sets the adding of one line apart from that of the
    order's other lines.
    """
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
        if effect.action is Action.CART
        and effect.status is EffectStatus.DONE
        and effect.answer
    }
    return {
        line.line_no: rows[part_of(line)]
        for line in order.lines
        if part_of(line) in rows
    }


PART, ROWS_GONE = "cart", "40405"


class CreateFromCart(Create):
    """Ordering the rows of orders. The part keeps it apart from creating without a
    cart, which is found differently.
    """

    before: ClassVar[OrderState | None] = OrderState.HELD
    asks: ClassVar[str] = (
        "Does the marketplace's console show an order of what lay in the cart for {order_ref}?"
    )

    @classmethod
    def owns(cls, part: str) -> bool:
        return part == PART

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        resources, cart = (
            self.resources,
            require_cart(self.resources, order.marketplace),
        )
        rows = list(row_ids(resources, order).values())
        warehouse = await resources.warehouse()
        created = await cart.create(claim, order.sourcing_order, rows, warehouse)
        if len(created.order_ids) != 1:
            return _several(order, created.order_ids)
        (order_id,) = created.order_ids
        total = Statement(source=Source.CREATED, value=created.total)
        return ordered(
            order,
            order_id,
            total,
            resources.clock(),
            {"order_id": order_id},
            str(warehouse),
        )

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        return await read_back_each(
            attempts, lambda attempt: self._read_back(attempt.order)
        )

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        why = because(ReasonCode.CART_ORDER_REFUSED, failure=refusal.message)
        return OrderChange(
            order_ref=attempt.order.order_ref, state=OrderState.HELD, why=why
        )

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        """Rows that are gone may have been ordered."""
        return means_not_ordered(refusal, NOT_ORDERED - {ROWS_GONE})

    def if_misnamed(self, attempt: Attempt) -> Reason:
        return misnamed("what lay in the cart")

    async def _read_back(self, order: OrderRecord) -> Sighting:
        """An order of these contents that no order of this ledger has."""
        ledger = self.resources.ledger
        begun = [
            one.intent_at
            for one in ledger.effects_of([order.order_ref])
            if one.action is Action.CREATE
        ]
        since = min(begun, default=order.recorded_at) - CLOCK_MARGIN
        cart, rows = (
            require_cart(self.resources, order.marketplace),
            list(row_ids(self.resources, order).values()),
        )
        try:
            shown = await cart.find(order.sourcing_order, rows, since=since)
        except RowsAreGone as gone:
            return because(ReasonCode.ROWS_ARE_GONE, failure=gone.message)
        known = {
            str(one.order_id)
            for one in ledger.orders_with_ids(one.order_id for one in shown).values()
        }
        alive = [
            one
            for one in shown
            if one.order_id not in known and one.status is not ServiceStatus.CLOSED
        ]
        if not alive:
            return OwnRecord(shown=Statement(source=Source.CART, value=order.order_ref))
        if len(alive) > 1:
            return _several(order, [one.order_id for one in alive])
        only, now = alive[0], self.resources.clock()
        return found(
            order,
            only,
            Statement(source=Source.LISTED, value=only.total),
            now,
            {"order_id": only.order_id},
        )


def _several(order: OrderRecord, order_ids: Sequence[str]) -> Proof:
    ref, ids = order.order_ref, order_ids or " "
    why = because(
        ReasonCode.CART_BECAME_SEVERAL,
        count=len(order_ids),
        order_ref=ref,
        order_ids=ids,
    )
    return several(ref, order_ids, why)
