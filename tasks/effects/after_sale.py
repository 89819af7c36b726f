"""The common part of effects on a refund: the beginning of their part names the refund."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.ledger.records import EffectRecord
from connectors.marketplaces.protocol import AfterSale
from connectors.marketplaces.refusals import CHECKED, ORDER_STATUS_ERROR, means_no
from connectors.xportcn.errors import Refused
from domain.absence import OwnRecord
from domain.after_sale import Refund
from domain.marketplace import Marketplace
from domain.witnessed import Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting, read_back_each
from tasks.engine.resources import Resources

STATUS_ERROR = "REFUND_STATUS_ERROR"
REFUND_REFUSED = CHECKED | {
    *(ORDER_STATUS_ERROR, STATUS_ERROR, "GOODS_STATUS_ERROR", "DISPUTE_REQUEST_ERROR"),
    *("REASON_INVALID", "REASON_ERROR", "REFUND_FEE_INVALID", "APPLY_PAYMENT_ERROR", "APPLY_CARRIAGE_ERROR"),
    *("VOUCHER_REQUIRED", "VOUCHER_INVALID", "LOGISTICS_COMPANY_UNKNOWN"),
}
"""Refusals after which nothing was done to a refund (docs/contract/assumed-all.md 2 and 3)."""
PART = re.compile(r"(?P<refund>[0-9a-z+]+\.[0-9]+)(?P<rest>-.*)?")


def after_sale_of(resources: Resources, marketplace: Marketplace) -> AfterSale:
    """The after-sale of a marketplace of which the ledger has a cancellation or a refund."""
    after_sale = resources.offerings[marketplace].after_sale
    assert after_sale is not None, "judged before"
    return after_sale


def rest_of(part: str) -> str | None:
    """What stands behind the refund in a part: empty for asking for it; None for a part that is about no refund."""
    found = PART.fullmatch(part)
    return (found["rest"] or "") if found else None


def refund_of(resources: Resources, effect: EffectRecord) -> Refund:
    """The refund that an effect is about: it is in the ledger before its first effect, and stays there."""
    found = PART.fullmatch(effect.part)
    refunds = {one.effect_part: one for one in resources.ledger.refunds.of_orders([effect.order_ref])}
    return refunds[found["refund"] if found else ""]


@dataclass(frozen=True)
class OnRefund(EffectKind):
    """An effect on a refund: on `refund` when it is sent, on the one that its part names when it is read back."""

    refund: Refund | None = None

    @property
    def given(self) -> Refund:
        assert self.refund is not None, "without its refund it can only be looked for"
        return self.refund

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        return means_no(refusal, REFUND_REFUSED)

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        return await read_back_each(attempts, self._read_back)

    async def _read_back(self, attempt: Attempt) -> Sighting:
        refund = refund_of(self.resources, attempt.effect)
        return await self.seen(refund, attempt) or OwnRecord(shown=Statement(source=Source.DETAIL, value=refund.key))

    @abstractmethod
    async def seen(self, refund: Refund, attempt: Attempt) -> Proof | None:
        """What the service shows of the effect; None where its refund, or its order's, does not have it."""
