"""`sourcing track`: follow parcels at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.failures import NEEDS_A_PERSON
from cli.running import run_flow
from cli.terminal import console, print_json, show_orders, show_snapshot, warn
from domain.wording import pluralize

if TYPE_CHECKING:
    from flows.sync_tracking import TrackReport


def run_tracking(*, chunk_size: int | None, concurrency: int | None, as_json: bool) -> int:
    """Run the flow and print the moves; answers the exit code."""

    async def flow() -> TrackReport:
        from flows.sync_tracking import sync_tracking

        return await sync_tracking(chunk_size or 0, concurrency or 0)

    report = run_flow(flow)
    if as_json:
        print_json(report.to_json())
    else:
        if report.moved:
            show_orders("Moved", report.moved)
        followed, events = pluralize(report.followed, "order"), pluralize(report.new_events, "new event")
        console.print(f"{followed} followed, {len(report.moved):,} moved, {events}")
        for file in (*report.shops, *report.files):
            console.print(f"For a shop: {file}", soft_wrap=True)
        show_snapshot(report.snapshot_id, report.snapshot_root, report.rejected)
    for word, count in report.unknown_words.items():
        warn("not known:", f"{word} ({pluralize(count, 'order')})")
    for trouble in report.troubles:
        warn("not asked about:", trouble)
    for words in report.lacking:
        warn("a shop is not told:", words)
    return NEEDS_A_PERSON if report.troubles or report.lacking or report.rejected else 0
