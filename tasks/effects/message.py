"""Writing to the seller about a refund; a text is sent once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from connectors.ledger.records import OrderRecord
from domain.after_sale import Refund
from domain.effects import Action, Claim
from tasks.effects.after_sale import OnRefund, after_sale_of, rest_of
from tasks.effects.kind import Attempt, Proof

SAY = "-say-"


@dataclass(frozen=True)
class MessageSeller(OnRefund):
    """Messages about refunds. The hash of the text is kept with the effect, and sets one message apart from another."""

    words: str = ""
    vouchers: tuple[str, ...] = ()

    action: ClassVar[Action] = Action.NOTIFY
    is_worth_asking: ClassVar[bool] = False
    asks: ClassVar[str] = "Does the console show the message to the seller of order {order_id}?"
    reported: ClassVar[str] = (
        "sent to the seller about the {what}"  # its words may name a receiver: they stay out of logs
    )

    @classmethod
    def owns(cls, part: str) -> bool:
        return (rest_of(part) or "").startswith(SAY)

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        after_sale = after_sale_of(self.resources, order.marketplace)
        await after_sale.send_message(claim, self.given.refund_id, self.words, self.vouchers)
        return _proof(words_hash(self.words))

    async def seen(self, refund: Refund, attempt: Attempt) -> Proof | None:
        hashed = attempt.effect.request_hash
        return _proof(hashed) if await self.is_shown(refund, hashed) else None

    async def is_shown(self, refund: Refund, hashed: str) -> bool:
        """Whether the service shows a text of ours with this hash."""
        shown = await after_sale_of(self.resources, refund.marketplace).read(refund.refund_id)
        return hashed in {words_hash(event.description) for event in shown.events if event.role == "buyer"}


def words_hash(words: str) -> str:
    """The identity of a message."""
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def _proof(hashed: str) -> Proof:
    return Proof(answer={"message": hashed})
