"""The catalogue flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import flow
from prefect.artifacts import acreate_table_artifact

from connectors.crawl_files import CrawlFiles
from connectors.settings import SourcingSettings, XportcnSettings
from domain.catalogue import Wanted, crawl_name
from domain.wording import number_of
from flows.crawl import CatalogReport, Crawl
from tasks.price_moves import moves_told_by
from tasks.resources import open_resources

if TYPE_CHECKING:
    import pandas as pd

MOST_SHOWN = 50


@flow(name="sync-catalog", persist_result=False)
async def sync_catalog(
    wanted: list[Wanted],
    full: bool = False,  # noqa: FBT001, FBT002 - flow parameters make a form
    limit: int | None = None,
    concurrency: int | None = None,
) -> CatalogReport:
    """Bring the table `offers` up to date for these keywords, categories, shops and items.

    A run that was broken off goes on where it was when it is started again within a day. `full` asks for everything
    anew and writes unchanged offers too; `limit` bounds the items taken from each source.
    """
    settings = SourcingSettings()
    async with open_resources(settings, XportcnSettings(), concurrency=concurrency) as resources:
        name = crawl_name(wanted, full=full, limit=limit)
        with CrawlFiles.open(settings.data_dir / "catalogue", name, resources.clock()) as files:
            report = await Crawl(resources, files, full=full, limit=limit).run(wanted)
    counts = {name: value for name, value in report.to_json().items() if isinstance(value, int)}
    words = f"Snapshot {report.snapshot_id}. {report.rejected.words}".rstrip(". ")
    await acreate_table_artifact(key="catalogue", table=[counts], description=words)
    if report.snapshot_id and report.changed:
        await _show_moves(await moves_told_by(settings.snapshot_root, report.snapshot_id))
    return report


async def _show_moves(moves: pd.DataFrame) -> None:
    shown = moves.head(MOST_SHOWN)[["marketplace", "item_id", "sku_id", "currency", "was_minor", "price_minor"]]
    description = f"{number_of(len(moves), 'price move')}, the steepest rise first; all of them: `sourcing diff offers`"
    table = [dict(zip(shown.columns, row, strict=True)) for row in shown.itertuples(index=False)]
    await acreate_table_artifact(key="price-moves", table=table, description=description)
