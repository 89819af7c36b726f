"""Giving a shop the tracking number of a parcel: looked up before it is sent, so that
no number is given twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from connectors.ledger.records import OrderRecord
from connectors.shops import KINDS as SHOPS
from connectors.shops import opened_shop
from connectors.shops.protocol import NOTHING_LEFT, THROTTLED, Shop
from connectors.xportcn.errors import (
    NEVER_S,
    Misconfigured,
    NotSent,
    Refused,
    ServiceAway,
    XportcnError,
)
from domain.absence import OwnRecord
from domain.effects import Action, Claim
from domain.shop_tracking import Carrier, Parcel, carrier_names
from domain.witnessed import Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting, read_back_each

BROKEN = 500
LONGEST_WAIT_S = 8.0
"""A shop that asks for a longer wait is asked no more in this run."""


@dataclass(frozen=True)
class Fulfil(EffectKind):
    """Giving a `shop` the numbers of `parcels`, by `order_ref`. The shop's order shows
    the numbers that it has.

    `unread` has why orders could not be read; one that is away is asked about no other.
    """

    shop: Shop | None = None
    parcels: Mapping[str, Parcel] = field(default_factory=dict)
    carriers: Sequence[Carrier] = ()
    unread: dict[str, NotSent] = field(default_factory=dict)

    action: ClassVar[Action] = Action.FULFIL
    is_worth_asking: ClassVar[bool] = False
    asks: ClassVar[str] = (
        "Does the shop's order of {order_ref} show the tracking number {part}?"
    )

    @classmethod
    def owns(cls, part: str) -> bool:
        return bool(part)

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        parcel = self.parcels[order.order_ref]
        assert self.shop is not None
        if away := next((one for one in self.unread.values() if _is_away(one)), None):
            raise away
        try:
            shown = await self.shop.read(parcel.shop_ref)
        except Misconfigured:
            raise
        except XportcnError as error:
            self.unread[order.order_ref] = _turned_away(error)
            raise self.unread[order.order_ref] from error
        self.unread.pop(order.order_ref, None)
        if parcel.number not in shown.numbers:
            if why := shown.refusal(parcel):
                raise Refused(why, code=NOTHING_LEFT)
            name, there = carrier_names(parcel.company, self.carriers, str(order.shop))
            await self.shop.fulfil(
                shown, parcel, there or name, lambda: self.resources.leave(claim)
            )
        return _given(parcel.number)

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        found = dict[str, Sighting]()
        for name in sorted({str(one.order.shop) for one in attempts} & {*SHOPS}):
            async with (
                nullcontext(self.shop)
                if self.shop
                else opened_shop(self.resources.settings, name) as shop
            ):
                of_shop = [one for one in attempts if one.order.shop == name]
                found |= await read_back_each(of_shop, partial(_seen, shop))
        return found

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        """Whether the shop said no in words of its own; the order that is read after it
        decides.
        """
        return True

    def is_ruled_out_by(self, sighting: Sighting) -> bool:
        """The shop's order shows its numbers, so one that lacks this one had it never:
        any number of sends are safe.
        """
        return isinstance(sighting, OwnRecord)


def _turned_away(error: XportcnError) -> NotSent:
    """A read that failed, and so nothing was sent: what does not pass within seconds is
    left to the next run.
    """
    is_busy = error.code == THROTTLED or (error.status or 0) >= BROKEN
    wait = (
        NEVER_S
        if not is_busy
        else error.retry_after_s
        if isinstance(error, NotSent)
        else None
    )
    kind = ServiceAway if is_busy or isinstance(error, NotSent) else NotSent
    return kind(error.message, retry_after_s=wait, operation=error.operation)


def _is_away(error: NotSent) -> bool:
    return (
        isinstance(error, ServiceAway) and (error.retry_after_s or 0.0) > LONGEST_WAIT_S
    )


async def _seen(shop: Shop, attempt: Attempt) -> Sighting:
    number, order = attempt.effect.part, attempt.order
    if number in (await shop.read(str(order.shop_ref))).numbers:
        return _given(number)
    return OwnRecord(
        shown=Statement(
            source=Source.DETAIL, of=order.order_ref, value="no such number"
        )
    )


def _given(number: str) -> Proof:
    return Proof(answer={"tracking_number": number})
