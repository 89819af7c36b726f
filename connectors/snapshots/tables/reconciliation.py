"""The tables of what is wrong: differences between ledger and service, and rows that
broke a rule.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.snapshots.tables.shared import (
    ORDER_ID_ALWAYS,
    amount,
    currency_of,
    moment,
    variant,
)
from connectors.snapshots.tables.table import Kept, Table, count, text
from domain.findings import Finding

RUN = "run"


def _currency(finding: Finding) -> str | None:
    amount = finding.seen_amount or finding.expected_amount
    return amount.currency if amount else None


RECONCILIATION = Table(
    "reconciliation",
    ("kind", "marketplace", "order_ref", "order_id"),
    "What reconciliations found: one row a difference, and one of kind `run` for each run, which tells a clean run "
    "from none. A difference that is gone stays as a row of its older snapshot.",
    {
        "kind": text(
            "`run`, or how they differ: `several_orders`, `orphan`, `payment_differs`, "
            "`amount_differs`, `missing`, `state_differs`, `shipment_differs`, `open_question`.",
            source="comparison of ledger and service",
            example="amount_differs",
        ),
        "marketplace": variant(
            "marketplace",
            words="Whose order it is (see `orders`). Empty in a `run` row.",
            source="ledger, or the order as the service shows it",
            get=lambda finding: finding.marketplace or "",
        ),
        "order_ref": variant(
            "order_ref",
            words="The order's reference. Empty in a `run` row, and for an order without one.",
            source="ledger, or the order as the service shows it",
        ),
        "order_id": replace(
            ORDER_ID_ALWAYS,
            words="The marketplace's own number of the order. Empty where there is none.",
            source="ledger, or the order as the service shows it",
        ),
        "expected": text(
            "What the ledger expects.",
            source="comparison",
            example="paid 103.00 CNY",
            null="never",
        ),
        "seen": text(
            "What the service shows; in a `run` row what the run found.",
            source="comparison",
            example="paid 105.00 CNY",
            null="never",
        ),
        "remedy": text(
            "What a person can do about it. Empty in a `run` row.",
            source="comparison",
            example="look in the wallet's statement what was taken, and ask the service for the difference",
            null="never",
        ),
        "expected_minor": amount(
            "The amount that was expected. 0: none is known, or it is not about an amount.",
            source="ledger",
            example=10300,
            get=lambda finding: (
                finding.expected_amount.minor if finding.expected_amount else 0
            ),
        ),
        "seen_minor": amount(
            "The amount that the service shows. 0: it shows none, or it is not about an amount.",
            source="order as the service shows it",
            example=10500,
            get=lambda finding: finding.seen_amount.minor if finding.seen_amount else 0,
        ),
        "currency": currency_of(
            "both amounts",
            source="the order's",
            null="it is not about an amount: both are 0",
            get=_currency,
        ),
        "since": moment(
            "From when on the run compared orders: the start of a day of the merchant's time zone.",
            source="the run's `--since-days`",
        ),
        "findings": count(
            "How many differences the run found; 0 in every row that is not of kind `run`.",
            unit="differences",
            source="the run",
            example=0,
        ),
    },
    kept=Kept.RUNS,
)
