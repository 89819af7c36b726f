"""What creating an order does to the ledger, with a cart or without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from connectors.ledger.order_update import NOTHING, OrderUpdate
from connectors.ledger.records import OrderChange, OrderRecord
from domain.amounts import agreed_total, money_of
from domain.effects import Action, ResolutionKind
from domain.reasons import Reason
from domain.states import OrderState
from domain.witnessed import Contradicted, Source, Statement
from tasks.effects.kind import EffectKind, Proof


class Create(EffectKind):
    """Creating orders."""

    action: ClassVar[Action] = Action.CREATE
    state_while_unknown: ClassVar[OrderState | None] = OrderState.UNKNOWN
    happened: ClassVar[ResolutionKind] = ResolutionKind.ORDERED
    answered_with: ClassVar[tuple[str, ...]] = ("ORDER_ID",)
    did_not_happen: ClassVar[ResolutionKind] = ResolutionKind.NOT_ORDERED
    asks: ClassVar[str] = "Does the marketplace's console show an order with reference {order_ref}?"


def ordered(
    order: OrderRecord, order_id: str, total: Statement, at: datetime, answer: dict[str, Any], warehouse: str = ""
) -> Proof:
    """Exactly one order was made for this one: held where its total contradicts what was approved."""
    fact = OrderUpdate.ordered(order_id=order_id, total=money_of(total), at=at)
    fact |= OrderUpdate.sent_to(warehouse) if warehouse else NOTHING
    change = OrderChange(order_ref=order.order_ref, state=OrderState.ORDERED)
    verdict = agreed_total(Statement(source=Source.LEDGER, value=order.approved), total)
    if isinstance(verdict, Contradicted):
        change = replace(order.contradicted(verdict), expected=None)
    return Proof(answer=answer, change=replace(change, writes=fact))


def several(order_ref: str, order_ids: Sequence[str], why: Reason) -> Proof:
    """More than one order was made, or none that has an id: only a person can say which is to be paid."""
    change = OrderChange(order_ref=order_ref, state=OrderState.HELD, why=why)
    return Proof(answer={"order_ids": list(order_ids)}, change=change)
