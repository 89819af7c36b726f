"""What a person sees of a run in the Prefect UI."""

from __future__ import annotations

from prefect.artifacts import acreate_link_artifact, acreate_markdown_artifact, acreate_table_artifact

from domain.money import Money
from domain.report import BatchReport


async def show_outcome(report: BatchReport) -> None:
    """The outcome table, the money, and where the snapshot lies."""
    key = artifact_key(report.batch_id)
    await acreate_table_artifact(
        key=f"outcome-{key}", table=outcome_rows(report), description=f"Orders of batch {report.batch_id}"
    )
    await acreate_markdown_artifact(key=f"money-{key}", markdown=money_summary(report))
    if report.snapshot_id:
        manifest = f"{report.snapshot_root}/_manifests/{report.snapshot_id}.json"
        await acreate_link_artifact(key=f"snapshot-{key}", link=f"file://{manifest}", link_text=report.snapshot_id)


def outcome_rows(report: BatchReport) -> list[dict[str, str]]:
    """One row an order, as text."""
    return [
        {
            "order": line.order_ref,
            "marketplace": line.marketplace,
            "state": str(line.state),
            "reason": line.reason,
            "order id": line.order_id or "",
            "paid": str(Money(line.paid_fen)) if line.paid_fen is not None else "",
            "tracking": ", ".join(line.tracking_numbers),
        }
        for line in report.orders
    ]


def money_summary(report: BatchReport) -> str:
    """The sums and counts as Markdown."""
    counts = "\n".join(f"| {state} | {count} |" for state, count in report.counts.items())
    return (
        f"## Batch {report.batch_id}\n\n"
        f"Spent in all: **{Money(report.spent_fen)}**, in this run: **{Money(report.spent_this_run_fen)}** "
        f"for {report.bought_this_run} orders.\n\n| state | orders |\n|---|---|\n{counts}\n"
    )


def artifact_key(text: str) -> str:
    """Prefect's keys are lower-case letters, digits and dashes."""
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split()) or "batch"
