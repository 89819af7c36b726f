"""Rows and intents for tests of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import Intent
from domain.absence import NeverLeft, NotHappened
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.orders import Receiver
from domain.reasons import stored
from domain.witnessed import RefusedForGood, Source, Statement


def plan(order_ref: str, **columns: Any) -> dict[str, Any]:
    return {
        "order_ref": order_ref,
        "batch_id": "batch",
        "marketplace": "taobao",
        "state": "planned",
        **stored(None),
        "fingerprint": "print",
        "request": {
            "order_ref": order_ref,
            "marketplace": "taobao",
            "receiver": {field.name: "" for field in fields(Receiver)},
            "freight": "cheapest",
            "lines": [],
        },
        "lines": [],
        "offers": [],
        "quote": None,
        "seller_id": "seller",
        "approved_minor": 100,
        "payable_minor": None,
        "plan_hash": "h",
        "freight_approved_minor": 100,
        "freight_currency": "CNY",
        "currency": "CNY",
        **columns,
    }


Columns = OrderUpdate
"""Something to write to an order, named by columns: for states that no fact of the
product leads to.
"""


FOR_GOOD = RefusedForGood(
    words=Statement(source=Source.ANSWER, value="no stock"),
    read_after=Statement(source=Source.DETAIL, value="unpaid"),
)
NEVER_LEFT = NeverLeft(by=Source.CALL)
PROOFS: Mapping[EffectStatus, RefusedForGood | NotHappened] = {
    EffectStatus.REFUSED: FOR_GOOD,
    EffectStatus.UNSENT: NEVER_LEFT,
}
"""What an outcome of such a status can't be made without."""


def intents(*order_refs: str, action: Action = Action.CREATE) -> list[Intent]:
    return [
        Intent(order_ref=ref, action=action, amount=Money(100), request_hash="h")
        for ref in order_refs
    ]
