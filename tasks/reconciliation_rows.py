"""The rows of the snapshot table `reconciliation`: one a finding, and one for the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.snapshots.tables.reconciliation import RECONCILIATION, RUN
from connectors.snapshots.tables.table import Row
from domain.findings import Finding


def reconciliation_rows(findings: Sequence[Finding], *, since: datetime, summary: str) -> list[Row]:
    """The run's row is written also when nothing was found: it sets a clean run apart from none."""
    run = {
        **dict.fromkeys(("order_ref", "order_id", "remedy"), ""),
        **dict.fromkeys(("marketplace", "expected_amount", "seen_amount")),
        **{"kind": RUN, "expected": "everything agrees", "seen": summary},
    }
    return [
        RECONCILIATION.row(run, since=since, findings=len(findings)),
        *(RECONCILIATION.row(finding, since=since, findings=0) for finding in findings),
    ]
