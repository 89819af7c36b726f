"""The result of a reconciliation, and how the Prefect UI shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prefect.artifacts import acreate_markdown_artifact
from prefect.events import Event, Resource

from connectors.xportcn.wire import CHINA
from domain.differences import Finding
from domain.money import Money
from domain.reconciliation import PaidSum
from domain.report import ReportLine
from domain.wording import first_lines, pluralize
from flows.prefect_ui.artifacts import show_table, with_what_waits
from flows.prefect_ui.events import MOST_REFS, send
from flows.prefect_ui.expected_errors import best_effort, rename_run, run_logger
from flows.prefect_ui.markdown import inert

MOST_ROWS = 500  # a table artifact is for eyes
MOST_LOGGED = 50
LONGEST_NAME = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationReport:
    """Findings, the most costly kind first; `settled` orders, which a reading of this
    run settled; sums paid.

    `compared` orders were read on both sides; `in_hand` orders belonged to another run
    and were left out. `troubles` name what could not be read, `notes` what could not be
    compared, `not_marked` the orders given as not ours that were no orphans.
    """

    since: datetime
    compared: int
    in_hand: int
    settled: Sequence[ReportLine]
    findings: Sequence[Finding]
    paid: Sequence[PaidSum]
    wallet_out: Money | None
    troubles: Sequence[str]
    notes: Sequence[str]
    not_marked: Sequence[str]
    snapshot_id: str
    snapshot_root: str

    @property
    def counts(self) -> dict[str, int]:
        """Findings by kind, the most costly first."""
        return dict(Counter(str(finding.kind) for finding in self.findings))

    @property
    def all_fine(self) -> bool:
        """Whether everything could be read and agrees, and every foreign order was
        recorded.
        """
        return not (self.findings or self.troubles or self.not_marked)

    @property
    def begins(self) -> str:
        """When the period begins, and when that is in China where it differs: the
        console's statement has its days.
        """
        in_china = self.since.astimezone(CHINA)
        china_time = (
            f" ({in_china:%Y-%m-%d %H:%M} in China, as the console's statement)"
        )
        is_other = in_china.utcoffset() != self.since.utcoffset()
        return f"{self.since:%Y-%m-%d %H:%M} {self.since.tzinfo}{china_time if is_other else ''}"

    def to_json(self) -> dict[str, Any]:
        """The report that `sourcing reconcile --json` prints; amounts in minor
        units.
        """
        return {
            "since": self.since.isoformat(),
            "compared": self.compared,
            "in_hand": self.in_hand,
            "counts": self.counts,
            "findings": [_finding(finding) for finding in self.findings],
            "settled": [
                {"order_ref": line.order_ref, "state": line.state}
                for line in self.settled
            ],
            "paid": [
                {
                    "marketplace": paid_sum.marketplace,
                    "currency": paid_sum.ledger.currency,
                    "ledger_minor": paid_sum.ledger.minor,
                    "service_minor": paid_sum.service.minor,
                }
                for paid_sum in self.paid
            ],
            "wallet_out_fen": self.wallet_out.minor
            if self.wallet_out is not None
            else None,
            "troubles": list(map(str, self.troubles)),
            "notes": list(self.notes),
            "not_marked": list(self.not_marked),
            "snapshot_id": self.snapshot_id,
            "snapshot_root": self.snapshot_root,
        }


def _finding(finding: Finding) -> dict[str, Any]:
    expected = finding.expected_amount
    seen = finding.seen_amount
    amount = seen or expected
    return {
        "kind": finding.kind,
        "marketplace": finding.marketplace,
        "order_ref": finding.order_ref or None,
        "order_id": finding.order_id or None,
        "expected": finding.expected,
        "seen": finding.seen,
        "remedy": finding.remedy,
        "expected_minor": expected.minor if expected else None,
        "seen_minor": seen.minor if seen else None,
        "currency": amount.currency if amount else None,
    }


def summary_of(report: ReconciliationReport) -> str:
    """The run in one line."""
    findings_text = ", ".join(
        f"{count:,} {kind.replace('_', ' ')}" for kind, count in report.counts.items()
    )
    sentences = [
        f"{findings_text or 'nothing differs'}",
        f"{pluralize(report.compared, 'order')} compared",
    ]
    if report.in_hand:
        sentences.append(f"{report.in_hand} in another run's hands")
    if report.troubles:
        sentences.append(f"not read: {'; '.join(map(str, report.troubles))}")
    if report.not_marked:
        sentences.append(f"not marked: {'; '.join(report.not_marked)}")
    return "; ".join(sentences)


async def log_and_show(report: ReconciliationReport) -> None:
    """Log the findings, and show them with the sums in the Prefect UI."""
    for line in report.settled:
        run_logger().info("Settled by reading: %s is %s", line.order_ref, line.state)
    for finding in report.findings[:MOST_LOGGED]:
        run_logger().warning(
            "%s %s: expected %s; seen %s. To do: %s",
            finding.kind.replace("_", " "),
            _subject(finding),
            finding.expected,
            finding.seen,
            finding.remedy,
        )
    for trouble in report.troubles:
        run_logger().warning("Not compared: %s", trouble)
    for remark in report.not_marked:
        run_logger().warning("Not marked: %s", remark)
    run_logger().info("%s", summary_of(report))
    await best_effort("the report", _show(report))
    if not report.all_fine:
        await send([differs(report)])


def differs(report: ReconciliationReport) -> Event:
    """`sourcing.reconciliation.differs`: a run found something, or could not read
    everything.
    """
    payload = {
        "counts": report.counts,
        "orders": [
            finding.order_ref or finding.order_id for finding in report.findings
        ][:MOST_REFS],
        "troubles": list(map(str, report.troubles)),
        "summary": summary_of(report),
        "snapshot_id": report.snapshot_id,
    }
    resource = {
        "prefect.resource.id": "sourcing.reconciliation",
        "prefect.resource.name": "reconciliation",
    }
    return Event(
        event="sourcing.reconciliation.differs",
        resource=Resource(resource),
        payload=payload,
    )


async def _show(report: ReconciliationReport) -> None:
    summary = inert(summary_of(report))
    await show_table("reconciliation", artifact_rows(report), summary)
    await acreate_markdown_artifact(
        key="reconciliation-summary",
        markdown=with_what_waits(markdown(report)),
        description=summary,
    )
    await rename_run(f"reconcile: {summary}"[:LONGEST_NAME])


def artifact_rows(report: ReconciliationReport) -> list[dict[str, str]]:
    """One row a finding, as text; the snapshot has them all."""
    return [
        {
            "finding": finding.kind.replace("_", " "),
            "order": finding.order_ref,
            "marketplace": finding.marketplace or "",
            "order id": finding.order_id,
            "the ledger says": finding.expected,
            "the service says": finding.seen,
            "what to do": finding.remedy,
        }
        for finding in report.findings[:MOST_ROWS]
    ]


def markdown(report: ReconciliationReport) -> str:
    """The sums, and below them what to do, as lines: the cells of a table artifact
    don't wrap.
    """
    sums = "".join(
        f"| {paid_sum.marketplace} | {paid_sum.ledger} | {paid_sum.service} | {paid_sum.service - paid_sum.ledger} |\n"
        for paid_sum in report.paid
    )
    lines = [
        f"- {inert(line)}"
        for line in (*map(str, report.troubles), *report.not_marked, *report.notes)
    ]
    to_do = first_lines(
        [*map(_to_do, report.findings)],
        MOST_LOGGED,
        "- and {more} more: see the table or the snapshot",
    )
    return "\n\n".join(
        [
            f"# Reconciliation since {report.begins}",
            "| marketplace | paid, by the ledger | paid, by the service | difference |\n|---|--:|--:|--:|\n"
            + sums,
            *(["## To do\n\n" + "\n".join(to_do)] if to_do else []),
            *(["## Not compared\n\n" + "\n".join(lines)] if lines else []),
            f"Snapshot `{report.snapshot_id}` in `{report.snapshot_root}`",
        ]
    )


def _to_do(finding: Finding) -> str:
    head = f"**{finding.kind.replace('_', ' ')}** {_subject(finding)}".rstrip()
    return f"- {head}: expected {inert(finding.expected)}; seen {inert(finding.seen)}. To do: {finding.remedy}"


def _subject(finding: Finding) -> str:
    return " ".join(
        inert(fact)
        for fact in (finding.marketplace, finding.order_ref, finding.order_id)
        if fact
    )
