"""What is left of a crawl when it is broken off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.crawl_files import CrawlBusy, CrawlFiles
from connectors.snapshots.rows import to_arrow
from connectors.snapshots.tables import OFFERS
from domain.catalogue import ListedPage, Listing, Way
from domain.marketplace import Marketplace

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
BAGS = Listing(marketplace=Marketplace.TAOBAO, way=Way.WORDS, key="bag")
PAGE = ListedPage(total=2, item_ids=("600001", "600002"))
ROW = {
    "marketplace": "taobao",
    "item_id": "600001",
    "sku_id": "1",
    "price_minor": 100,
    "currency": "CNY",
    "stock": 5,
    "min_quantity": 1,
    "active": True,
    "snapshot_id": "x",
    "snapshot_at": AT,
}


def test_a_second_run_finds_what_is_finished(tmp_path: Path) -> None:
    """Sources, pages, items and parts are as they were kept, and the crawl began when
    the first run did.
    """
    with CrawlFiles.open(tmp_path, "a", AT) as first:
        assert (
            first.is_resumed,
            first.sources(),
            first.items(),
            first.pages(BAGS, 1),
        ) == (False, None, None, {})
        first.keep_sources([BAGS])
        first.keep_page(BAGS, 1, 1, PAGE)
        first.keep_items(
            [[(Marketplace.TAOBAO, "600001")], [(Marketplace.TAOBAO, "600002")]]
        )
        first.keep_part(1, to_arrow(OFFERS, [ROW]))
    with CrawlFiles.open(tmp_path, "a", AT + timedelta(hours=23)) as second:
        assert (second.is_resumed, second.begun_at) == (True, AT)
        assert second.sources() == [BAGS]
        assert (second.pages(BAGS, 1), second.pages(BAGS, 2)) == ({1: PAGE}, {})
        assert second.items() == [
            [(Marketplace.TAOBAO, "600001")],
            [(Marketplace.TAOBAO, "600002")],
        ]
        assert (second.has_part(1), second.has_part(2)) == (True, False)
        assert second.fetched_items() == {(Marketplace.TAOBAO, "600001")}


def test_crawls_of_the_same_second_write_different_snapshots(tmp_path: Path) -> None:
    """On a fast machine one crawl ends and the next begins within a second: neither may
    replace the other's rows.
    """
    ids = []
    for later in (timedelta(), timedelta(milliseconds=1)):
        with CrawlFiles.open(tmp_path, "a", AT + later) as files:
            ids.append(files.snapshot_id)
            files.finish({})
    assert ids == ["catalog-20260102T030400000000-a", "catalog-20260102T030400001000-a"]


def test_a_crawl_of_another_question_begins_anew(tmp_path: Path) -> None:
    """Its name is made from the question."""
    with CrawlFiles.open(tmp_path, "a", AT) as first:
        first.keep_sources([BAGS])
    with CrawlFiles.open(tmp_path, "b", AT) as other:
        assert (other.is_resumed, other.sources()) == (False, None)


def test_what_is_a_day_old_is_not_gone_on_with(tmp_path: Path) -> None:
    """Its pages no longer show what the marketplace has."""
    with CrawlFiles.open(tmp_path, "a", AT) as first:
        first.keep_sources([BAGS])
    late = AT + timedelta(hours=25)
    with CrawlFiles.open(tmp_path, "a", late) as second:
        assert (second.is_resumed, second.begun_at, second.sources()) == (
            False,
            late,
            None,
        )


def test_a_crawl_that_a_clock_ahead_began_is_not_gone_on_with(tmp_path: Path) -> None:
    """The next crawl would ask for changes since a day that is still to come."""
    with CrawlFiles.open(tmp_path, "a", AT + timedelta(days=2)) as first:
        first.keep_sources([BAGS])
    with CrawlFiles.open(tmp_path, "a", AT) as second:
        assert (second.is_resumed, second.begun_at, second.sources()) == (
            False,
            AT,
            None,
        )


def test_what_a_half_cleared_crawl_left_does_not_count(tmp_path: Path) -> None:
    """A kill while clearing leaves files, and the next crawl must not take them for its
    own.
    """
    with CrawlFiles.open(tmp_path, "a", AT) as first:
        first.keep_sources([BAGS])
    (tmp_path / "crawls" / "a" / "begun.json").unlink()
    with CrawlFiles.open(tmp_path, "a", AT) as second:
        assert (second.is_resumed, second.sources()) == (False, None)


def test_two_runs_never_make_the_same_crawl(tmp_path: Path) -> None:
    """The second says what to do; another crawl is free."""
    with CrawlFiles.open(tmp_path, "a", AT):
        with (
            pytest.raises(CrawlBusy, match="wait for it, or end it and run again"),
            CrawlFiles.open(tmp_path, "a", AT),
        ):
            pass
        with CrawlFiles.open(tmp_path, "b", AT):
            pass


def test_a_finished_crawl_leaves_only_what_it_saw(tmp_path: Path) -> None:
    """The next one of the same source knows it, and begins anew."""
    with CrawlFiles.open(tmp_path, "a", AT) as first:
        first.keep_sources([BAGS])
        first.finish({BAGS: ["600001", "600002"]})
    with CrawlFiles.open(tmp_path, "a", AT) as second:
        seen = second.seen(BAGS)
        assert seen is not None
        assert (second.is_resumed, seen.begun_at, seen.item_ids) == (
            False,
            AT,
            ("600001", "600002"),
        )


def test_a_page_half_written_is_not_there(tmp_path: Path) -> None:
    """What a kill leaves of a file has another name."""
    with CrawlFiles.open(tmp_path, "a", AT) as files:
        files.keep_page(BAGS, 1, 1, PAGE)
        (
            tmp_path / "crawls" / "a" / "listed" / f"{BAGS.name}-1" / "000002.new"
        ).write_text('{"total": 2, "it')
        assert files.pages(BAGS, 1) == {1: PAGE}
