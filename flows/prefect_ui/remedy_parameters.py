"""Parameters of the remedies, each once: its type, its title in the form, and its words
there and in the command.

Commands read them too, so nothing here loads Prefect or Pydantic. The forms have no
bounds, since their messages would be a programmer's: the run rejects bad input in one
sentence, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from typer import Argument, Option

from domain.after_sale import RefundKind
from domain.effects import ANSWERED_WITH, Resolution
from domain.effects import ResolutionKind as K
from domain.holds import Topic
from domain.marketplace import Marketplace
from domain.money import Money, yuan
from domain.request_remarks import BadInput
from domain.wording import references_in

NO_TEXTS: list[str] = []
NO_LINES: list[int] = []
NOTHING_CHECKED: list[Topic] = []
CHANGED_MY_MIND = "不想要了"


def field(
    title: str, words: str, kind: Callable[..., Any] = Option, **option: Any
) -> Any:
    """The option or argument of a command, and the field of a form, which shows it
    below its title.
    """
    parameter = kind(help=words, **option)
    parameter.title = title
    return parameter


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
    K,
    field(
        "Your answer",
        "What you saw in the console yourself; show: what is asked. The service is read first: what it contradicts is "
        "not written down.",
        Argument,
    ),
]
AnswerValue = Annotated[
    str,
    field(
        "Id or amount",
        "ordered, booked and refund-asked: the id that the console shows. paid: what left the wallet, in yuan. "
        "came-back: how much in all, 0 if nothing will. done, not-done: what the question names.",
        Argument,
    ),
]
AnswerTracking = Annotated[
    list[str],
    field(
        "Tracking numbers",
        "With booked: the international tracking number; one for each parcel.",
        metavar="NUMBER",
    ),
]
AnswerUpTo = Annotated[
    str,
    field(
        "It may cost",
        "With ordered: what it may cost in yuan, if nothing is approved or goods lack.",
        metavar="AMOUNT_CNY",
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
    answer: K, value: str, tracking: Sequence[str], up_to: str
) -> Resolution:
    """The answer that these fields make. Raises `BadInput` for half an answer, and for
    what does not belong to it.
    """
    value = value.strip()
    numbers = tuple(references_in(" ".join(tracking)))
    is_amount = answer in (K.PAID, K.CAME_BACK)
    is_whole = (bool(value), bool(numbers)) == (
        answer in ANSWERED_WITH,
        answer is K.BOOKED,
    )
    if not is_whole or (up_to and answer is not K.ORDERED):
        answer_text = f"{answer} {ANSWERED_WITH.get(answer, '')}".rstrip()
        raise BadInput(f"the whole answer is: {answer_text}. Nothing was written")
    return Resolution(
        kind=answer,
        value="" if is_amount else value,
        tracking=numbers,
        amount=an_amount(
            value if is_amount else up_to, least=int(answer is not K.CAME_BACK)
        ),
    )
