"""What the words of a request line are taken to mean: seen in the dry run, the same in
the real run, pinned by id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.rewriting_proxy import rewriting_proxy
from tests.running import Merchant, RunningSandbox, single_line_orders, write_csv

WORDS = "可折叠 帆布"
SEARCH = "/open/product/search"


def single_sku_offers(sandbox: RunningSandbox) -> list[Mapping[str, Any]]:
    """Taobao items that have one SKU and hold the word 帆布, in listing order."""
    rows = sandbox.catalogue("taobao", 4_000)
    several = {
        row["item_id"]
        for row in rows
        if sum(second["item_id"] == row["item_id"] for second in rows) > 1
    }
    return [
        row
        for row in rows
        if "帆布" in row["title"]
        and row["item_id"] not in several
        and row["stock"] > 10
    ]


def request(merchant: Merchant, name: str = "words", **changes: object) -> Path:
    (row,) = single_line_orders(merchant.sandbox, {"taobao": 1})
    full = {
        **row,
        "order_ref": "W-1",
        "item": WORDS,
        "sku": "",
        "quantity": 2,
        "max_unit_price": "",
        **changes,
    }
    return write_csv(merchant.folder / f"{name}.csv", [full])


def ranked(*rows: Mapping[str, Any]) -> Any:
    """A search that finds these offers, in this order."""
    hits = [
        {
            "itemId": int(row["item_id"]),
            "title": f"{WORDS} {row['title']}",
            "picUrl": "",
            "price": row["price_fen"],
            "shopId": row["seller_id"],
            "shopName": "",
            "quantity": row["stock"],
        }
        for row in rows
    ]
    return lambda _data: {
        "totalRecords": len(hits), "totalPage": 1, "pageSize": 5, "currentPage": 1, "data": hits,
    }  # fmt: skip


def bought(merchant: Merchant) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = merchant.report(
        "sql", "select item_id, sku_id from order_lines"
    )
    return lines


@pytest.mark.endurance
def test_the_dry_run_shows_candidates_choice_and_pin(merchant: Merchant) -> None:
    """The report names them, the table holds them in the order of the marketplace, and
    the terminal prints the pin.
    """
    first, second, *_ = single_sku_offers(merchant.sandbox)
    with rewriting_proxy(
        merchant.sandbox.url, answers={SEARCH: ranked(first, second)}
    ) as proxy:
        file = request(merchant)
        url = {"XPORTCN_BASE_URL": proxy.url}
        report = merchant.report("run", file, "--dry-run", **url)
        text = merchant.sourcing("run", file, "--dry-run", **url).stdout
    pin = f"item={first['item_id']} sku={first['sku_id']}"
    (match,) = report["matches"]
    assert (match["order_ref"], match["words"], match["item_id"]) == (
        "W-1",
        WORDS,
        first["item_id"],
    )
    assert (
        match["why"]
        == "the first of the 2 offers whose titles hold all the words, as the marketplace ranks them"
    )
    assert (match["pin"], match["candidates"]) == (
        pin,
        [first["item_id"], second["item_id"]],
    )
    assert f"To pin it: {pin}" in " ".join(text.split())
    rows = merchant.report(
        "sql",
        "select place, item_id, price_minor, taken from candidates order by place",
    )
    assert rows == [
        {
            "place": 1,
            "item_id": first["item_id"],
            "price_minor": first["price_fen"],
            "taken": True,
        },
        {
            "place": 2,
            "item_id": second["item_id"],
            "price_minor": second["price_fen"],
            "taken": False,
        },
    ]


@pytest.mark.endurance
def test_the_real_run_buys_what_the_dry_run_showed(merchant: Merchant) -> None:
    """When the marketplace ranks otherwise meanwhile, the match stands; the next dry
    run says that it changed.
    """
    first, second, *_ = single_sku_offers(merchant.sandbox)
    file = request(merchant)
    with rewriting_proxy(
        merchant.sandbox.url, answers={SEARCH: ranked(first, second)}
    ) as proxy:
        merchant.report("run", file, "--dry-run", XPORTCN_BASE_URL=proxy.url)
    with rewriting_proxy(
        merchant.sandbox.url, answers={SEARCH: ranked(second, first)}
    ) as proxy:
        report = merchant.report("run", file, "--yes", XPORTCN_BASE_URL=proxy.url)
        assert ("POST", SEARCH) not in proxy.asked
        assert report["counts"] == {"booked": 1}
        assert bought(merchant) == [
            {"item_id": first["item_id"], "sku_id": first["sku_id"]}
        ]
        repeated = merchant.report(
            "run",
            request(merchant, "other", order_ref="W-2"),
            "--dry-run",
            XPORTCN_BASE_URL=proxy.url,
        )
    assert repeated["matches"][0]["item_id"] == second["item_id"]


@pytest.mark.endurance
def test_a_dry_run_that_changes_its_mind_says_so(merchant: Merchant) -> None:
    """Searching anew is what a dry run is for, but never in silence."""
    first, second, *_ = single_sku_offers(merchant.sandbox)
    file = request(merchant)
    for rows in ((first, second), (second, first)):
        with rewriting_proxy(
            merchant.sandbox.url, answers={SEARCH: ranked(*rows)}
        ) as proxy:
            report = merchant.report(
                "run", file, "--dry-run", XPORTCN_BASE_URL=proxy.url
            )
    assert report["matches"][0]["item_id"] == second["item_id"]
    assert report["matches"][0]["why"].endswith(
        f"; an earlier run had taken {first['item_id']}"
    )


@pytest.mark.endurance
def test_words_that_meant_nothing_are_not_bought_unseen(merchant: Merchant) -> None:
    """The dry run refused the order; a hit that has come since waits for the next dry
    run.
    """
    first, *_ = single_sku_offers(merchant.sandbox)
    file = request(merchant)
    with rewriting_proxy(merchant.sandbox.url, answers={SEARCH: ranked()}) as proxy:
        merchant.report("run", file, "--dry-run", XPORTCN_BASE_URL=proxy.url)
    with rewriting_proxy(
        merchant.sandbox.url, answers={SEARCH: ranked(first)}
    ) as proxy:
        report = merchant.report("run", file, "--yes", XPORTCN_BASE_URL=proxy.url)
    assert report["orders"][0]["state"] == "refused"
    assert (
        report["orders"][0]["reason"]
        == f"nothing on taobao matches {WORDS!r}; a dry run searches anew"
    )
    assert merchant.sandbox.books()["orders"] == []


@pytest.mark.endurance
def test_titles_that_lack_a_word_wait_for_a_person(merchant: Merchant) -> None:
    """The order is held, and the candidates are there to choose from; the pin is the id
    in place of the words.
    """
    first, second, *_ = single_sku_offers(merchant.sandbox)
    with rewriting_proxy(
        merchant.sandbox.url, answers={SEARCH: ranked(first, second)}
    ) as proxy:
        file = request(merchant, item=f"{WORDS} 没有")
        done = merchant.sourcing(
            "run", file, "--yes", "--json", XPORTCN_BASE_URL=proxy.url
        )
    report = json.loads(done.stdout)
    assert (done.exit_code, report["orders"][0]["state"]) == (3, "held")
    assert (
        f"put one of these ids in column item: {first['item_id']} ("
        in report["orders"][0]["reason"]
    )
    assert merchant.report(
        "sql", "select count(*) as n, bool_or(taken) as taken from candidates"
    ) == [{"n": 2, "taken": False}]
    pinned = request(merchant, item=second["item_id"], sku=second["sku_id"])
    assert merchant.report("run", pinned, "--yes")["counts"] == {"booked": 1}
    assert bought(merchant) == [
        {"item_id": second["item_id"], "sku_id": second["sku_id"]}
    ]
