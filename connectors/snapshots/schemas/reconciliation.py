"""What ledger and service don't agree about."""

from __future__ import annotations

from connectors.snapshots.schemas.columns import COUNT, ID, MINOR, MOMENT, TEXT, Column
from connectors.snapshots.schemas.tables import table

RECONCILIATION = table(
    "reconciliation",
    "kind,marketplace,order_ref,order_id",
    "",
    {
        "kind": Column(ID),
        "marketplace": Column(ID),
        "order_ref": Column(ID),
        "order_id": Column(ID),
        "expected": Column(TEXT),
        "seen": Column(TEXT),
        "remedy": Column(TEXT),
        "expected_minor": Column(MINOR),
        "seen_minor": Column(MINOR),
        "currency": Column(TEXT),
        "since": Column(MOMENT),
        "findings": Column(COUNT),
    },
)
