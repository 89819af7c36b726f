"""One crawl of a catalogue: list, fetch each item once, write what changed as a
snapshot of `offers`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from pathlib import Path
from typing import Any

from prefect.runtime import flow_run

from connectors.crawl_files import CrawlFiles, Item
from connectors.marketplaces.browsing import SEARCH_PAGE_SIZE
from connectors.settings import SourcingSettings
from connectors.snapshots.offer_changes import OfferChanges, offer_changes
from connectors.snapshots.rejecting import rejected_in
from connectors.snapshots.writer import write_snapshot
from connectors.xportcn.settings import XportcnSettings
from domain.catalogue import (
    Listing,
    Selection,
    Way,
    crawl_name,
    listed_steadily,
    pages_of,
    sources_of,
    to_fetch,
)
from domain.marketplace import Marketplace
from domain.reasons import Detail, Part, detail
from domain.report import NONE_REJECTED, Rejected
from domain.request_remarks import BadInput
from domain.wording import pluralize, shorten
from flows.batch.chunks import chunks, chunks_with_progress
from flows.prefect_ui.artifacts import show_table
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    sourcing_flow,
)
from flows.prefect_ui.parameters import Concurrency, Full, MostItems, WantedList
from tasks.engine.gathering import PartialResults
from tasks.engine.progress import progress
from tasks.engine.resources import Resources, open_resources
from tasks.engine.retrying import run_task
from tasks.fetch_offers import (
    fetch_offers,
    list_offers,
    lists_changes,
    root_categories,
)

MOST_TURNS = 3
MOST_PAGES = 2_000
MOST_ITEMS = 10**9
PART_SIZE = 100
FEW = 10
"""Items, of which a last part may have none that can be read."""
SHOWN_TROUBLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReport:
    """The result of a catalogue run: `pages` and `fetched` in this run, the other
    counts for the whole crawl.

    `unchanged` SKUs are as the last snapshot has them and were not written again,
    unless all were asked for. `snapshot_id` is None when there was nothing to write.
    """

    is_resumed: bool
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


@dataclass(eq=False)
class Crawl:
    """One run of one crawl."""

    resources: Resources
    files: CrawlFiles
    _: KW_ONLY
    full: bool = False
    limit: int | None = None
    pages: int = field(default=0, init=False)
    fetched: int = field(default=0, init=False)
    troubles: dict[Item, Detail] = field(default_factory=dict, init=False)

    async def run(self, wanted: Sequence[Selection]) -> CatalogReport:
        sources = self.files.sources()
        if sources is None:
            sources = await self._settle_sources(wanted)
            self.files.keep_sources(sources)
        parts = self.files.items()
        if parts is None:
            parts = await self._settle_items(wanted, sources)
            self.files.keep_items(parts)
        await self._fetch(parts)
        return await asyncio.to_thread(self._finish, sources, parts)

    async def _settle_sources(self, wanted: Sequence[Selection]) -> list[Listing]:
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

    async def _settle_items(
        self, wanted: Sequence[Selection], sources: Sequence[Listing]
    ) -> list[list[Item]]:
        await self._list(sources)
        listed: dict[Marketplace, list[str]] = defaultdict(list)
        known: dict[Marketplace, list[str]] = defaultdict(list)
        for one in wanted:
            listed[one.marketplace] += one.item_ids()
        for source in sources:
            listed[source.marketplace] += self._listed(source)
            if self.limit is None and (
                seen := self.files.seen(source)
            ):  # what is cut off tells of none
                known[source.marketplace] += (
                    seen.missed if self._changes_only(source) else seen.item_ids
                )
        items = to_fetch(listed, known)
        return [list(part) for _, part in chunks(items, PART_SIZE)]

    def _changes_only(self, source: Listing) -> bool:
        return not self.full and lists_changes(self.resources, self.files, source)

    async def _list(self, sources: Sequence[Listing]) -> None:
        """Read every page of every source; a source that changed meanwhile is read
        again, a few times.
        """
        for turn in range(1, MOST_TURNS + 1):
            await self._read(turn, [(source, 1) for source in sources], "first pages")
            await self._read(
                turn,
                [
                    page
                    for source in sources
                    for page in self._further_pages(source, turn)
                ],
                "pages",
            )
            await self._read_on(turn, sources)
            sources = [
                one
                for one in sources
                if not listed_steadily(self.files.pages(one, turn).values())
            ]

    async def _read_on(self, turn: int, sources: Sequence[Listing]) -> None:
        """Read lists to a page without new items, or as far as wanted, unless what was
        read is all that they count.

        A count of one page, or of pages larger than the service gives, ends none.
        """
        known, last, total = (
            dict[Listing, set[str]](),
            dict[Listing, int](),
            dict[Listing, int](),
        )
        for source in sources:
            pages = self.files.pages(source, turn)
            known[source] = {
                item_id for page in pages.values() for item_id in page.item_ids
            }
            last[source] = max(pages)
            total[source] = (
                pages[1].total
                if pages[1].total > len(pages[1].item_ids)
                else MOST_ITEMS
            )
        sources = [source for source in sources if known[source]]
        while sources := [
            one
            for one in sources
            if len(known[one]) < min(total[one], self.limit or MOST_ITEMS)
        ]:
            pages_to_read = [
                (source, last[source] + 1)
                for source in sources
                if last[source] < MOST_PAGES
            ]
            await self._read(turn, pages_to_read, "further pages")
            listed = {
                one: set(self.files.pages(one, turn)[number].item_ids)
                for one, number in pages_to_read
            }
            last |= dict(pages_to_read)
            sources = [source for source, ids in listed.items() if ids - known[source]]
            for source in sources:
                known[source] |= listed[source]

    def _further_pages(self, source: Listing, turn: int) -> list[tuple[Listing, int]]:
        total = self.files.pages(source, turn)[1].total
        count = pages_of(
            total,
            page_size=SEARCH_PAGE_SIZE,
            limit=self.limit,
        )
        return [(source, number) for number in range(2, count + 1)]

    async def _read(
        self, turn: int, pages: Sequence[tuple[Listing, int]], stage: str
    ) -> None:
        finished = {
            source: self.files.pages(source, turn).keys() for source, _ in pages
        }
        missing = [
            (source, number)
            for source, number in pages
            if number not in finished[source]
        ]
        for label, some in chunks_with_progress(stage, missing, PART_SIZE):
            await run_task(
                list_offers,
                self.resources,
                self.files,
                some,
                PartialResults(),
                turn=turn,
                changed_only=not self.full,
                label=f"{stage} {label}",
            )
            self.pages += len(some)

    def _listed(self, source: Listing) -> list[str]:
        """The items of a source, each once, in the order of the list."""
        pages = [
            page
            for turn in range(1, MOST_TURNS + 1)
            for _, page in sorted(self.files.pages(source, turn).items())
        ]
        ids = list(
            dict.fromkeys(item_id for page in pages for item_id in page.item_ids)
        )
        return ids[: self.limit]

    async def _fetch(self, parts: Sequence[Sequence[Item]]) -> None:
        listener = progress.get()
        listener.start("fetch", sum(len(part) for part in parts))
        known = {
            source: self.files.seen(source) for source in self.files.sources() or ()
        }
        missed = {
            (source.marketplace, one)
            for source, last in known.items()
            if last
            for one in last.missed
        }
        for number, part in enumerate(parts, start=1):
            if not self.files.has_part(number):
                answer = await run_task(
                    fetch_offers,
                    self.resources,
                    self.files,
                    part,
                    PartialResults(),
                    part=number,
                    may_fail=missed.issuperset(part)
                    or (number > 1 and len(part) < FEW),
                    label=f"part {number:,} of {len(parts):,}",
                )
                self.fetched += answer.items
                self.troubles |= answer.troubles
            listener.advance("fetch", len(part))

    def _finish(
        self, sources: Sequence[Listing], parts: Sequence[Sequence[Item]]
    ) -> CatalogReport:
        root = self.resources.settings.snapshot_root
        files = self.files.part_files()
        if not files:
            self.files.finish({})
            return self._report(sources, 0, None, None, [])
        with offer_changes(
            root,
            files,
            snapshot_id=self.files.snapshot_id,
            full=self.full,
            work=self.files.work,
        ) as changes:
            written = self._write(root, changes)
            troubles = self._troubles(parts)
        known = (
            {source: self._now_known(source, troubles) for source in sources}
            if self.limit is None
            else {}
        )
        self.files.finish(known, troubles)
        return self._report(
            sources,
            sum(len(part) for part in parts),
            changes,
            written,
            [*troubles.values()],
        )

    def _troubles(self, parts: Sequence[Sequence[Item]]) -> dict[Item, Detail]:
        """The items that could not be fetched, now or in the run that was broken
        off.
        """
        fetched = self.files.fetched_items()
        missing = [item for part in parts for item in part if item not in fetched]
        return {
            item: self.troubles.get(item)
            or detail(Part.NOT_FETCHED, marketplace=item[0], item=item[1], earlier=True)
            for item in missing
        }

    def _write(self, root: Path, changes: OfferChanges) -> str | None:
        if not (
            changes.new
            or changes.changed
            or changes.gone
            or (self.full and changes.fetched)
        ):
            return None
        write_snapshot(
            root,
            self.files.snapshot_id,
            self.files.begun_at.date(),
            {"offers": changes.rows},
            batch_id=None,
            written_at=self.resources.clock(),
        )
        return self.files.snapshot_id

    def _now_known(self, source: Listing, missed: Collection[Item]) -> list[str]:
        """The items that later crawls may expect in the source, or ask for again."""
        seen, changes = self.files.seen(source), self._changes_only(source)
        kept = (
            [
                one
                for one in seen.item_ids
                if changes or (source.marketplace, one) in missed
            ]
            if seen
            else []
        )
        return list(dict.fromkeys([*kept, *self._listed(source)]))

    def _report(
        self,
        sources: Sequence[Listing],
        items: int,
        changes: OfferChanges | None,
        snapshot_id: str | None,
        troubles: Sequence[Detail],
    ) -> CatalogReport:
        return CatalogReport(
            is_resumed=self.files.is_resumed,
            sources=[str(source) for source in sources],
            pages=self.pages,
            items=items,
            fetched=self.fetched,
            skus=changes.fetched if changes else 0,
            new=changes.new if changes else 0,
            changed=changes.changed if changes else 0,
            unchanged=changes.unchanged if changes else 0,
            gone=changes.gone if changes else 0,
            troubles=troubles[:SHOWN_TROUBLES],
            trouble_count=len(troubles),
            snapshot_id=snapshot_id,
            snapshot_root=str(self.resources.settings.snapshot_root.absolute()),
            rejected=rejected_in(self.resources.settings.snapshot_root, snapshot_id),
        )


MOST_SHOWN = 50


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

    A run that was broken off goes on where it was when it is started again within a
    day.
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
        name = crawl_name(asked, full=full, limit=limit or None)
        with CrawlFiles.open(
            settings.data_dir / "catalogue", name, resources.clock()
        ) as files:
            report = await Crawl(resources, files, full=full, limit=limit or None).run(
                asked
            )
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
        "items": f"{report.items:,}, of which {report.fetched:,} were read by this run",
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
