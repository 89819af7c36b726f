"""`sourcing catalog`: bring the table `offers` up to date at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.failures import NEEDS_A_PERSON, as_usage
from cli.running import run_flow
from cli.terminal import console, print_json, show_snapshot, warn
from domain.catalogue import Selection

if TYPE_CHECKING:
    from flows.sync_catalog import CatalogReport


def run_catalog(
    wanted: list[Selection], *, full: bool, limit: int | None, concurrency: int | None, as_json: bool
) -> int:
    """Run the flow and print its report; answers the exit code."""

    async def flow() -> CatalogReport:
        from flows.prefect_ui.parameters import WantedOffers
        from flows.sync_catalog import sync_catalog

        return await sync_catalog(
            [WantedOffers.model_validate(one) for one in wanted], full, limit or 0, concurrency or 0
        )

    with as_usage():
        report = run_flow(flow)
    print_json(report.to_json()) if as_json else print_report(report)
    return NEEDS_A_PERSON if report.troubles or report.rejected else 0


def print_report(report: CatalogReport) -> None:
    """The marketplaces listed, the changes, and where the snapshot lies."""
    if report.is_resumed:
        console.print("Went on with a run that was broken off")
    console.print(
        f"{report.items:,} items with {report.skus:,} SKUs: {report.new:,} new, {report.changed:,} changed, "
        f"{report.unchanged:,} as before, {report.gone:,} gone ({report.pages:,} pages and {report.fetched:,} items "
        "read in this run)"
    )
    show_snapshot(report.snapshot_id, report.snapshot_root, report.rejected)
    for trouble in report.troubles:
        warn("not fetched:", str(trouble))
    if report.trouble_count > len(report.troubles):
        warn("not fetched:", f"{report.trouble_count - len(report.troubles):,} more")
