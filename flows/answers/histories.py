"""All that the ledger knows of one order, as tables; and the orders that a person's words may mean."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from connectors.ledger.records import OrderRecord
from connectors.ledger.send_log import names_a_run
from connectors.ledger.store import Ledger

NUMBER = re.compile(r"(?=.*\d)\S{8,}")
"""What may be a tracking number: shorter words stand in many shipments."""
AMONG, MOST_ALIKE = 200, 20


def history_of(ledger: Ledger, order_ref: str) -> Sequence[tuple[str, Sequence[str], Sequence[Sequence[Any]]]]:
    """Tables of an order: title, columns and rows. Times are UTC. A person stands by name, a run as `run`."""
    effects = [
        (one.key, one.status, one.settled_at or one.intent_at, one.reason) for one in ledger.effects_of([order_ref])
    ]
    moves = [{**one, "by": "run" if names_a_run(one["by"]) else one["by"]} for one in ledger.moves_of(order_ref)]
    answers = [
        {**one, "by": "run" if names_a_run(one["by"]) else one["by"]} for one in ledger.resolutions.of_order(order_ref)
    ]
    scans = ledger.tracking.listed(order_refs=[order_ref])
    return (
        ("Effects", ("key", "status", "since", "reason"), effects),
        ("Moves", ("at", "to", "reason", "by"), _cells(moves, "at", "new_state", "reason", "by")),
        ("Answers", ("at", "question", "answer", "by"), _cells(answers, "at", "question", "answer", "by")),
        (
            "Tracking",
            ("at", "number", "status", "what"),
            _cells(scans, "occurred_at", "tracking_number", "status", "description"),
        ),
    )


def _cells(rows: Sequence[Mapping[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def meant_by(ledger: Ledger, words: str) -> list[OrderRecord]:
    """The orders with this reference, order id, shipment, or parcel abroad; else young ones whose reference has it."""
    found = list((ledger.orders([words]) | ledger.orders_with_ids([words])).values())
    if not found and NUMBER.fullmatch(words):
        found = ledger.shipment_owners(words, [json.dumps(words)], since=datetime.min.replace(tzinfo=UTC))
    young = (one for one in ledger.newest(AMONG) if words.casefold() in one.order_ref.casefold())
    return found or list(islice(young, MOST_ALIKE))
