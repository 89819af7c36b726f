"""Giving a shop the tracking number of a parcel: looked up before it is sent, so that no number is given twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from connectors.ledger.records import OrderRecord
from connectors.shop_files import carriers_in
from connectors.shops import KINDS as SHOPS
from connectors.shops import opened_shop
from connectors.shops.protocol import NOTHING_LEFT, Shop
from connectors.xportcn.errors import Misconfigured, NotSent, Refused, XportcnError
from domain.absence import OwnRecord
from domain.effects import Action, Claim
from domain.shop_tracking import Parcel, carrier_names
from domain.witnessed import Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting, read_back_each


@dataclass(frozen=True)
class Fulfil(EffectKind):
    """Giving a `shop` the numbers of `parcels`, by `order_ref`. The shop's order shows the numbers that it has."""

    shop: Shop | None = None
    parcels: Mapping[str, Parcel] = field(default_factory=dict)

    action: ClassVar[Action] = Action.FULFIL
    is_worth_asking: ClassVar[bool] = False
    asks: ClassVar[str] = "Does the shop's order of {order_ref} show the tracking number {part}?"

    @classmethod
    def owns(cls, part: str) -> bool:
        return bool(part)

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        parcel = self.parcels[order.order_ref]
        assert self.shop is not None
        try:
            shown = await self.shop.read(parcel.shop_ref)
        except Misconfigured:
            raise
        except XportcnError as error:
            raise NotSent(error.message, operation=error.operation) from error
        if parcel.number not in shown.numbers:
            if why := shown.refusal(parcel):
                raise Refused(why, code=NOTHING_LEFT)
            name, there = carrier_names(parcel.company, carriers_in(self.resources.settings.data_dir), str(order.shop))
            await self.shop.fulfil(shown, parcel, there or name, lambda: self.resources.leave(claim))
        return _given(parcel.number)

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        found = dict[str, Sighting]()
        for name in sorted({str(one.order.shop) for one in attempts} & {*SHOPS}):
            async with nullcontext(self.shop) if self.shop else opened_shop(self.resources.settings, name) as shop:
                of_shop = [one for one in attempts if one.order.shop == name]
                found |= await read_back_each(of_shop, partial(_seen, shop))
        return found

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        """Whether the shop said no in words of its own; the order that is read after it decides."""
        return True

    def is_ruled_out_by(self, sighting: Sighting) -> bool:
        """The shop's order shows its numbers, so one that lacks this one had it never: any number of sends are safe."""
        return isinstance(sighting, OwnRecord)


async def _seen(shop: Shop, attempt: Attempt) -> Sighting:
    number, order = attempt.effect.part, attempt.order
    if number in (await shop.read(str(order.shop_ref))).numbers:
        return _given(number)
    return OwnRecord(shown=Statement(source=Source.DETAIL, of=order.order_ref, value="no such number"))


def _given(number: str) -> Proof:
    return Proof(answer={"tracking_number": number})
