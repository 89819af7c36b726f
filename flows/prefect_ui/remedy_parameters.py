"""Parameters of the remedies, each once: its type, its title in the form, and its words
there and in the command.

Commands read them too, so nothing here loads Prefect or Pydantic. The forms have no
bounds, since their messages would be a programmer's: the run rejects bad input in one
sentence, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

from typer import Argument, Option

from domain.after_sale import RefundKind
from domain.effects import Resolution, ResolutionKind
from domain.holds import Topic
from domain.marketplace import Marketplace
from domain.money import Money, yuan
from domain.request_remarks import BadInput
from domain.wording import references_in

K = ResolutionKind
NO_TEXTS: list[str] = []
NO_LINES: list[int] = []
NOTHING_CHECKED: list[Topic] = []
CHANGED_MY_MIND = "不想要了"


class Answer(StrEnum):
    """The answers that the form lists; the first is no answer, so that none is
    preselected.
    """

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
    CAME_BACK = "money came back that was not asked for here, or none will"
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


AMOUNTS = {
    K.PAID: "what left the wallet",
    K.CAME_BACK: "what has come back in all, 0 if nothing will",
}


def field(
    title: str, words: str, kind: Callable[..., Any] = Option, **option: Any
) -> Any:
    """The option or argument of a command, and the field of a form, which shows it
    below its title.
    """
    made = kind(help=words, **option)
    made.title = title
    return made


AMOUNT = field(
    "Amount in yuan",
    "How much in yuan, such as 12.50. Without it the most that is possible.",
)

OrderRef = Annotated[
    str, field("Order", "Its reference, as it stands in the request file.", Argument)
]
OrderRefs = Annotated[
    list[str],
    field("Orders", "Their references, as they stand in the request file.", Argument),
]
OnlyShow = Annotated[
    bool,
    field(
        "Only show what would happen",
        "On: everything is looked up and checked, and nothing is sent or changed. Turn it off to do it.",
    ),
]
AnsweredBy = Annotated[
    str,
    field(
        "Your name",
        "Who says so; it is kept. A command without it takes user and host.",
        metavar="NAME",
    ),
]
Why = Annotated[
    str, field("Why", "Shown with each order that it is about.", metavar="TEXT")
]
CancelReason = Annotated[
    str,
    field(
        "Reason",
        "Sent to the marketplace. For a paid order it must be one of the marketplace's own list.",
    ),
]
DroppedBatch = Annotated[
    str,
    field(
        "Batch",
        "Also all of its orders that are held or refused, and were never begun.",
        metavar="ID",
    ),
]
RefundWay = Annotated[
    RefundKind,
    field(
        "What for", "refund: money alone, the goods stay. return: goods back for money."
    ),
]
RefundReason = Annotated[
    str,
    field(
        "Reason",
        "Number or words of the marketplace's own list. Without it that list is shown.",
    ),
]
RefundAmount = Annotated[str, AMOUNT]
RefundLines = Annotated[
    list[int],
    field(
        "Lines",
        "Numbers of the order's lines, counted from 1. Without them all.",
        min=1,
    ),
]
SellerWords = Annotated[
    str,
    field(
        "Words to the seller",
        "What to write to the seller, 2 to 150 characters. Without it the reason itself.",
    ),
]
Pictures = Annotated[
    list[str],
    field(
        "Pictures",
        "Up to 5 links, or on 1688 JPG files below 1 MB, on the machine where this runs.",
        metavar="FILE|LINK",
    ),
]
PictureLinks = Annotated[
    list[str], field("Pictures", "Links to pictures, up to 5.", metavar="LINK")
]
LineNo = Annotated[
    int,
    field(
        "Line",
        "The order's line, where each has a refund of its own. 0: there is only one refund.",
        min=0,
    ),
]
Company = Annotated[
    str,
    field(
        "Carrier",
        "Its code, such as SF, or its name. A form that only shows lists carriers while this is empty.",
    ),
]
ParcelNumber = Annotated[
    str, field("Tracking number", "That of the parcel that goes back.")
]
ParcelNote = Annotated[str, field("Note", "The message to the seller about the goods.")]
ConfirmedAt = Annotated[
    Marketplace,
    field("Marketplace", "Which one you have checked in the console.", Argument),
]
Checked = Annotated[
    list[Topic],
    field(
        "What you have checked",
        "In the console, as todo asks it. What is not asked, or not named here, stays as it is.",
    ),
]
FirstPaymentOtherwise = Annotated[
    str,
    field(
        "Its first payment is otherwise",
        "How it differs from what is asked; for example: paid by credit. Holds the marketplace.",
        metavar="WORDS",
    ),
]
AnswerGiven = Annotated[
    Answer,
    field(
        "Your answer",
        "What you saw in the console yourself. The service is read first: what it contradicts is not written down.",
    ),
]
AnswerId = Annotated[
    str,
    field(
        "Id",
        "Ordered: the marketplace's order id. Booked: the warehouse's order id. Refund asked for: its id. "
        "Something else: what the question names. Otherwise empty.",
    ),
]
AnswerAmount = Annotated[
    str,
    field(
        "Amount in yuan",
        "Paid: what left the wallet. Came back: how much in all. Ordered, where nothing is approved or goods lack: "
        "what it may cost. Otherwise empty.",
    ),
]
AnswerTracking = Annotated[
    str,
    field(
        "Tracking numbers",
        "Booked: the international ones, with blanks or commas between them. Otherwise empty.",
    ),
]


def one_order(order_ref: str) -> str:
    """The reference. Raises `BadInput` for none."""
    if not (named := order_ref.strip()):
        raise BadInput(
            "say which order: fill in its reference, as it stands in the request file. Nothing was sent"
        )
    return named


def some_orders(order_refs: Sequence[str]) -> list[str]:
    """The references, each once. Raises `BadInput` for none."""
    if not (
        named := list(dict.fromkeys(ref.strip() for ref in order_refs if ref.strip()))
    ):
        raise BadInput(
            "say which orders: add their references, as they stand in the request file. Nothing was sent"
        )
    return named


def an_amount(text: str, *, least: int = 1) -> Money | None:
    """The amount, None for an empty field. Raises `BadInput`."""
    if not text.strip():
        return None
    try:
        return yuan(text, least=least)
    except ValueError as error:
        raise BadInput(f"mend the amount: {error}. Nothing was sent") from error


def resolution_of(
    answer: Answer, named: str, amount_cny: str, tracking: str
) -> Resolution:
    """The answer that these fields make. Raises `BadInput` for a missing field, or one
    that does not belong to it.
    """
    kind, named = answer.kind, named.strip()
    amount = an_amount(amount_cny, least=int(kind is not K.CAME_BACK))
    numbers = tuple(references_in(tracking))
    given = {
        "Id": (bool(named), kind in NAMED_BY, NAMED_BY.get(kind, "")),
        "Amount in yuan": (amount is not None, kind in AMOUNTS, AMOUNTS.get(kind, "")),
        "Tracking numbers": (
            bool(numbers),
            kind is K.BOOKED,
            "the international ones, as the console shows them",
        ),
    }
    for field, (is_given, is_needed, what) in given.items():
        if is_needed and not is_given:
            raise BadInput(
                f"for the answer '{answer}' fill in {field}: {what}. Nothing was written"
            )
        if (
            is_given
            and not is_needed
            and not (field == "Amount in yuan" and kind is K.ORDERED)
        ):
            raise BadInput(
                f"{field} does not belong to the answer '{answer}': leave it empty. Nothing was written"
            )
    return Resolution(kind=kind, value=named, tracking=numbers, amount=amount)
