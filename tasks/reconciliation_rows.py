"""The rows of the snapshot table `reconciliation`: one a finding, and one for the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.findings import Finding
from tasks.snapshot_rows import Row

RUN = "run"


def reconciliation_rows(findings: Sequence[Finding], *, since: datetime, summary: str) -> list[Row]:
    """The run's row is written also when nothing was found: it sets a clean run apart from none."""
    run: Row = {
        **dict.fromkeys(("marketplace", "order_ref", "order_id"), ""),
        **dict.fromkeys(("expected_minor", "seen_minor"), 0),
        "kind": RUN,
        "expected": "everything agrees",
        "seen": summary,
        "remedy": "",
        "currency": None,
        "since": since,
        "findings": len(findings),
    }
    return [run, *(_row(finding, since) for finding in findings)]


def _row(finding: Finding, since: datetime) -> Row:
    expected, seen = finding.expected_amount, finding.seen_amount
    amount = seen or expected
    return {
        "kind": finding.kind,
        "marketplace": finding.marketplace or "",
        "order_ref": finding.order_ref,
        "order_id": finding.order_id,
        "expected": finding.expected,
        "seen": finding.seen,
        "remedy": finding.remedy,
        "expected_minor": expected.minor if expected else 0,
        "seen_minor": seen.minor if seen else 0,
        "currency": amount.currency if amount else None,
        "since": since,
        "findings": 0,
    }
