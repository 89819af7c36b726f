"""`sourcing track`: follow parcels at a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cli.failures import NEEDS_A_PERSON
from cli.running import run_flow
from cli.terminal import console, show_orders, warn
from domain.wording import number_of

if TYPE_CHECKING:
    from flows.sync_tracking import TrackReport


def run_tracking(*, chunk_size: int | None, concurrency: int | None, as_json: bool) -> int:
    """Run the flow and print what moved; answers the exit code."""
    report = follow(chunk_size=chunk_size or 0, concurrency=concurrency or 0)
    if as_json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
    else:
        if report.moved:
            show_orders("Moved", report.moved)
        followed, events = number_of(report.followed, "order"), number_of(report.new_events, "new event")
        console.print(f"{followed} followed, {len(report.moved):,} moved, {events}")
        if report.snapshot_id:
            console.print(f"Snapshot {report.snapshot_id} in {report.snapshot_root}", soft_wrap=True)
    for trouble in report.troubles:
        warn("not asked about:", trouble)
    return NEEDS_A_PERSON if report.troubles else 0


def follow(**options: Any) -> TrackReport:
    """Run the flow with a progress bar. Options are those of `flows.sync_tracking.sync_tracking`."""

    async def flow() -> TrackReport:
        from flows.sync_tracking import sync_tracking

        report: TrackReport = await sync_tracking(**options)
        return report

    return run_flow(flow)
