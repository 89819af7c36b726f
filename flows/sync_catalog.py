"""The catalogue flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import flow
from prefect.runtime import flow_run

from connectors.crawl_files import CrawlFiles
from connectors.settings import SourcingSettings, XportcnSettings
from domain.catalogue import crawl_name
from domain.wording import pluralize, shorten
from flows.crawl import CatalogReport, Crawl
from flows.parameters import BadInput, Concurrency
from flows.shown.artifacts import show_table
from flows.shown.expected_errors import report_expected_errors
from flows.shown.progress import best_effort, rename_run
from flows.upkeep_parameters import Full, MostItems, WantedList
from tasks.price_moves import moves_in
from tasks.resources import open_resources

if TYPE_CHECKING:
    import pandas as pd

MOST_SHOWN = 50


def run_name() -> str:
    """`catalogue of taobao, 1688`."""
    places = [one["marketplace"] if isinstance(one, dict) else one.marketplace for one in flow_run.parameters["wanted"]]
    return f"catalogue of {shorten(list(map(str, places)))}"


@flow(name="sync-catalog", flow_run_name=run_name, persist_result=False)
@report_expected_errors()
async def sync_catalog(
    wanted: WantedList,
    full: Full = False,  # noqa: FBT002 - flow parameters make a form
    limit: MostItems = 0,
    concurrency: Concurrency = 0,
) -> CatalogReport:
    """Bring the table `offers` up to date for these words, categories, shops and items.

    A run that was broken off goes on where it was when it is started again within a day.
    """
    if not wanted:
        raise BadInput("What to look at: add at least one marketplace, with words, categories, shops or items")
    asked = [one.read() for one in wanted]
    settings = SourcingSettings()
    async with open_resources(settings, XportcnSettings(), concurrency=concurrency or None) as resources:
        name = crawl_name(asked, full=full, limit=limit or None)
        with CrawlFiles.open(settings.data_dir / "catalogue", name, resources.clock()) as files:
            report = await Crawl(resources, files, full=full, limit=limit or None).run(asked)
    await best_effort("the report", _show(report))
    if report.snapshot_id and report.changed:
        await _show_moves(await moves_in(settings.snapshot_root, report.snapshot_id))
    return report


def summary_of(report: CatalogReport) -> str:
    """`120 items with 300 SKUs: 3 new, 2 changed, 1 gone`."""
    moved = {"new": report.new, "changed": report.changed, "gone": report.gone}
    told = ", ".join(f"{count:,} {what}" for what, count in moved.items() if count) or "nothing new"
    troubles = f"; {pluralize(report.trouble_count, 'item')} not fetched" if report.trouble_count else ""
    return f"{pluralize(report.items, 'item')} with {pluralize(report.skus, 'SKU')}: {told}{troubles}"


def catalogue_rows(report: CatalogReport) -> list[dict[str, str]]:
    """The counts of the run, a figure a row; below them items that could not be fetched, each with the reason."""
    figures = {
        "looked at": ", ".join(report.sources) or "single items",
        "items": f"{report.items:,}, of which {report.fetched:,} were read by this run",
        "SKUs": f"{report.skus:,}: {report.new:,} new, {report.changed:,} changed, {report.unchanged:,} as before",
        "gone": f"{report.gone:,}",
        "where": f"table offers, snapshot {report.snapshot_id}" if report.snapshot_id else "nothing to write",
    }
    rows = [{"what": what, "found": words} for what, words in figures.items()]
    return rows + [{"what": "not fetched", "found": trouble} for trouble in report.troubles]


async def _show(report: CatalogReport) -> None:
    words = f"{summary_of(report)}. {report.rejected.words}".rstrip(". ")
    await show_table("catalogue", catalogue_rows(report), words)
    await rename_run(f"catalogue: {summary_of(report)}")


async def _show_moves(moves: pd.DataFrame) -> None:
    shown = moves.head(MOST_SHOWN)[["marketplace", "item_id", "sku_id", "currency", "was_minor", "price_minor"]]
    description = f"{pluralize(len(moves), 'price move')}, the steepest rise first; all of them: `sourcing diff offers`"
    table = [dict(zip(shown.columns, row, strict=True)) for row in shown.itertuples(index=False)]
    await show_table("price-moves", table, description)
