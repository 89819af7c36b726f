"""One crawl of a catalogue: list, fetch each item once, write what changed as a
snapshot of `offers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import pyarrow as pa
from prefect.runtime import flow_run

from connectors.concurrently import concurrently
from connectors.seen_items import read_seen_items, store_seen_items
from connectors.settings import SourcingSettings
from connectors.snapshots.offer_changes import offer_changes
from connectors.snapshots.rejecting import rejected_in
from connectors.snapshots.tables import OFFERS
from connectors.snapshots.writer import write_snapshot
from connectors.xportcn.errors import XportcnError
from connectors.xportcn.settings import XportcnSettings
from domain.catalogue import (
    Item,
    ListedPage,
    Listing,
    ReadListing,
    Selection,
    Way,
    items_to_fetch,
    listed_steadily,
    sources_of,
)
from domain.reasons import Detail, Part, detail
from domain.report import NONE_REJECTED, Rejected
from domain.request_remarks import BadInput
from domain.wording import pluralize, shorten
from flows.batch.chunks import chunks_with_progress
from flows.prefect_ui.artifacts import show_table
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    sourcing_flow,
)
from flows.prefect_ui.parameters import Concurrency, Full, MostItems, WantedList
from tasks.engine.gathering import PartialResults
from tasks.engine.resources import Resources, open_resources
from tasks.fetch_offers import (
    FetchedOffers,
    changed_since,
    fetch_offers,
    list_offers,
    root_categories,
)

SOURCES_AT_ONCE = 20
MAX_READINGS = 3
"""How often a list is read that changes meanwhile."""
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
    troubles: Sequence[Detail]
    trouble_count: int
    snapshot_id: str | None
    snapshot_root: str
    rejected: Rejected = NONE_REJECTED

    def to_json(self) -> dict[str, Any]:
        """The report that `sourcing catalog --json` prints."""
        return {**asdict(self), "troubles": [*map(str, self.troubles)]}


@dataclass(frozen=True)
class Crawl:
    """One crawl: the tables change at its end, in one snapshot.

    Two at once do no harm: each has a snapshot of its own, and the newest row counts.
    """

    resources: Resources
    _: KW_ONLY
    full: bool = False
    limit: int | None = None

    async def run(self, wanted: Sequence[Selection]) -> CatalogReport:
        begun_at = self.resources.clock()
        sources = await self._wanted_sources(wanted)
        listings: list[ReadListing] = []
        for _, chunk in chunks_with_progress("list", sources, SOURCES_AT_ONCE):
            listings += await concurrently(
                chunk, self._read_listing, at_once=SOURCES_AT_ONCE
            )
        items = items_to_fetch(wanted, listings, with_unlisted=self.limit is None)
        fetched = await self._fetch(items, listings)
        return await asyncio.to_thread(self._finish, listings, items, fetched, begun_at)

    async def _wanted_sources(self, wanted: Sequence[Selection]) -> list[Listing]:
        """Replace *everything* by the root categories where a marketplace's listing
        needs a category.
        """
        sources: list[Listing] = []
        for source in sources_of(wanted):
            roots = (
                await root_categories(self.resources, source.marketplace)
                if source.way is Way.EVERYTHING
                else []
            )
            sources += [
                Listing(
                    marketplace=source.marketplace, way=Way.CATEGORY, key=category_id
                )
                for category_id in roots
            ] or [source]
        return list(dict.fromkeys(sources))

    async def _read_listing(self, source: Listing) -> ReadListing:
        """Read a list, and again, a few times, when it changed meanwhile: items may
        have slipped to a page that was read before.
        """
        last = read_seen_items(self._seen_folder, source)
        since = None if self.full else changed_since(self.resources, source, last)
        item_ids: dict[str, None] = {}
        page_count = 0
        for _ in range(MAX_READINGS):
            pages: PartialResults[int, ListedPage] = PartialResults()
            await list_offers(
                source,
                pages,
                changed_since=since,
                limit=self.limit,
            )
            page_count += len(pages)
            for _, page in sorted(pages.items()):
                item_ids |= dict.fromkeys(page.item_ids)
            if listed_steadily(pages.values()):
                break
        return ReadListing(
            source=source,
            item_ids=[*item_ids][: self.limit],
            pages=page_count,
            of_changes=since is not None,
            last=last,
        )

    async def _fetch(
        self, items: Sequence[Item], listings: Sequence[ReadListing]
    ) -> FetchedOffers:
        """Fetch all items. The rows wait in memory: 160 MB for 100,000 items.

        Raises when nothing can be read, unless that is only what the last crawl could
        not fetch either.
        """
        missed_before = {
            (listing.source.marketplace, item_id)
            for listing in listings
            if listing.last
            for item_id in listing.last.missed
        }
        rows = OFFERS.schema.empty_table()
        failures: dict[Item, XportcnError] = {}
        for label, chunk in chunks_with_progress("fetch", items, CHUNK_ITEMS):
            offers = await fetch_offers(chunk, PartialResults(), label=label)
            rows = pa.concat_tables([rows, offers.rows])
            failures |= offers.failures
            if not rows.num_rows and not missed_before.issuperset(chunk):
                raise next(iter(failures.values()))
        return FetchedOffers(rows=rows, failures=failures)

    def _finish(
        self,
        listings: Sequence[ReadListing],
        items: Sequence[Item],
        fetched: FetchedOffers,
        begun_at: datetime,
    ) -> CatalogReport:
        """Write what changed, then what was seen of each list."""
        counts = dict.fromkeys(("skus", "new", "changed", "unchanged", "gone"), 0)
        failures = fetched.failures
        snapshot_id = None
        if items:
            snapshot_id, counts = self._write(fetched.rows, begun_at)
            if self.limit is None:  # a part tells nothing about the whole
                for listing in listings:
                    seen = listing.seen_items(begun_at, failures.keys())
                    store_seen_items(self._seen_folder, listing.source, seen)

        root = self.resources.settings.snapshot_root
        troubles = [
            detail(
                Part.NOT_FETCHED,
                marketplace=marketplace,
                item=item_id,
                failure=str(failure),
            )
            for (marketplace, item_id), failure in failures.items()
        ]
        return CatalogReport(
            sources=[str(listing.source) for listing in listings],
            pages=sum(listing.pages for listing in listings),
            items=len(items),
            fetched=len(items) - len(failures),
            **counts,
            troubles=troubles[:MAX_SHOWN_TROUBLES],
            trouble_count=len(troubles),
            snapshot_id=snapshot_id,
            snapshot_root=str(root.absolute()),
            rejected=rejected_in(root, snapshot_id),
        )

    def _write(
        self, rows: pa.Table, begun_at: datetime
    ) -> tuple[str | None, dict[str, int]]:
        """Write the offers that changed. Return the id of the snapshot, None where
        there was nothing to write, and the counts of the report.
        """
        root = self.resources.settings.snapshot_root
        snapshot_id = f"catalog-{begun_at:%Y%m%dT%H%M%S%f}-{token_hex(4)}"
        with offer_changes(
            root, rows, snapshot_id=snapshot_id, full=self.full
        ) as changes:
            counts = {
                "skus": changes.fetched,
                "new": changes.new,
                "changed": changes.changed,
                "unchanged": changes.unchanged,
                "gone": changes.gone,
            }
            moved = changes.new or changes.changed or changes.gone
            if not (moved or (self.full and changes.fetched)):
                return None, counts
            write_snapshot(
                root,
                snapshot_id,
                begun_at.date(),
                {"offers": changes.rows},
                batch_id=None,
                written_at=self.resources.clock(),
            )
        return snapshot_id, counts

    @property
    def _seen_folder(self) -> Path:
        return self.resources.settings.data_dir / "catalogue"


def run_name() -> str:
    """`catalogue of taobao, 1688`."""
    places = [
        one["marketplace"] if isinstance(one, dict) else one.marketplace
        for one in flow_run.parameters["wanted"]
    ]
    return f"catalogue of {shorten(list(map(str, places)))}"


@sourcing_flow(run_name)
async def sync_catalog(
    wanted: WantedList,
    full: Full = False,  # noqa: FBT002 - flow parameters make a form
    limit: MostItems = 0,
    concurrency: Concurrency = 0,
) -> CatalogReport:
    """Bring the table `offers` up to date for these words, categories, shops and items.

    A run that is broken off changes nothing.
    """
    if not wanted:
        raise BadInput(
            "What to fetch: add at least one marketplace, with words, categories, shops or items"
        )
    asked = [one.read() for one in wanted]
    settings = SourcingSettings()
    async with open_resources(
        settings, XportcnSettings(), concurrency=concurrency, is_buying=False
    ) as resources:
        report = await Crawl(resources, full=full, limit=limit or None).run(asked)
    await best_effort("the report", _show(report))
    return report


def summary_of(report: CatalogReport) -> str:
    """`120 items with 300 SKUs: 3 new, 2 changed, 1 gone`."""
    moved = {"new": report.new, "changed": report.changed, "gone": report.gone}
    told = (
        ", ".join(f"{count:,} {what}" for what, count in moved.items() if count)
        or "nothing new"
    )
    troubles = (
        f"; {pluralize(report.trouble_count, 'item')} not fetched"
        if report.trouble_count
        else ""
    )
    return f"{pluralize(report.items, 'item')} with {pluralize(report.skus, 'SKU')}: {told}{troubles}"


def catalogue_rows(report: CatalogReport) -> list[dict[str, str]]:
    """The counts of the run, a figure a row; below them items that could not be
    fetched, each with the reason.
    """
    figures = {
        "searched": ", ".join(report.sources) or "single items",
        "items": f"{report.items:,}, of which {report.fetched:,} could be read",
        "SKUs": f"{report.skus:,}: {report.new:,} new, {report.changed:,} changed, {report.unchanged:,} as before",
        "gone": f"{report.gone:,}",
        "where": f"table offers, snapshot {report.snapshot_id}"
        if report.snapshot_id
        else "nothing to write",
    }
    rows = [{"what": what, "found": words} for what, words in figures.items()]
    return rows + [
        {"what": "not fetched", "found": str(trouble)} for trouble in report.troubles
    ]


async def _show(report: CatalogReport) -> None:
    words = f"{summary_of(report)}. {report.rejected.words}".rstrip(". ")
    await show_table("catalogue", catalogue_rows(report), words)
    await rename_run(f"catalogue: {summary_of(report)}")
