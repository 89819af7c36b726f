"""What is to be done with each order of a file, by what the ledger knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.ledger.chunked import chunked
from connectors.ledger.records import OrderRecord
from connectors.ledger.spending import COUNTS_AS_SPENT
from connectors.ledger.store import Ledger
from domain.effects import Action
from domain.orders import OrderRequest
from domain.reasons import Reason, ReasonCode, because
from domain.states import REACHED_BOOKED, OrderState

OVER = REACHED_BOOKED | {OrderState.CANCELLED, OrderState.REFUNDING, OrderState.REFUNDED}

MOST_LISTED = 5


@dataclass(kw_only=True)
class SortedOrders:
    """Orders to plan, orders already begun, orders with nothing left to do, and references used for something else.

    `approved` has the hashes of plans that were approved for an earlier run and not made anew since. `forgotten` are
    orders of the file whose receiver was erased.
    """

    to_plan: list[OrderRequest] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    taken: dict[str, Reason] = field(default_factory=dict)
    approved: dict[str, str] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)


def sort_requests(ledger: Ledger, requests: Sequence[OrderRequest]) -> SortedOrders:
    """Sort by what the ledger proves; an order without any live effect may be planned anew.

    An order that lies in a cart counts as over here: it is ordered from there.
    """
    work = SortedOrders()
    for some in chunked(requests):
        _sort(ledger, some, work)
    return work


def _sort(ledger: Ledger, requests: Sequence[OrderRequest], work: SortedOrders) -> None:
    refs = [request.order_ref for request in requests]
    known = ledger.orders(refs)
    live = [effect for effect in ledger.effects_of(refs) if effect.status in COUNTS_AS_SPENT]
    begun = {effect.order_ref for effect in live}
    forgotten = ledger.forgotten.known(refs)
    work.forgotten += forgotten
    only_carted = begun - {effect.order_ref for effect in live if effect.action is not Action.CART}
    for request in requests:
        order = known.get(request.order_ref)
        if request.order_ref in forgotten:
            _sort_forgotten(work, request, order, forgotten[request.order_ref])
        elif order is None or (request.order_ref not in begun and order.order_id is None):
            work.to_plan.append(request)
        elif order.fingerprint != request.fingerprint:
            ref, batch = request.order_ref, order.batch_id
            why = because(ReasonCode.OTHER_CONTENTS, order_ref=ref, batch=batch, state=order.state)
            work.taken[ref] = why
        elif order.state in OVER or (order.order_ref in only_carted and order.order_id is None):
            work.over.append(request.order_ref)
        else:
            work.under_way.append(request.order_ref)


def _sort_forgotten(work: SortedOrders, request: OrderRequest, order: OrderRecord | None, at: datetime) -> None:
    """Such an order is over, whatever its state: its receiver is not known any more."""
    if order is not None and order.fingerprint == request.fingerprint:
        work.over.append(request.order_ref)
    else:
        ref, on = request.order_ref, f"{at:%Y-%m-%d}"
        work.taken[ref] = because(ReasonCode.RECEIVER_FORGOTTEN, order_ref=ref, on=on)


def words_of_forgotten(order_refs: Sequence[str]) -> list[str]:
    """The warning about a file with receivers that were erased; empty where it has none."""
    if not order_refs:
        return []
    listed = ", ".join(order_refs[:MOST_LISTED]) + (", …" if len(order_refs) > MOST_LISTED else "")
    return [
        f"it still has the data of receivers who were forgotten ({listed}): nothing is bought for them; take their "
        "lines out of it"
    ]
