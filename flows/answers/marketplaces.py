"""Questions about a marketplace, and what follows from their answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from connectors.ledger.marks import Note
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action, EffectStatus
from domain.holds import Topic, differs, first_payment
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import UNITS_IN_DOUBT, Reason, ReasonCode
from domain.states import OrderState
from domain.wording import shorten

MOST_REASONS = 10


class Question(NamedTuple):
    """An open question about a marketplace; `about` is the order that it names, if
    any.
    """

    topic: Topic
    words: str
    about: str = ""


def open_about(ledger: Ledger, marketplace: Marketplace) -> list[Question]:
    """The open questions, in the order in which they are asked."""
    orders = [
        order
        for order in ledger.orders_in([OrderState.HELD, OrderState.ORDERED]).values()
        if order.marketplace is marketplace
    ]
    open_questions = list[Question]()
    in_doubt = [order for order in orders if order.reason_code in UNITS_IN_DOUBT]
    units = XportcnSettings().units_at(marketplace)
    if reasons := ledger.holds.standing().get(marketplace):
        reason = shorten([reason for reason, _ in reasons], most=MOST_REASONS)
        open_questions.append(
            Question(Topic.AMOUNTS, f"{marketplace} is held. {reason}")
        )
    elif in_doubt and not ledger.marks.is_noted(Note.UNITS.at(marketplace), units):
        message = f"{in_doubt[0].order_ref}: {in_doubt[0].reason}"
        open_questions.append(Question(Topic.AMOUNTS, message, in_doubt[0].order_ref))
    if first := first_payments(ledger).get(marketplace):
        about = str(first.facts["first"])
        open_questions.append(Question(Topic.FIRST_PAYMENT, str(first), about))
    doubts = [
        order.reason for order in orders if order.reason_code is ReasonCode.MAY_BE_THERE
    ]
    nameless = [
        order for order in orders if order.reason_code is ReasonCode.NO_REFERENCE_YET
    ]
    if nameless and marketplace not in ledger.marks.nameless():
        message = _nameless(nameless[0])
        open_questions.append(Question(Topic.REFERENCE, message, nameless[0].order_ref))
        doubts.append(
            f"lists of {marketplace} may have orders of ours without a reference"
        )
    if doubts:
        open_questions.append(Question(Topic.ALL_KNOWN, doubts[0]))
    return open_questions


def _nameless(order: OrderRecord) -> str:
    goods = shorten([f"{line.title} × {line.quantity}" for line in order.lines])
    total = Money(order.total_minor or 0, order.currency)
    return (
        f"{order.marketplace} named order {order.order_id} in its answer to creating {order.order_ref}, and shows it "
        f"without our reference: {goods}, {total}, {order.ordered_at:%Y-%m-%d %H:%M} UTC"
    )


def first_payments(ledger: Ledger) -> dict[Marketplace, Reason]:
    """The open question about the first payment at each marketplace, once its outcome
    is known.
    """
    open_questions = ledger.first_orders.asked()
    if not open_questions:
        return {}
    orders = ledger.orders(open_questions.values())
    paying = {
        effect.order_ref: effect
        for effect in ledger.effects_of(orders, Action.PAY)
        if effect.status is EffectStatus.DONE
    }
    reasons = {}
    for marketplace, ref in open_questions.items():
        if ref in paying:
            order = orders[ref]
            is_seen = order.paid_minor is not None
            amount = order.paid if is_seen else paying[ref].amount or order.paid
            reasons[marketplace] = first_payment(
                marketplace, ref, order.order_id or "", amount, order.lines
            )
    return reasons


def answer(
    ledger: Ledger,
    marketplace: Marketplace,
    question: Question,
    *,
    by: str,
    otherwise: str = "",
) -> str:
    """Record an answer, and tell its effect. A first payment that is `otherwise` than
    it should be holds the marketplace.
    """
    topic, _, about = question
    is_right = not (otherwise and topic is Topic.FIRST_PAYMENT)
    if topic in (Topic.AMOUNTS, Topic.FIRST_PAYMENT) and is_right:
        units = XportcnSettings().units_at(marketplace)
        ledger.marks.note(Note.UNITS.at(marketplace), units, by=by)
    if topic is Topic.FIRST_PAYMENT:
        ledger.first_orders.answer(marketplace, about, otherwise=otherwise, by=by)
    elif topic is Topic.AMOUNTS:
        ledger.holds.release(marketplace, by=by)
    elif topic is Topic.REFERENCE:
        ledger.marks.note(Note.NAMELESS.at(marketplace), about, by=by)
    else:
        ledger.marks.note(Note.KNOWN.at(marketplace), "", by=by)
    return topic if is_right else f"{marketplace} is held: {differs(about, otherwise)}"


def answered(
    ledger: Ledger,
    marketplace: Marketplace,
    topics: Collection[Topic],
    *,
    by: str,
    otherwise: str = "",
) -> str:
    """Answer the open questions of these topics, and tell the effects."""
    done = [
        answer(ledger, marketplace, question, by=by, otherwise=otherwise)
        for question in open_about(ledger, marketplace)
        if question.topic in topics
    ]
    return f"{marketplace}: {', '.join(done) or 'nothing of that was asked'}"
