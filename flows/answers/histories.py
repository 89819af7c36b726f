"""All that the ledger knows of one order, as tables; and the orders that a person's
words may mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from connectors.ledger.records import OrderRecord
from connectors.ledger.send_log import names_a_run
from connectors.ledger.store import Ledger
from domain.offers import priced
from domain.plan import PlannedOrder

NUMBER = re.compile(r"(?=.*\d)\S{8,}")
"""What may be a tracking number: shorter words stand in many shipments."""
AMONG = 200
MOST_ALIKE = 20


def history_of(
    ledger: Ledger, order: OrderRecord
) -> Sequence[tuple[str, Sequence[str], Sequence[Sequence[Any]]]]:
    """Tables of an order: title, columns and rows. Times are UTC. A person stands by
    name, a run as `run`.
    """
    refs = [order.order_ref]
    lines = list(_lines(order.plan)) if order.lines else []
    refunds = [
        (one.key, one.state, one.asked, one.refunded)
        for one in ledger.refunds.of_orders(refs)
    ]
    effects = [
        (one.key, one.status, one.settled_at or one.intent_at, one.reason)
        for one in ledger.effects_of(refs)
    ]
    scans = ledger.tracking.listed(order_refs=refs)
    moves = ledger.moves_of(order.order_ref)
    answers = ledger.resolutions.of_order(order.order_ref)
    scanned = ("occurred_at", "tracking_number", "status", "description")
    return (
        (
            "Lines",
            ("title", "variant", "quantity", "price", "limit", "from", "to"),
            lines,
        ),
        ("Tracking", ("at", "number", "status", "what"), _cells(scans, *scanned)),
        ("Refunds", ("refund", "state", "asked", "came back"), refunds),
        ("Effects", ("key", "status", "since", "reason"), effects),
        (
            "Moves",
            ("at", "to", "reason", "by"),
            _cells(moves, "at", "new_state", "reason", "by"),
        ),
        (
            "Answers",
            ("at", "question", "answer", "by"),
            _cells(answers, "at", "question", "answer", "by"),
        ),
    )


def _lines(plan: PlannedOrder) -> Iterator[Sequence[Any]]:
    for line, price in zip(plan.lines, priced(plan.lines, plan.quote), strict=True):
        what = (line.title or line.item_id, plan.variant(line) or line.sku_id)
        cost = (line.quantity, price.unit_price, plan.limit(line) or "")
        yield (*what, *cost, plan.seller, plan.request.receiver.country)


def _cells(rows: Sequence[Mapping[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    told = [
        {**row, "by": "run"} if names_a_run(row.get("by", "")) else row for row in rows
    ]
    return [tuple(row[name] for name in names) for row in told]


def meant_by(ledger: Ledger, query: str) -> list[OrderRecord]:
    """The orders with this reference, order id, shipment, or parcel abroad; else young
    ones whose reference has it.
    """
    found = list((ledger.orders([query]) | ledger.orders_with_ids([query])).values())
    if not found and NUMBER.fullmatch(query):
        found = ledger.shipment_owners(
            query, [query], since=datetime.min.replace(tzinfo=UTC)
        )
    young = (
        one
        for one in ledger.newest(AMONG)
        if query.casefold() in one.order_ref.casefold()
    )
    return found or list(islice(young, MOST_ALIKE))
