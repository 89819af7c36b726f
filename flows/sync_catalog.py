"""One crawl of a catalogue: list, fetch each item once, write what changed as a
snapshot of `offers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import Any

import pyarrow as pa
from prefect.runtime import flow_run

from connectors.concurrently import concurrently
from connectors.settings import SourcingSettings
from connectors.snapshots.files import snapshot_name
from connectors.snapshots.offer_changes import offer_changes
from connectors.snapshots.reader import IN_LITTLE, sql
from connectors.snapshots.tables import OFFERS
from connectors.snapshots.writer import write_history
from connectors.xportcn.errors import XportcnError
from connectors.xportcn.settings import XportcnSettings
from domain.catalogue import Item, Listing, Selection, Way, sources_of
from domain.marketplace import Marketplace
from domain.request_remarks import BadInput
from domain.wording import pluralize, shorten
from flows.batch.chunks import chunks_with_progress
from flows.prefect_ui.artifacts import show_table
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    sourcing_flow,
)
from flows.prefect_ui.parameters import Full, MostItems, WantedList
from tasks.engine.resources import Resources, open_resources
from tasks.fetch_offers import (
    FetchedOffers,
    ListedItems,
    fetch_offers,
    list_items,
    root_categories,
)

SOURCES_AT_ONCE = 20
ON_SALE = (
    "select distinct marketplace, item_id, seller_id, category_id from offers "
    "where active"
)
CHUNK_ITEMS = 100
MAX_SHOWN_TROUBLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReport:
    """The result of a catalogue run.

    `unchanged` SKUs are as the last snapshot has them and were not written again,
    unless all were asked for. `snapshot_id` is None when there was nothing to write.
    """

    sources: Sequence[str]
    pages: int
    items: int
    fetched: int
    skus: int
    new: int
    changed: int
    unchanged: int
    gone: int
    troubles: Sequence[str]
    trouble_count: int
    snapshot_id: str | None
    snapshot_root: str

    @property
    def summary(self) -> str:
        """`120 items with 300 SKUs: 3 new, 2 changed, 294 as before, 1 gone`."""
        failures = (
            f"; {pluralize(self.trouble_count, 'item')} not fetched"
            if self.trouble_count
            else ""
        )
        return (
            f"{pluralize(self.items, 'item')} with {pluralize(self.skus, 'SKU')}: {self.new:,} new, "
            f"{self.changed:,} changed, {self.unchanged:,} as before, {self.gone:,} gone{failures}"
        )

    def to_json(self) -> dict[str, Any]:
        """The report that `sourcing catalog --json` prints."""
        return {**asdict(self), "troubles": [*map(str, self.troubles)]}


@dataclass(frozen=True, kw_only=True)
class Crawl:
    """One crawl: the tables change at its end, in one snapshot, so that one that is
    interrupted begins again.

    Two at once do no harm: each has a snapshot of its own, and the newest row counts.
    """

    resources: Resources
    full: bool = False
    limit: int | None = None

    async def run(self, selections: Sequence[Selection]) -> CatalogReport:
        begun_at = self.resources.clock()
        asked_sources = sources_of(selections)
        sources = await self._with_root_categories(asked_sources)
        lists: list[ListedItems] = []
        for _, chunk in chunks_with_progress("list", sources, SOURCES_AT_ONCE):
            lists += await concurrently(chunk, self._list, at_once=SOURCES_AT_ONCE)

        items: list[Item] = []
        for selection in selections:
            items += [(selection.marketplace, id_) for id_ in selection.item_ids()]
        for listed in lists:
            items += listed.items
        if self.limit is None:  # a part of a list tells of no other item
            items += await asyncio.to_thread(self._stored_items, asked_sources)
        fetched = await self._fetch(list(dict.fromkeys(items)))

        return await asyncio.to_thread(self._finish, lists, fetched, begun_at)

    async def _with_root_categories(self, sources: Sequence[Listing]) -> list[Listing]:
        """Replace *everything* by the root categories where a marketplace's listing
        needs a category.
        """
        replaced: list[Listing] = []
        for source in sources:
            roots: list[str] = []
            if source.way is Way.EVERYTHING:
                roots = await root_categories(self.resources, source.marketplace)
            replaced += [
                replace(source, way=Way.CATEGORY, key=category_id)
                for category_id in roots
            ] or [source]
        return list(dict.fromkeys(replaced))

    async def _list(self, source: Listing) -> ListedItems:
        return await list_items(source, limit=self.limit)

    def _stored_items(self, sources: Sequence[Listing]) -> list[Item]:
        """The items on sale in the tables that these lists would show: one that is
        missing there is looked up once more.
        """
        root = self.resources.settings.snapshot_root
        items: list[Item] = []
        for name, item_id, seller_id, category_id in sql(root, ON_SALE, IN_LITTLE).rows:
            marketplace = Marketplace(str(name))
            keys = {"seller_id": str(seller_id), "category_id": str(category_id)}
            if any(source.would_show(marketplace, **keys) for source in sources):
                items.append((marketplace, str(item_id)))
        return items

    async def _fetch(self, items: Sequence[Item]) -> FetchedOffers:
        """Fetch all items. The rows wait in memory: 160 MB for 100,000 items.

        Raises when the first of them can't be read at all.
        """
        rows = OFFERS.schema.empty_table()
        failures: dict[Item, XportcnError] = {}
        for label, chunk in chunks_with_progress("fetch", items, CHUNK_ITEMS):
            offers = await fetch_offers(chunk, label=label)
            rows = pa.concat_tables([rows, offers.rows])
            failures |= offers.failures
            if not rows.num_rows:
                raise next(iter(failures.values()))
        return FetchedOffers(count=len(items), rows=rows, failures=failures)

    def _finish(
        self, lists: Sequence[ListedItems], fetched: FetchedOffers, begun_at: datetime
    ) -> CatalogReport:
        root = self.resources.settings.snapshot_root
        snapshot_id = snapshot_name(f"catalog-{token_hex(4)}", begun_at)
        with offer_changes(
            root, fetched.rows, snapshot_id=snapshot_id, full=self.full
        ) as changes:
            has_rows = changes.new or changes.changed or changes.gone
            if is_written := bool(has_rows or (self.full and changes.fetched)):
                write_history(
                    root, snapshot_id, [{"offers": changes.rows}], begun_at, None
                )

        troubles = [
            f"{marketplace} {item_id}: {failure}"
            for (marketplace, item_id), failure in fetched.failures.items()
        ]
        written_id = snapshot_id if is_written else None
        return CatalogReport(
            sources=[str(listed.source) for listed in lists],
            pages=sum(listed.pages for listed in lists),
            items=fetched.count,
            fetched=fetched.count - len(troubles),
            skus=changes.fetched,
            new=changes.new,
            changed=changes.changed,
            unchanged=changes.unchanged,
            gone=changes.gone,
            troubles=troubles[:MAX_SHOWN_TROUBLES],
            trouble_count=len(troubles),
            snapshot_id=written_id,
            snapshot_root=str(root.absolute()),
        )


def run_name() -> str:
    """`catalogue of taobao, 1688`."""
    marketplaces = [
        selection["marketplace"]
        if isinstance(selection, dict)
        else selection.marketplace
        for selection in flow_run.parameters["wanted"]
    ]
    return f"catalogue of {shorten(list(map(str, marketplaces)))}"


@sourcing_flow(run_name)
async def sync_catalog(
    wanted: WantedList,
    full: Full = False,  # noqa: FBT002 - flow parameters make a form
    limit: MostItems = 0,
) -> CatalogReport:
    """Bring the table `offers` up to date for these words, categories, shops and items.

    A run that is broken off changes nothing.
    """
    if not wanted:
        raise BadInput(
            "What to fetch: add at least one marketplace, with words, categories, shops or items"
        )
    selections = [section.read() for section in wanted]
    settings = SourcingSettings()
    async with open_resources(
        settings, XportcnSettings(), is_buying=False
    ) as resources:
        report = await Crawl(resources=resources, full=full, limit=limit or None).run(
            selections
        )
    await best_effort("the report", _show(report))
    return report


async def _show(report: CatalogReport) -> None:
    rows = [{"not fetched": str(trouble)} for trouble in report.troubles]
    lines = [f"{', '.join(report.sources) or 'single items'}: {report.summary}"]
    if report.snapshot_id:
        lines.append(f"Table offers, snapshot {report.snapshot_id}")
    await show_table("catalogue", rows, ". ".join(lines))
    await rename_run(f"catalogue: {report.summary}")
