"""A foreign action with consequences, the claim that allows sending it, and what is
known of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.money import Money


class Action(StrEnum):
    """What an effect does.

    `NOTIFY` sends the warehouse a parcel number, `RETURN` sends goods back. `CALL` is
    any other change at the service, which only a person makes (`sourcing call`).
    """

    CREATE = "create"
    PAY = "pay"
    BOOK = "book"
    NOTIFY = "notify"
    CANCEL = "cancel"
    REFUND = "refund"
    RETURN = "return"
    CALL = "call"


SPENDING = (Action.CREATE, Action.PAY, Action.BOOK)
TAKING_BACK = (Action.CANCEL, Action.REFUND)


class EffectStatus(StrEnum):
    """What the ledger knows of an effect.

    `SENDING` is written before the request leaves. It stays when the process dies, so
    it means: it may have happened.
    """

    SENDING = "sending"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    UNSENT = "unsent"


OPEN = (EffectStatus.SENDING, EffectStatus.UNKNOWN)
"""An effect in one of these may have happened."""


REPEATS = "repeats"
"""In the answer of an effect that may be sent once more: the hash of its first request,
which may have arrived.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to send one effect, until `lease_until` (UTC). Only the ledger makes
    one.

    `fence` grows with every new holder: an outcome written with an old fence is not
    accepted.
    """

    key: str
    order_ref: str
    action: Action
    fence: int
    lease_until: datetime


MOST_DOUBTFUL_SENDS = 2
"""After so many sends of an effect with an unknown outcome only a person lets it be
sent again.
"""


def effect_key(
    order_ref: str, action: Action, *, part: str = "", attempt: int = 1
) -> str:
    """`order_ref:action[:part][:n]`: made from what the action is, never from a run.

    `part` sets several effects of one action apart (a parcel number); `n` stands from
    the second attempt on, which only a refusal of the one before allows.
    """
    return ":".join(
        [
            order_ref,
            action,
            *([part] if part else []),
            *([str(attempt)] if attempt > 1 else []),
        ]
    )


class ResolutionKind(StrEnum):
    """A person's answer, as `sourcing resolve` takes it; `SHOW` asks what is asked."""

    SHOW = "show"
    ORDERED = "ordered"
    NOT_ORDERED = "not-ordered"
    PAID = "paid"
    NOT_PAID = "not-paid"
    BOOKED = "booked"
    NOT_BOOKED = "not-booked"
    CANCELLED = "cancelled"
    NOT_CANCELLED = "not-cancelled"
    REFUND_ASKED = "refund-asked"
    NOT_REFUNDED = "not-refunded"
    CAME_BACK = "came-back"
    DONE = "done"
    NOT_DONE = "not-done"


K = ResolutionKind

ANSWERED_WITH = {
    K.ORDERED: "ORDER_ID",
    K.PAID: "AMOUNT_CNY",
    K.BOOKED: "SHIPMENT_ORDER_ID --tracking NUMBER",
    K.REFUND_ASKED: "REFUND_ID",
    K.CAME_BACK: "AMOUNT_CNY",
    K.DONE: "EFFECT",
    K.NOT_DONE: "EFFECT",
}
"""What a person adds to the answer."""


class ResolutionRefused(Exception):
    """An answer that can't be taken; the message says why and what to do. Nothing was
    written or sent.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """A person's answer. `value` is an id or an effect's key; `amount` what was or may
    be paid, or came back.
    """

    kind: ResolutionKind
    value: str = ""
    tracking: tuple[str, ...] = ()
    amount: Money | None = None

    @property
    def words(self) -> str:
        """The answer as it is typed, for the audit trail."""
        amount = str(self.amount.major) if self.amount is not None else ""
        texts = [
            self.kind,
            self.value or (amount if self.kind is not K.ORDERED else ""),
        ]
        texts += [f"--tracking {number}" for number in self.tracking]
        texts += [f"--up-to {amount}"] if amount and self.kind is K.ORDERED else []
        return " ".join(text for text in texts if text)
