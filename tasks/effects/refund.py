"""Effects on a refund: asking for it, naming its return parcel. Their part names it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord
from connectors.ledger.store import Ledger
from connectors.marketplaces.protocol import AfterSale
from connectors.marketplaces.refusals import CHECKED, ORDER_STATUS_ERROR
from connectors.xportcn.errors import Misconfigured, Refused, XportcnError
from domain.absence import OwnRecord
from domain.after_sale import (
    UNDER_WAY,
    Refund,
    RefundState,
    ReturnedParcel,
    after_refunding,
    standing,
)
from domain.effects import Action, Claim, ResolutionKind
from domain.marketplace import Marketplace
from domain.reasons import Reason
from domain.states import OrderState
from domain.witnessed import Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting, not_to_be_asked
from tasks.engine.resources import Resources

ON_ITS_WAY = frozenset({RefundState.RETURNED, RefundState.REFUNDED})
STATUS_ERROR = "REFUND_STATUS_ERROR"
REFUND_REFUSED = CHECKED | {
    *(ORDER_STATUS_ERROR, STATUS_ERROR, "GOODS_STATUS_ERROR", "DISPUTE_REQUEST_ERROR"),
    *(
        "REASON_INVALID",
        "REASON_ERROR",
        "REFUND_FEE_INVALID",
        "APPLY_PAYMENT_ERROR",
        "APPLY_CARRIAGE_ERROR",
    ),
    *("VOUCHER_REQUIRED", "VOUCHER_INVALID", "LOGISTICS_COMPANY_UNKNOWN"),
}
"""Refusals after which nothing was done to a refund (docs/contract/assumed-all.md 2 and
3).
"""


def after_sale_of(resources: Resources, marketplace: Marketplace) -> AfterSale:
    """The after-sale of a marketplace of which the ledger has a cancellation or a
    refund.
    """
    after_sale = resources.offerings[marketplace].after_sale
    assert after_sale is not None, "judged before"
    return after_sale


def refund_of(resources: Resources, effect: EffectRecord) -> Refund:
    """The refund that an effect is about: it is in the ledger before its first effect,
    and stays there.
    """
    refunds = {
        refund.effect_part: refund
        for refund in resources.ledger.refunds.of_orders([effect.order_ref])
    }
    return refunds[effect.part.partition("-")[0]]


@dataclass(frozen=True)
class OnRefund(EffectKind):
    """An effect on a refund: on `refund` when it is sent, on the one that its part
    names when it is read back.
    """

    refund: Refund | None = None

    refusals = REFUND_REFUSED

    @property
    def given(self) -> Refund:
        assert self.refund is not None, "without its refund it can only be looked for"
        return self.refund

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        """One that is refused fails alone. A service that does not answer is not asked
        again about the others: waiting for each may take longer than a lease.
        """
        sightings: dict[str, Sighting] = {}
        silent: Reason | None = None
        for attempt in attempts:
            refund = refund_of(self.resources, attempt.effect)
            unchanged = OwnRecord(
                shown=Statement(source=Source.DETAIL, value=refund.key)
            )
            try:
                sighting = silent or await self.seen(refund, attempt) or unchanged
            except Misconfigured:
                raise
            except XportcnError as error:
                if len(attempts) == 1:
                    raise
                sighting = not_to_be_asked(error)
                silent = None if isinstance(error, Refused) else sighting
            sightings[attempt.effect.key] = sighting
        return sightings

    @abstractmethod
    async def seen(self, refund: Refund, attempt: Attempt) -> Proof | None:
        """What the service shows of the effect; None where its refund, or its order's,
        does not have it.
        """


@dataclass(frozen=True)
class AskRefund(OnRefund):
    """Asking for refunds. A request shows as a refund of the order that was not there
    before.
    """

    action = Action.REFUND
    state_while_unknown = OrderState.REFUNDING
    happened = ResolutionKind.REFUND_ASKED
    did_not_happen = ResolutionKind.NOT_REFUNDED
    asks = "Does the console show a refund of order {order_id} that this ledger does not know?"
    reported = "asked the seller for {amount} back"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        after_sale = after_sale_of(self.resources, order.marketplace)
        return _asked(self.given, await after_sale.ask(claim, self.given))

    async def seen(self, refund: Refund, attempt: Attempt) -> Proof | None:
        """A refund that the order's lines show now and did not before this one was
        asked for (the newest is shown).
        """
        after_sale = after_sale_of(self.resources, refund.marketplace)
        targets = await after_sale.targets(
            refund.order_id, attempt.order.lines, set(refund.lines)
        )
        known = {
            earlier.refund_id
            for earlier in self.resources.ledger.refunds.of_orders([refund.order_ref])
        }
        shown = {refund_id for target in targets for refund_id in target.refund_ids}
        new = sorted(shown - known - set(refund.earlier_refund_ids))
        return _asked(refund, new[-1]) if new else None

    def state_if_not_done(self, attempt: Attempt) -> OrderState | None:
        refund = refund_of(self.resources, attempt.effect)
        others = self.resources.ledger.refunds.of_orders([attempt.order.order_ref])
        if any(other.state in UNDER_WAY for other in others if other.key != refund.key):
            return OrderState.REFUNDING
        return after_refunding(
            refund.state_before, is_booked=attempt.order.shipment is not None
        )

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        order_ref = attempt.order.order_ref
        refund = refund_of(self.resources, attempt.effect)
        declined = RefundState.DECLINED
        why = standing(replace(refund, state=declined, refusal=refusal.message))
        return OrderChange(
            order_ref=order_ref, state=self.state_if_not_done(attempt), why=why
        )


def _asked(refund: Refund, refund_id: str) -> Proof:
    why = standing(replace(refund, state=RefundState.ASKED))
    change = OrderChange(
        order_ref=refund.order_ref, state=OrderState.REFUNDING, why=why
    )
    return Proof(answer={"refund_id": refund_id}, change=change)


@dataclass(frozen=True)
class ReturnParcel(OnRefund):
    """Naming the return `parcel` of a refund."""

    parcel: ReturnedParcel | None = None

    action = Action.RETURN
    refusals = REFUND_REFUSED - {
        STATUS_ERROR
    }  # also the status of a refund which has a parcel
    asks = "Does the console show a return parcel for the refund of order {order_id}?"
    reported = "named to the seller: parcel {number}"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        assert self.parcel
        await after_sale_of(self.resources, order.marketplace).send_back(
            claim, self.given.refund_id, self.parcel
        )
        return _named(self.parcel.carrier, self.parcel.number)

    async def seen(self, refund: Refund, attempt: Attempt) -> Proof | None:
        shown = await after_sale_of(self.resources, refund.marketplace).read(
            refund.refund_id
        )
        if shown.state not in ON_ITS_WAY:
            return None
        return _named(shown.company, shown.tracking_number)


def _named(carrier: str, number: str) -> Proof:
    return Proof(answer={"carrier": carrier, "number": number})


def times_requested(ledger: Ledger, refunds: Iterable[Refund]) -> dict[str, int]:
    """How often each of these refunds was begun to be asked for, by its key."""
    refs = {refund.order_ref for refund in refunds}
    return {
        f"{effect.order_ref}:{effect.part}": effect.fence
        for effect in ledger.effects_of(refs, Action.REFUND)
    }
