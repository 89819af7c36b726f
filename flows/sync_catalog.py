"""The catalogue flow."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import acreate_table_artifact

from connectors.crawl_files import CrawlFiles
from connectors.settings import SourcingSettings, XportcnSettings
from domain.catalogue import Wanted, crawl_name
from flows.crawl import CatalogReport, Crawl
from tasks.resources import open_resources


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
    return report
