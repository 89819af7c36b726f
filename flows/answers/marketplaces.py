"""Questions about a marketplace, and what follows from their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action, EffectStatus
from domain.holds import differs, first_payment
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import UNITS_IN_DOUBT, Reason, ReasonCode
from domain.states import OrderState
from domain.wording import shorten

MOST_REASONS = 10


class Topic(StrEnum):
    """What a question is about."""

    AMOUNTS = "amounts"  # the marketplace is held
    UNITS = "units"  # prices that may be in another unit
    FIRST_PAYMENT = "first payment"
    REFERENCE = (
        "reference"  # an order that its create has named shows no reference of ours
    )
    ALL_KNOWN = "all known"  # orders of unknown origin stand in its list


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An open question about a marketplace; `about` is the order that it names, if
    any.
    """

    topic: Topic
    words: str
    about: str = ""


def open_about(ledger: Ledger, marketplace: Marketplace) -> list[Question]:
    """The open questions, in the order in which they are asked."""
    asked = []
    if reasons := ledger.holds.standing().get(marketplace):
        why = shorten([why for why, _ in reasons], most=MOST_REASONS)
        asked.append(
            Question(topic=Topic.AMOUNTS, words=f"{marketplace} is held. {why}")
        )
    if first := first_payments(ledger).get(marketplace):
        asked.append(
            Question(
                topic=Topic.FIRST_PAYMENT,
                words=str(first),
                about=str(first.facts["first"]),
            )
        )
    waiting = (
        []
        if marketplace in ledger.marks.nameless()
        else ledger.orders_in([OrderState.ORDERED]).values()
    )
    nameless = [
        one for one in waiting if one.marketplace is marketplace and _is_nameless(one)
    ]
    asked += [
        Question(topic=Topic.REFERENCE, words=_nameless(one), about=one.order_ref)
        for one in nameless[:1]
    ]
    held = [
        one
        for one in ledger.orders_in([OrderState.HELD]).values()
        if one.marketplace is marketplace
    ]
    priced = [one for one in held if one.reason_code in UNITS_IN_DOUBT]
    if priced and not ledger.marks.units_confirmed(
        marketplace, XportcnSettings().units_at(marketplace)
    ):
        words = f"{priced[0].order_ref}: {priced[0].reason}"
        asked.append(
            Question(topic=Topic.UNITS, words=words, about=priced[0].order_ref)
        )
    doubts = [one for one in held if one.reason_code is ReasonCode.MAY_BE_THERE]
    if doubts or nameless:
        words = (
            doubts[0].reason
            if doubts
            else f"lists of {marketplace} may have orders of ours without a reference"
        )
        asked.append(Question(topic=Topic.ALL_KNOWN, words=words))
    return asked


def _is_nameless(order: OrderRecord) -> bool:
    return order.reason_code is ReasonCode.NO_REFERENCE_YET


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
    asked = ledger.first_orders.asked()
    orders = ledger.orders(asked.values()) if asked else {}
    paying = {
        one.order_ref: one
        for one in (ledger.effects_of([*orders], Action.PAY) if orders else ())
        if one.status is EffectStatus.DONE
    }
    reasons = {}
    for marketplace, ref in asked.items():
        if ref in paying:
            order, amount = orders[ref], paying[ref].amount
            amount = (
                order.paid if order.paid_minor is not None or amount is None else amount
            )
            reasons[marketplace] = first_payment(
                marketplace, ref, order.order_id or "", amount, order.lines
            )
    return reasons


def answer(
    ledger: Ledger,
    marketplace: Marketplace,
    topic: Topic,
    *,
    by: str,
    about: str = "",
    otherwise: str = "",
) -> str:
    """Record an answer, and tell its effect. An answer that is `otherwise` than it
    should be holds the marketplace.
    """
    if topic in (Topic.AMOUNTS, Topic.UNITS, Topic.FIRST_PAYMENT) and not otherwise:
        ledger.marks.confirm_units(
            marketplace, XportcnSettings().units_at(marketplace), by=by
        )
    if topic is Topic.FIRST_PAYMENT:
        ledger.first_orders.answer(marketplace, about, otherwise=otherwise, by=by)
        if otherwise:
            return f"{marketplace} is held: {differs(about, otherwise)}"
        return "its first payment is as it should be"
    if topic is Topic.AMOUNTS:
        ledger.holds.release(marketplace, by=by)
    if topic in (Topic.AMOUNTS, Topic.UNITS):
        return "its amounts are right"
    if topic is Topic.REFERENCE:
        ledger.marks.confirm_nameless(marketplace, about, by=by)
        return "orders that are as they were created are paid without a reference"
    ledger.marks.confirm(marketplace, by=by)
    return "every order of ours there is known"


def answered(
    ledger: Ledger,
    marketplace: Marketplace,
    topics: Sequence[Topic],
    *,
    by: str,
    otherwise: str = "",
) -> str:
    """Answer the open questions of these topics, and tell the effects."""
    asked = [one for one in open_about(ledger, marketplace) if one.topic in topics]
    done = [
        answer(
            ledger, marketplace, one.topic, by=by, about=one.about, otherwise=otherwise
        )
        for one in asked
    ]
    return f"{marketplace}: {', '.join(done) or 'nothing of that was asked'}"
