"""The catalogue flow: complete, once each, anew after a kill, and only what changed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.rewriting_proxy import RewritingProxy, rewriting_proxy
from tests.running import Merchant, RunningSandbox

LIST = "/open/product/spu/page"
DETAIL = "/open/product/get"
AT_ONCE = 2


def calls(proxy: RewritingProxy) -> Counter[str]:
    return Counter(path for _, path in proxy.asked)


def shops(
    sandbox: RunningSandbox, count: int
) -> tuple[list[str], set[tuple[str, str]]]:
    """The first sellers, and all that they offer on Taobao: item and SKU."""
    rows = sandbox.catalogue("taobao", 30_000)
    sellers = list(dict.fromkeys(row["seller_id"] for row in rows))[:count]
    return sellers, {
        (row["item_id"], row["sku_id"]) for row in rows if row["seller_id"] in sellers
    }


def command(sellers: list[str], *more: str) -> list[str]:
    return [
        "catalog",
        "taobao",
        *more,
        *(piece for seller in sellers for piece in ("--shop", seller)),
    ]


def stored(report: dict[str, Any]) -> pd.DataFrame:
    return pd.read_parquet(
        Path(report["snapshot_root"]) / "history/offers", partitioning=None
    )


def kill_once(
    merchant: Merchant,
    arguments: list[str],
    proxy: RewritingProxy,
    enough: Callable[[], bool],
) -> None:
    run = merchant.start(
        *arguments, XPORTCN_BASE_URL=proxy.url, SOURCING_CONCURRENCY=str(AT_ONCE)
    )
    while run.poll() is None and not enough():
        time.sleep(0.002)
    assert run.poll() is None, "it was over before it could be killed"
    run.kill()
    run.communicate()


@pytest.mark.endurance
def test_a_whole_marketplace_is_complete_and_without_repeats(
    merchant: Merchant,
) -> None:
    """Every SKU of Taobao's 20,990, sold out and offline ones too; the second run finds
    nothing new to write.
    """
    report = merchant.report(
        "catalog", "taobao", "--everything", SOURCING_CONCURRENCY="32"
    )
    assert (report["pages"], report["items"], report["fetched"], report["new"]) == (
        370,
        7393,
        7393,
        20_990,
    )
    assert_each_is_there_once(merchant, stored(report), items=7393)
    repeated = merchant.report("catalog", "taobao", "--everything")
    assert (repeated["items"], repeated["unchanged"]) == (7393, 20_990)
    assert repeated["snapshot_id"] is None


def test_a_part_of_a_marketplace_is_complete_and_without_repeats(
    merchant: Merchant,
) -> None:
    """Every SKU of its first items; a part tells nothing about what changes in the
    whole.
    """
    report = merchant.report("catalog", "taobao", "--everything", "--limit", "300")
    assert (report["pages"], report["items"], report["fetched"]) == (15, 300, 300)
    assert_each_is_there_once(merchant, stored(report), items=300)
    wider = merchant.report("catalog", "taobao", "--everything", "--limit", "320")
    assert (wider["items"], wider["gone"]) == (320, 0)


def test_lists_without_a_total_are_read_to_their_end(merchant: Merchant) -> None:
    """A shop's offers in pages of 20, and one page more that has nothing new."""
    (seller, *_), present = shops(merchant.sandbox, 1)
    items = len({item for item, _ in present})
    merchant.sandbox.control(
        "PUT", "dialects", {"names": ["pages-of-20-without-total"]}
    )
    try:
        report = merchant.report("catalog", "taobao", "--shop", seller)
    finally:
        merchant.sandbox.control("PUT", "dialects", {"names": []})
    assert (report["items"], report["fetched"], report["pages"]) == (
        items,
        items,
        -(-items // 20) + 1,
    )


def test_a_count_of_the_page_ends_no_list(merchant: Merchant) -> None:
    (seller, *_), present = shops(merchant.sandbox, 1)
    items = len({item for item, _ in present})

    def count_the_page(data: Any) -> Any:
        return {**data, "totalRecords": len(data["data"])}

    with rewriting_proxy(merchant.sandbox.url, answers={LIST: count_the_page}) as proxy:
        report = merchant.report(
            "catalog", "taobao", "--shop", seller, XPORTCN_BASE_URL=proxy.url
        )
    assert (report["items"], report["pages"]) == (items, -(-items // 20) + 1)


def assert_each_is_there_once(
    merchant: Merchant, frame: pd.DataFrame, *, items: int
) -> None:
    """Each item with all its SKUs, as the sandbox has them."""
    findings = set(frame["item_id"])
    rows = [
        row
        for row in merchant.sandbox.catalogue("taobao", 30_000)
        if row["item_id"] in findings
    ]
    assert len(findings) == items
    assert not frame.duplicated(["marketplace", "item_id", "sku_id"]).any()
    key = ["item_id", "sku_id", "price_minor", "stock", "seller_id", "min_quantity"]
    listing = ["item_id", "sku_id", "price_fen", "stock", "seller_id", "min_quantity"]
    assert set(frame[key].itertuples(index=False, name=None)) == {
        tuple(row[name] for name in listing) for row in rows
    }
    assert frame["category_name"].notna().all()
    assert frame["image_urls"].str.len().min() == 1


@pytest.mark.endurance
def test_a_killed_crawl_writes_nothing_and_the_next_begins_anew(
    merchant: Merchant,
) -> None:
    """`kill -9` while listing and while fetching: the tables are as they were."""
    sellers, present = shops(merchant.sandbox, 4)
    items = len({item for item, _ in present})
    arguments = command(sellers)
    with rewriting_proxy(merchant.sandbox.url) as proxy:
        kill_once(merchant, arguments, proxy, lambda: calls(proxy)[LIST] >= 6)
        kill_once(
            merchant, arguments, proxy, lambda: calls(proxy)[DETAIL] >= items // 2
        )
        assert merchant.report("sql", "select count(*) as n from offers") == [{"n": 0}]
        report = merchant.report(*arguments, XPORTCN_BASE_URL=proxy.url)
    assert report["fetched"] == items
    frame = stored(report)
    assert (
        set(frame[["item_id", "sku_id"]].itertuples(index=False, name=None)) == present
    )
    assert len(frame) == len(present)


@pytest.mark.endurance
def test_only_what_changed_is_written_again(merchant: Merchant) -> None:
    """A price that rose and a stock that ran out; the history shows both values, the
    view the newest.
    """
    (seller, *_), present = shops(merchant.sandbox, 1)
    first = merchant.report("catalog", "taobao", "--shop", seller)
    assert (first["new"], first["changed"], first["unchanged"]) == (len(present), 0, 0)
    merchant.sandbox.faults(
        {
            "path": DETAIL,
            "kind": "price_change",
            "probability": 1,
            "times": 2,
            "delay_s": 0,
        }
    )
    second = merchant.report("catalog", "taobao", "--shop", seller)
    rose = merchant.report(
        "sql",
        "select count(distinct item_id) as items, count(*) as n, bool_and(price_minor > was) as rose from ("
        "select *, lag(price_minor) over (partition by marketplace, item_id, sku_id order by snapshot_at) as was "
        "from offers_history) where was is not null",
    )
    assert rose == [{"items": 2, "n": second["changed"], "rose": True}]
    assert second["unchanged"] == len(present) - second["changed"]
    assert merchant.report("sql", "select count(*) as n from offers") == [
        {"n": len(present)}
    ]
    third = merchant.report("catalog", "taobao", "--shop", seller)
    assert (third["changed"], third["snapshot_id"]) == (0, None)
    full = merchant.report("catalog", "taobao", "--shop", seller, "--full")
    assert (full["unchanged"], full["snapshot_id"] is not None) == (len(present), True)


def test_several_sources_and_marketplaces_make_one_snapshot(merchant: Merchant) -> None:
    """Items found in several ways are fetched once; single items may be named by link;
    the limit is per source.
    """
    link = "https://detail.1688.com/offer/810123033546.html"
    report = merchant.report(
        *(
            "catalog",
            "1688",
            "--keyword",
            "尼龙",
            "--keyword",
            "尼龙 双肩包",
            "--item",
            link,
            "--limit",
            "60",
        )
    )
    assert report["sources"] == ["1688 words 尼龙", "1688 words 尼龙 双肩包"]
    assert 60 < report["items"] <= 121
    frame = stored(report)
    assert "810123033546" in set(frame["item_id"])
    assert frame["item_id"].nunique() == report["items"]
    steps = frame[frame["item_id"] == "810123033546"].iloc[0]
    assert steps["volume_prices"][0] == {
        "start_quantity": 10,
        "price_minor": int(steps["price_minor"]),
    }


@pytest.mark.endurance
def test_one_broken_product_does_not_stop_the_others(merchant: Merchant) -> None:
    """It is named with the reason, the exit code says that somebody should look, and
    the next run asks again.
    """
    (seller, *_), present = shops(merchant.sandbox, 1)
    victim = sorted(present)[0][0]

    def break_one(product: Any) -> Any:
        return (
            {**product, "skuList": "none"}
            if str(product["itemId"]) == victim
            else product
        )

    with rewriting_proxy(merchant.sandbox.url, answers={DETAIL: break_one}) as proxy:
        done = merchant.sourcing(
            "catalog", "taobao", "--shop", seller, XPORTCN_BASE_URL=proxy.url
        )
    assert done.exit_code == 3
    assert f"not fetched: taobao {victim}: Taobao / Product" in " ".join(
        done.stderr.split()
    )
    report = merchant.report("catalog", "taobao", "--shop", seller)
    assert report["trouble_count"] == 0
    assert report["new"] == sum(item == victim for item, _ in present)


def test_bad_usage_is_told_before_anything_is_asked(merchant: Merchant) -> None:
    """Nothing to look for, and a link of another marketplace."""
    empty = merchant.sourcing("catalog", "taobao")
    assert (empty.exit_code, empty.stderr) == (
        2,
        "sourcing: taobao: name keywords, categories, shops or items, or ask for everything\n",
    )
    wrong = merchant.sourcing(
        "catalog", "taobao", "--item", "https://detail.1688.com/offer/810123033546.html"
    )
    assert wrong.exit_code == 2
    assert "belongs to 1688, not to taobao" in wrong.stderr
