"""What a finished crawl saw of a list."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from connectors.seen_items import read_seen_items, store_seen_items
from domain.catalogue import Listing, SeenItems, Way
from domain.marketplace import Marketplace

BAGS = Listing(marketplace=Marketplace.TAOBAO, way=Way.WORDS, key="帆布")


def test_a_later_crawl_reads_what_the_last_one_saw(tmp_path: Path) -> None:
    seen = SeenItems(
        begun_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        item_ids=("600001", "600002"),
        missed=("600002",),
    )
    assert read_seen_items(tmp_path / "seen", BAGS) is None
    store_seen_items(tmp_path / "seen", BAGS, seen)
    assert read_seen_items(tmp_path / "seen", BAGS) == seen
