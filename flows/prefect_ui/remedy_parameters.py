"""Parameters of the remedies' forms: answering an unknown, refunds, returns, receipts, messages to sellers.

The forms themselves have no bounds, since their messages would be a programmer's. The run rejects bad input in one
sentence, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from domain.after_sale import RefundKind
from domain.effects import Resolution, ResolutionKind
from domain.money import Money, yuan
from domain.wording import references_in
from flows.prefect_ui.parameters import BadInput, asked

K = ResolutionKind
NO_TEXTS: list[str] = []
NO_LINES: list[int] = []


class Answer(StrEnum):
    """The answers that the form lists; the first is no answer, so that none is preselected."""

    NONE_YET = "no answer yet: show what is asked"
    ORDERED = "it was ordered"
    NOT_ORDERED = "it was not ordered"
    PAID = "it was paid"
    NOT_PAID = "it was not paid"
    BOOKED = "its shipment was booked"
    NOT_BOOKED = "its shipment was not booked"
    CANCELLED = "it is cancelled"
    NOT_CANCELLED = "it is not cancelled"
    REFUND_ASKED = "the refund was asked for"
    NOT_REFUNDED = "the refund was not asked for"
    DONE = "something else happened"
    NOT_DONE = "something else did not happen"

    @property
    def kind(self) -> ResolutionKind:
        return ResolutionKind[self.name]


NAMED_BY = {
    K.ORDERED: "the marketplace's order id, as its console shows it",
    K.BOOKED: "the warehouse's order id, as its console shows it",
    K.REFUND_ASKED: "the id of the refund, as the marketplace's console shows it",
    K.DONE: "what it is about, as the question names it",
    K.NOT_DONE: "what it is about, as the question names it",
}

OnlyShow = Annotated[
    bool,
    asked(
        "Only show what would happen",
        "On: everything is looked up and checked, and nothing is sent or changed. Turn it off to do it",
    ),
]
OrderRef = Annotated[str, asked("Order", "Its reference, as it stands in the request file. Needed")]
RefundWay = Annotated[
    RefundKind, asked("What for", "refund: money alone, the goods stay. return: goods back for money")
]
RefundReason = Annotated[
    str,
    asked(
        "Reason", "Number or words of the marketplace's own list. Empty, with only showing switched on: shows that list"
    ),
]
RefundAmount = Annotated[
    str, asked("Amount in yuan", "Empty: the most that is possible. Example: 12.50", examples=["12.50"])
]
RefundLines = Annotated[list[int], asked("Lines", "Numbers of the order's lines, counted from 1. None: all of them")]
SellerWords = Annotated[str, asked("Words to the seller", "2 to 150 characters. Empty: the reason itself")]
Pictures = Annotated[
    list[str],
    asked(
        "Pictures",
        "Up to 5. Taobao: links. 1688: links, or paths of JPG files below 1 MB on the machine that runs the worker",
    ),
]
PictureLinks = Annotated[list[str], asked("Pictures", "Links to pictures, up to 5")]
LineNo = Annotated[
    int, asked("Line", "Where each line of the order has a refund of its own: its number. 0: there is only one refund")
]
Company = Annotated[
    str,
    asked("Carrier", "Code, such as SF, or name. Empty, with only showing switched on: shows who takes return parcels"),
]
ParcelNumber = Annotated[str, asked("Tracking number", "Of the parcel that goes back")]
ParcelNote = Annotated[str, asked("Note", "The message to the seller about the goods. May stay empty")]
MessageWords = Annotated[str, asked("Message", "1 to 500 characters. The same words are said once, however often sent")]
AnswerGiven = Annotated[
    Answer,
    asked(
        "Your answer",
        "What you saw in the console yourself. The service is read first: what it contradicts is not written down",
    ),
]
AnswerId = Annotated[
    str,
    asked(
        "Id",
        "Ordered: the marketplace's order id. Booked: the warehouse's order id. Refund asked for: its id. "
        "Something else: what the question names. Otherwise empty",
    ),
]
AnswerAmount = Annotated[
    str,
    asked(
        "Amount in yuan",
        "Paid: what left the wallet. Ordered, where nothing is approved: what it may cost. Otherwise empty",
    ),
]
AnswerTracking = Annotated[
    str,
    asked("Tracking numbers", "Booked: the international ones, with blanks or commas between them. Otherwise empty"),
]
AnsweredBy = Annotated[str, asked("Your name", "Who says so: kept with the answer. Needed to write it down")]


def one_order(order_ref: str) -> str:
    """The reference. Raises `BadInput` for none."""
    if not (named := order_ref.strip()):
        raise BadInput("say which order: fill in its reference, as it stands in the request file. Nothing was sent")
    return named


def some_orders(order_refs: Sequence[str]) -> list[str]:
    """The references, each once. Raises `BadInput` for none."""
    if not (named := list(dict.fromkeys(ref.strip() for ref in order_refs if ref.strip()))):
        raise BadInput("say which orders: add their references, as they stand in the request file. Nothing was sent")
    return named


def an_amount(text: str) -> Money | None:
    """The amount, None for an empty field. Raises `BadInput`."""
    if not text.strip():
        return None
    try:
        return yuan(text)
    except ValueError as error:
        raise BadInput(f"mend the amount: {error}. Nothing was sent") from error


def resolution_of(answer: Answer, named: str, amount_cny: str, tracking: str) -> Resolution:
    """The answer that these fields make. Raises `BadInput` for a missing field, or one that does not belong to it."""
    kind, named, amount = answer.kind, named.strip(), an_amount(amount_cny)
    numbers = tuple(references_in(tracking))
    given = {
        "Id": (bool(named), kind in NAMED_BY, NAMED_BY.get(kind, "")),
        "Amount in yuan": (amount is not None, kind is K.PAID, "what left the wallet"),
        "Tracking numbers": (bool(numbers), kind is K.BOOKED, "the international ones, as the console shows them"),
    }
    for field, (is_given, is_needed, what) in given.items():
        if is_needed and not is_given:
            raise BadInput(f"for the answer '{answer}' fill in {field}: {what}. Nothing was written")
        if is_given and not is_needed and not (field == "Amount in yuan" and kind is K.ORDERED):
            raise BadInput(f"{field} does not belong to the answer '{answer}': leave it empty. Nothing was written")
    return Resolution(kind=kind, value=named, tracking=numbers, amount=amount)
