"""Asking for, modifying and withdrawing a refund."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from connectors.ledger.records import OrderChange, OrderRecord
from connectors.marketplaces.protocol import RefundRequest
from connectors.xportcn.errors import Refused
from domain.after_sale import UNDER_WAY, Refund, RefundState, after_refunding, standing
from domain.effects import Action, Claim, ResolutionKind
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from tasks.effects.after_sale import OnRefund, after_sale_of, refund_of, rest_of
from tasks.effects.kind import Attempt, Proof

MODIFY = "-modify-"
WITHDRAW = "-withdraw"


@dataclass(frozen=True)
class AskRefund(OnRefund):
    """Asking for refunds. A request shows as a refund of the order that was not there before."""

    request: RefundRequest | None = None

    action: ClassVar[Action] = Action.REFUND
    state_while_unknown: ClassVar[OrderState | None] = OrderState.REFUNDING
    happened: ClassVar[ResolutionKind] = ResolutionKind.REFUND_ASKED
    answered_with: ClassVar[tuple[str, ...]] = ("REFUND_ID",)
    did_not_happen: ClassVar[ResolutionKind] = ResolutionKind.NOT_REFUNDED
    asks: ClassVar[str] = "Does the console show a refund of order {order_id} that this ledger does not know?"
    reported: ClassVar[str] = "asked the seller for a {what}"

    @classmethod
    def owns(cls, part: str) -> bool:
        return rest_of(part) == ""

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        assert self.request
        return _asked(self.given, await after_sale_of(self.resources, order.marketplace).ask(claim, self.request))

    async def seen(self, refund: Refund, attempt: Attempt) -> Proof | None:
        """A refund that the order's lines show now and did not before this one was asked for (the newest is shown)."""
        after_sale = after_sale_of(self.resources, refund.marketplace)
        targets = await after_sale.targets(refund.order_id, attempt.order.lines, set(refund.lines))
        known = {one.refund_id for one in self.resources.ledger.refunds.of_orders([refund.order_ref])}
        shown = {refund_id for target in targets for refund_id in target.refund_ids}
        new = sorted(shown - known - set(refund.earlier_refund_ids))
        return _asked(refund, new[-1]) if new else None

    def state_if_not_done(self, attempt: Attempt) -> OrderState | None:
        refund = refund_of(self.resources, attempt.effect)
        others = self.resources.ledger.refunds.of_orders([attempt.order.order_ref])
        if any(other.state in UNDER_WAY for other in others if other.key != refund.key):
            return OrderState.REFUNDING
        return after_refunding(refund.state_before)

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        order_ref, what = attempt.order.order_ref, refund_of(self.resources, attempt.effect).kind
        why = because(ReasonCode.REFUND_NOT_TAKEN, what=what, failure=refusal.message, order_ref=order_ref)
        return OrderChange(order_ref=order_ref, state=self.state_if_not_done(attempt), why=why)


def _asked(refund: Refund, refund_id: str) -> Proof:
    why = standing(replace(refund, state=RefundState.ASKED))
    change = OrderChange(order_ref=refund.order_ref, state=OrderState.REFUNDING, why=why)
    return Proof(answer={"refund_id": refund_id}, change=change)


@dataclass(frozen=True)
class ModifyRefund(OnRefund):
    """Asking anew for a refund that was asked for or refused. Amount and reason are kept with the effect."""

    request: RefundRequest | None = None

    action: ClassVar[Action] = Action.REFUND
    asks: ClassVar[str] = "Does the console show the refund of order {order_id} as modified?"
    reported: ClassVar[str] = "asked the seller anew for a {what}"

    @classmethod
    def owns(cls, part: str) -> bool:
        return (rest_of(part) or "").startswith(MODIFY)

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        assert self.request
        await after_sale_of(self.resources, order.marketplace).modify(claim, self.given.refund_id, self.request)
        return _asked(self.given, self.given.refund_id)

    async def seen(self, refund: Refund, attempt: Attempt) -> Proof | None:
        shown = await after_sale_of(self.resources, refund.marketplace).read(refund.refund_id)
        asked = attempt.effect.amount_minor or 0, int(attempt.effect.request_hash or 0)
        over = shown.state in (RefundState.REFUSED, RefundState.CLOSED)
        return None if over or (shown.asked.minor, shown.reason_id) != asked else _asked(refund, refund.refund_id)


class WithdrawRefund(OnRefund):
    """Taking a refund back."""

    action: ClassVar[Action] = Action.CANCEL
    asks: ClassVar[str] = "Does the console show the refund of order {order_id} as closed?"
    reported: ClassVar[str] = "taken back by you: the {what}"

    @classmethod
    def owns(cls, part: str) -> bool:
        return rest_of(part) == WITHDRAW

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        await after_sale_of(self.resources, order.marketplace).withdraw(claim, self.given.refund_id)
        return _withdrawn(self.given)

    async def seen(self, refund: Refund, attempt: Attempt) -> Proof | None:
        shown = await after_sale_of(self.resources, refund.marketplace).read(refund.refund_id)
        return _withdrawn(refund) if shown.state is RefundState.CLOSED else None


def _withdrawn(refund: Refund) -> Proof:
    return Proof(answer={"refund_id": refund.refund_id})
