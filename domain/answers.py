"""What only a person can find out about an order: the questions, and the answers that are taken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.effects import Action
from domain.money import Money


class AnswerKind(StrEnum):
    """A person's answer; the value is the option of `sourcing resolve`."""

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
    DONE = "done"
    NOT_DONE = "not-done"


K = AnswerKind

ABOUT = {
    K.ORDERED: Action.CREATE,
    K.NOT_ORDERED: Action.CREATE,
    K.PAID: Action.PAY,
    K.NOT_PAID: Action.PAY,
    K.BOOKED: Action.BOOK,
    K.NOT_BOOKED: Action.BOOK,
    K.CANCELLED: Action.CANCEL,
    K.NOT_CANCELLED: Action.CANCEL,
    K.REFUND_ASKED: Action.REFUND,
    K.NOT_REFUNDED: Action.REFUND,
}
"""The action that an answer is about; `DONE` and `NOT_DONE` name the effect by its key."""

FORMS = {
    Action.CREATE: ("--ordered ORDER_ID", "--not-ordered"),
    Action.PAY: ("--paid AMOUNT_CNY", "--not-paid"),
    Action.BOOK: ("--booked SHIPMENT_ORDER_ID --tracking NUMBER", "--not-booked"),
    Action.CANCEL: ("--cancelled", "--not-cancelled"),
    Action.REFUND: ("--refund-asked REFUND_ID", "--not-refunded"),
}


class AnswerRefused(Exception):
    """An answer that can't be taken; the message says why and what to do. Nothing was written or sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person says. `value` is an id or an effect's key; `amount` what was paid, or what may be paid."""

    kind: AnswerKind
    value: str = ""
    tracking: tuple[str, ...] = ()
    amount: Money | None = None

    @property
    def happened(self) -> bool:
        return self.kind in (K.ORDERED, K.PAID, K.BOOKED, K.CANCELLED, K.REFUND_ASKED, K.DONE)

    @property
    def words(self) -> str:
        """The answer as it is typed, for the audit trail."""
        amount = str(self.amount.major) if self.amount else ""
        parts = [f"--{self.kind}", self.value or (amount if self.kind is K.PAID else "")]
        parts += [f"--tracking {number}" for number in self.tracking]
        parts += [f"--up-to {amount}"] if amount and self.kind is K.ORDERED else []
        return " ".join(part for part in parts if part)


def question(action: Action, order_ref: str, order_id: str | None, *, part: str = "") -> str:
    """What a person has to find out about one action of an order."""
    match action:
        case Action.CREATE:
            return f"Does the marketplace's console show an order with reference {order_ref}?"
        case Action.PAY:
            return f"Does the console show order {order_id} as paid, and did the money leave the wallet?"
        case Action.BOOK:
            return f"Does the warehouse console show a shipment for order {order_id}?"
        case Action.CANCEL if not part:
            return f"Does the console show order {order_id} as closed?"
        case Action.REFUND if "-" not in part:
            return f"Does the console show a refund of order {order_id} that this ledger does not know?"
        case _:
            return f"Does the console show for order {order_id} that this happened: {action} {part}?".replace(" ?", "?")


def forms(action: Action, order_ref: str, key: str, *, part: str = "") -> list[str]:
    """The commands that answer a question, one for each answer."""
    own = (action is Action.REFUND and "-" not in part) or (action in FORMS and part in ("", "cart"))
    answers = FORMS[action] if own else (f"--done {key}", f"--not-done {key}")
    return [f"sourcing resolve {order_ref} {answer}" for answer in answers]
