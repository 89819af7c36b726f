"""The result of a reconciliation, and how the Prefect UI shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from prefect.artifacts import acreate_markdown_artifact
from prefect.events import Event, Resource

from domain.findings import Finding
from domain.report import ReportLine
from domain.wording import first_lines, pluralize
from flows.prefect_ui.artifacts import with_what_waits
from flows.prefect_ui.events import MOST_REFS, send
from flows.prefect_ui.expected_errors import best_effort, rename_run, run_logger
from flows.prefect_ui.markdown import inert

MOST_LOGGED = 50
LONGEST_NAME = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationReport:
    """Findings, the most costly kind first; `settled` orders, which a reading of this
    run settled.

    `compared` orders were read on both sides; `in_hand` orders belonged to another run
    and were left out. `troubles` name what could not be read, and orders given as not
    ours that were no orphans; `notes` what could not be compared.
    """

    since: datetime
    compared: int
    in_hand: int
    settled: Sequence[ReportLine]
    findings: Sequence[Finding]
    troubles: Sequence[str]
    notes: Sequence[str]
    snapshot_root: str
    snapshot_id: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Findings by kind, the most costly first."""
        return dict(Counter(str(finding.kind) for finding in self.findings))

    @property
    def all_fine(self) -> bool:
        """Whether everything could be read and agrees."""
        return not (self.findings or self.troubles)

    def to_json(self) -> dict[str, Any]:
        """The report that `sourcing reconcile --json` prints; amounts in minor
        units.
        """
        since = self.since.isoformat()
        return asdict(self) | {"since": since, "counts": self.counts}


def summary_of(report: ReconciliationReport) -> str:
    """The run in one line."""
    found = ", ".join(
        f"{count:,} {kind.replace('_', ' ')}" for kind, count in report.counts.items()
    )
    parts = [
        f"{found or 'nothing differs'}",
        f"{pluralize(report.compared, 'order')} compared",
    ]
    if report.in_hand:
        parts.append(f"{report.in_hand} in another run's hands")
    return "; ".join([*parts, *report.troubles])


async def log_and_show(report: ReconciliationReport) -> None:
    """Log the findings, and show them in the Prefect UI."""
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
        run_logger().warning("%s", trouble)
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
        "troubles": list(report.troubles),
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
    await acreate_markdown_artifact(
        key="reconciliation",
        markdown=with_what_waits(markdown(report)),
        description=summary,
    )
    await rename_run(f"reconcile: {summary}"[:LONGEST_NAME])


def markdown(report: ReconciliationReport) -> str:
    """What to do, and what was not compared; the snapshot has all findings."""
    not_compared = [f"- {inert(line)}" for line in (*report.troubles, *report.notes)]
    to_do = first_lines(
        [*map(_to_do, report.findings)],
        MOST_LOGGED,
        "- and {more} more: see the snapshot",
    )
    return "\n\n".join(
        [
            f"# Reconciliation since {report.since:%Y-%m-%d %H:%M} {report.since.tzinfo}",
            *(["## To do\n\n" + "\n".join(to_do)] if to_do else []),
            *(
                ["## Not compared\n\n" + "\n".join(not_compared)]
                if not_compared
                else []
            ),
            f"Snapshot `{report.snapshot_id}` in `{report.snapshot_root}`",
        ]
    )


def _to_do(finding: Finding) -> str:
    head = f"**{finding.kind.replace('_', ' ')}** {_subject(finding)}".rstrip()
    return f"- {head}: expected {inert(finding.expected)}; seen {inert(finding.seen)}. To do: {finding.remedy}"


def _subject(finding: Finding) -> str:
    return " ".join(
        inert(part)
        for part in (finding.marketplace, finding.order_ref, finding.order_id)
        if part
    )
