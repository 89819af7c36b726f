"""Payments that the service answered and showed as paid at once: what `XPORTCN_PAY_IS=debit` may rest on."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from connectors.ledger.schema import moves, orders
from connectors.ledger.store import Ledger
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.states import OrderState

AT_ONCE = timedelta(seconds=60)
LEAST = 3
MOST_READ = 20


def taken_at_once(ledger: Ledger) -> list[str]:
    """The newest orders whose payment, sent once, was seen as paid within a minute of its answer.

    None for fewer than three of them, and none where one of the newest payments that were answered was not.
    """
    refs = [ref for place in Marketplace for ref in _newest(ledger, place)]
    paid = (
        select(moves.c.order_ref, func.min(moves.c.at).label("at"))
        .where(moves.c.order_ref.in_(refs), moves.c.new_state == OrderState.PAID)
        .group_by(moves.c.order_ref)
    )
    paid_at = {row["order_ref"]: row["at"] for row in ledger.rows(paid)}
    answered = [
        one
        for one in (ledger.effects_of(refs, Action.PAY) if refs else ())
        if one.status is EffectStatus.DONE and one.settled_at and "accepted" in (one.answer or {})
    ]
    taken = [
        one.order_ref
        for one in answered
        if one.doubtful_sends == 1
        and one.order_ref in paid_at
        and one.settled_at
        and paid_at[one.order_ref] - one.settled_at <= AT_ONCE
    ]
    return taken if LEAST <= len(taken) == len(answered) else []


def _newest(ledger: Ledger, marketplace: Marketplace) -> list[str]:
    statement = (
        select(orders.c.order_ref)
        .where(orders.c.marketplace == marketplace, orders.c.ordered_at.is_not(None))
        .order_by(orders.c.ordered_at.desc())
        .limit(MOST_READ)
    )
    return [row["order_ref"] for row in ledger.rows(statement)]
