"""All that waits for a person, over all batches: why, and what to do about it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.ledger.records import OrderRecord
from connectors.ledger.slices import slices
from connectors.ledger.store import Ledger
from domain.after_sale import WAITS_FOR_A_PERSON, standing
from domain.effects import Action
from domain.states import BEGUN, OrderState
from tasks.open_questions import OpenQuestion, open_questions

STUCK = (OrderState.HELD, OrderState.UNKNOWN, *BEGUN)
NOT_OVER = frozenset(OrderState) - {OrderState.CANCELLED, OrderState.REFUNDED}
UNFINISHED = "bought in part: nothing is wrong, the rest of its steps is left to a run"
QUESTION_HELD = "a run works on it until {:%Y-%m-%d %H:%M} UTC: wait for that"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDo:
    """One thing that waits: `reason` says why, `commands` what can be done, the likeliest first. `since` is UTC."""

    order_ref: str
    batch_id: str
    marketplace: str
    state: OrderState
    since: datetime
    reason: str
    commands: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "since": self.since.isoformat(), "commands": list(self.commands)}


def to_do(ledger: Ledger, *, refused_for: timedelta) -> list[ToDo]:
    """What waits, oldest first. A refused order is over for its file: it is listed for a while, then no more."""
    orders = ledger.orders_in(STUCK)
    newest = ledger.clock() - refused_for
    orders |= {
        ref: order for ref, order in ledger.orders_in([OrderState.REFUSED]).items() if order.updated_at >= newest
    }
    sources = ledger.sources_of({order.batch_id for order in orders.values()})
    carted = {ref for some in slices(orders) for ref in _in_carts(ledger, some)}
    found = [
        _of_order(ledger, order, _again(order, sources.get(order.batch_id, ""), in_cart=order.order_ref in carted))
        for order in orders.values()
    ]
    return sorted([*found, *_of_refunds(ledger)], key=lambda one: (one.since, one.order_ref))


def _in_carts(ledger: Ledger, order_refs: Iterable[str]) -> set[str]:
    return {effect.order_ref for effect in ledger.effects_of(order_refs) if effect.action is Action.CART}


def _of_order(ledger: Ledger, order: OrderRecord, again: str) -> ToDo:
    questions = open_questions(ledger, order) if order.state is not OrderState.REFUSED else []
    asked = [command for question in questions for command in question.commands]
    return ToDo(
        order_ref=order.order_ref,
        batch_id=order.batch_id,
        marketplace=order.marketplace,
        state=order.state,
        since=order.updated_at,
        reason=_reason(order, questions),
        commands=[*([again] if again else []), *asked],
    )


def _reason(order: OrderRecord, questions: Sequence[OpenQuestion]) -> str:
    said = [order.reason] if order.reason else []
    for asked in questions:
        said.append(QUESTION_HELD.format(asked.held_until) if asked.held_until else asked.words)
    return "; ".join(dict.fromkeys(said)) or UNFINISHED


def _again(order: OrderRecord, source: str, *, in_cart: bool) -> str:
    """The command that takes an order up again; none where its lines were pasted, or are nobody's file."""
    if in_cart and order.order_id is None:
        return f"sourcing cart order {order.order_ref}"
    return f"sourcing run {shlex.quote(source)}" if _is_path(source) else ""


def _is_path(source: str) -> bool:
    return source.lower().endswith((".csv", ".xlsx", ".json", ".parquet"))


def _of_refunds(ledger: Ledger) -> Iterable[ToDo]:
    refunds = ledger.refunds.in_states(WAITS_FOR_A_PERSON)
    orders = ledger.orders({refund.order_ref for refund in refunds})
    for refund in refunds:
        order = orders[refund.order_ref]
        if order.state in NOT_OVER:
            yield ToDo(
                order_ref=order.order_ref,
                batch_id=order.batch_id,
                marketplace=order.marketplace,
                state=order.state,
                since=order.updated_at,
                reason=standing(refund),
                commands=["sourcing refunds"],
            )
