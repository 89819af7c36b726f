"""What freshly fetched offers change of those that the snapshots have."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.snapshots.offer_changes import GONE, offer_changes
from connectors.snapshots.reader import sql
from connectors.snapshots.rows import to_arrow
from connectors.snapshots.tables import OFFERS
from connectors.snapshots.writer import write_history
from tests.connectors.snapshots.sample import AT, write

LATER = AT + timedelta(days=1)
ENDED = LATER + timedelta(hours=9)


def offer(
    item_id: str = "600001", sku_id: str = "1", **changes: object
) -> dict[str, object]:
    return {
        "marketplace": "taobao",
        "item_id": item_id,
        "sku_id": sku_id,
        "title": "bag",
        "price_minor": 100,
        "currency": "CNY",
        "stock": 5,
        "min_quantity": 1,
        "active": True,
        "image_urls": ["https://x/1.jpg"],
        "volume_prices": [{"start_quantity": 1, "price_minor": 100}],
    } | changes


def sync(
    root: Path,
    *parts: list[dict[str, object]],
    snapshot_id: str = "catalog-2",
    full: bool = False,
) -> Any:
    """Fetch these rows in these parts; answers the counts and the rows written (item,
    SKU, price, stock, active).
    """
    envelope = {"snapshot_id": "fetched", "snapshot_at": LATER}
    fetched = pa.concat_tables(
        to_arrow(OFFERS, [row | envelope for row in rows]) for rows in parts
    )
    with offer_changes(root, fetched, snapshot_id=snapshot_id, full=full) as changes:
        write_history(root, snapshot_id, [{"offers": changes.rows}], ENDED, None)
    query = "select item_id, sku_id, price_minor, stock, active from offers_history where snapshot_id = '{}' order by all"
    counts = (
        changes.fetched,
        changes.new,
        changes.changed,
        changes.unchanged,
        changes.gone,
    )
    return counts, list(sql(root, query.format(snapshot_id)).rows)


def test_the_first_crawl_writes_all(tmp_path: Path) -> None:
    """A row a SKU, in the order of the key, with prices for volumes as they were
    fetched.
    """
    counts, rows = sync(
        tmp_path, [offer("600002"), offer("600001", "2")], [offer("600001", "1")]
    )
    assert counts == (3, 3, 0, 0, 0)
    assert rows == [
        ("600001", "1", 100, 5, True),
        ("600001", "2", 100, 5, True),
        ("600002", "1", 100, 5, True),
    ]
    prices = sql(
        tmp_path,
        "select volume_prices[1].price_minor, image_urls[1], snapshot_id from offers limit 1",
    ).rows
    assert prices == ((100, "https://x/1.jpg", "catalog-2"),)


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    """When it was seen is no change; price, stock, pictures and volume prices are."""
    write(tmp_path, "old", offers=[offer(f"60000{number}") for number in range(5)])
    counts, rows = sync(
        tmp_path,
        [
            offer("600000", seen_at=LATER),
            offer("600001", price_minor=110),
            offer("600002", stock=4),
            offer("600003", image_urls=[]),
            offer("600004", volume_prices=[{"start_quantity": 1, "price_minor": 99}]),
        ],
    )
    assert counts == (5, 0, 4, 1, 0)
    assert [row[0] for row in rows] == ["600001", "600002", "600003", "600004"]
    assert sql(tmp_path, "select count(*) from offers").rows == ((5,),)


def test_a_full_crawl_writes_the_unchanged_too(tmp_path: Path) -> None:
    """For those who want a whole picture in one file."""
    write(tmp_path, "old", offers=[offer("600001"), offer("600002")])
    counts, rows = sync(
        tmp_path, [offer("600001"), offer("600002", stock=1)], full=True
    )
    assert counts == (2, 0, 1, 1, 0)
    assert rows == [("600001", "1", 100, 5, True), ("600002", "1", 100, 1, True)]


def test_what_is_no_longer_there_has_no_stock(tmp_path: Path) -> None:
    """An item that is gone, and a SKU that its item no longer has; what was not fetched
    stays as it is.
    """
    write(
        tmp_path,
        "old",
        offers=[
            offer("600001"),
            offer("600002"),
            offer("600002", "2"),
            offer("600003"),
        ],
    )
    removed = offer("600001", GONE, active=False, stock=0, price_minor=0)
    counts, rows = sync(tmp_path, [removed, offer("600002", "2")])
    assert counts == (1, 0, 0, 1, 2)
    assert rows == [("600001", "1", 100, 0, False), ("600002", "1", 100, 0, False)]
    repeated, rows_again = sync(
        tmp_path, [removed, offer("600002", "2")], snapshot_id="catalog-3"
    )
    assert (repeated, rows_again) == ((1, 0, 0, 1, 0), [])


def test_a_crawl_hides_nothing_that_a_run_has_seen_since(tmp_path: Path) -> None:
    """Its rows are of the moment at which it fetched their item, however late it
    ends.
    """
    write(
        tmp_path,
        "old",
        offers=[
            offer("600001"),
            offer("600002"),
            offer("600003"),
            offer("600003", "2"),
        ],
    )
    run = [
        offer("600001", price_minor=135, stock=0),
        offer("600001", "2"),
        offer("600003", "2", stock=2),
    ]
    write(tmp_path, "run", offers=run, at=LATER + timedelta(hours=6))
    counts, _ = sync(
        tmp_path,
        [
            offer("600001", price_minor=129),
            offer("600002", stock=7),
            offer("600003", stock=8),
        ],
    )
    assert counts == (3, 0, 2, 1, 0)
    query = "select item_id, sku_id, price_minor, stock, snapshot_at from offers order by all"
    assert sql(tmp_path, query).rows == (
        ("600001", "1", 135, 0, LATER + timedelta(hours=6)),
        ("600001", "2", 100, 5, LATER + timedelta(hours=6)),
        ("600002", "1", 100, 7, LATER),
        ("600003", "1", 100, 8, LATER),
        ("600003", "2", 100, 2, LATER + timedelta(hours=6)),
    )


def test_an_item_fetched_twice_is_one_row(tmp_path: Path) -> None:
    """Two parts may hold the same item."""
    assert sync(tmp_path, [offer("600001")], [offer("600001")]) == (
        (1, 1, 0, 0, 0),
        [("600001", "1", 100, 5, True)],
    )


def test_history_comes_from_comparing_snapshots(tmp_path: Path) -> None:
    """A window over the history shows each change of price and stock beside what was
    before.
    """
    write(tmp_path, "old", offers=[offer("600001"), offer("600002")])
    sync(tmp_path, [offer("600001", price_minor=120, stock=3), offer("600002")])
    changes = sql(
        tmp_path,
        "select item_id, lag(price_minor) over sku as was, price_minor, stock - lag(stock) over sku as moved "
        "from offers_history window sku as (partition by marketplace, item_id, sku_id order by snapshot_at) "
        "qualify was is not null",
    )
    assert changes.rows == (("600001", 100, 120, -2),)
