"""`sourcing catalog`: bring the table `offers` up to date at a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cli.failures import BAD_USAGE, NEEDS_A_PERSON, say
from cli.running import run_flow
from cli.terminal import console, warn
from domain.catalogue import Wanted
from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from flows.sync_catalog import CatalogReport


def run_catalog(
    marketplaces: Sequence[Marketplace],
    *,
    keywords: Sequence[str],
    categories: Sequence[str],
    shops: Sequence[str],
    items: Sequence[str],
    everything: bool,
    full: bool,
    limit: int | None,
    concurrency: int | None,
    as_json: bool,
) -> int:
    """Run the flow and print its report; answers the exit code."""
    from connectors.crawl_files import CrawlBusy

    try:
        wanted = [
            Wanted(
                marketplace=marketplace,
                keywords=tuple(keywords),
                categories=tuple(categories),
                shops=tuple(shops),
                items=tuple(items),
                everything=everything,
            )
            for marketplace in dict.fromkeys(marketplaces)
        ]
        report = sync(wanted, full=full, limit=limit, concurrency=concurrency)
    except (ValueError, CrawlBusy) as error:
        say(str(error))
        return BAD_USAGE
    if as_json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
    else:
        print_report(report)
    return NEEDS_A_PERSON if report.troubles else 0


def sync(wanted: list[Wanted], **options: Any) -> CatalogReport:
    """Run the flow with progress bars. Options are those of `flows.sync_catalog.sync_catalog`."""

    async def flow() -> CatalogReport:
        from flows.sync_catalog import sync_catalog

        report: CatalogReport = await sync_catalog(wanted, **options)
        return report

    return run_flow(flow)


def print_report(report: CatalogReport) -> None:
    """What was looked at, what changed, and where the snapshot lies."""
    if report.is_resumed:
        console.print("Went on with a run that was broken off")
    console.print(
        f"{report.items:,} items with {report.skus:,} SKUs: {report.new:,} new, {report.changed:,} changed, "
        f"{report.unchanged:,} as before, {report.gone:,} gone ({report.pages:,} pages and {report.fetched:,} items "
        "read in this run)"
    )
    if report.snapshot_id:
        console.print(f"Snapshot {report.snapshot_id} in {report.snapshot_root}", soft_wrap=True)
    for trouble in report.troubles:
        warn("not fetched:", trouble)
    if report.trouble_count > len(report.troubles):
        warn("not fetched:", f"{report.trouble_count - len(report.troubles):,} more")
