"""Naming the parcel that brings returned goods back to the seller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from connectors.ledger.records import OrderRecord
from connectors.marketplaces.refusals import means_no
from connectors.xportcn.errors import Refused
from domain.after_sale import Refund, RefundState
from domain.effects import Action, Claim
from tasks.effects.after_sale import REFUND_REFUSED, STATUS_ERROR, OnRefund, after_sale_of, rest_of
from tasks.effects.kind import Attempt, Proof

ON_ITS_WAY = frozenset({RefundState.RETURNED, RefundState.REFUNDED})


@dataclass(frozen=True)
class ReturnParcel(OnRefund):
    """Naming the return parcel of a refund. `carrier` is the code of one; `vouchers` are links."""

    carrier: str = ""
    number: str = ""
    note: str = ""
    vouchers: tuple[str, ...] = ()

    action: ClassVar[Action] = Action.RETURN
    asks: ClassVar[str] = "Does the console show a return parcel for the refund of order {order_id}?"
    reported: ClassVar[str] = "named to the seller: parcel {number}"

    @classmethod
    def owns(cls, part: str) -> bool:
        return rest_of(part) is not None

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        await after_sale_of(self.resources, order.marketplace).send_back(
            claim,
            self.given.refund_id,
            carrier=self.carrier,
            number=self.number,
            note=self.note,
            vouchers=self.vouchers,
        )
        return Proof(answer={"carrier": self.carrier, "number": self.number})

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        """The status that refuses a parcel is also that of a refund which has one."""
        return means_no(refusal, REFUND_REFUSED - {STATUS_ERROR})

    async def seen(self, refund: Refund, attempt: Attempt) -> Proof | None:
        shown = await after_sale_of(self.resources, refund.marketplace).read(refund.refund_id)
        if shown.state not in ON_ITS_WAY:
            return None
        return Proof(answer={"carrier": shown.company, "number": shown.tracking_number})
