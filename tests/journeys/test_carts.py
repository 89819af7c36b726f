"""Orders prepared in the marketplaces' carts, then ordered, paid and booked; the
sandbox's books have the last word.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.running import (
    Merchant,
    assert_books_are_exact,
    single_line_orders,
    write_csv,
)

BOTH = {"taobao": 2, "1688": 2}
"""Two orders at each marketplace: of each call the first one's answer is lost."""

ADD = ("/open/cart/add", "/alibaba/cart/add")
CREATE = ("/open/cart/create/order", "/alibaba/cart/create/order")


def requests(
    merchant: Merchant, marketplace: str, each: int = 1, **columns: object
) -> Path:
    rows = [
        {**row, **columns}
        for row in single_line_orders(merchant.sandbox, {marketplace: each})
    ]
    return write_csv(merchant.folder / "requests.csv", rows)


def drop_first_answer(merchant: Merchant, *paths: str) -> None:
    rules = [
        {"path": path, "kind": "drop_after", "probability": 1, "times": 1, "delay_s": 0}
        for path in paths
    ]
    merchant.sandbox.faults(*rules)


def in_carts(merchant: Merchant) -> list[dict[str, Any]]:
    return [
        row
        for marketplace in BOTH
        for row in merchant.report("cart", "list", marketplace)
    ]


@pytest.mark.endurance
def test_lines_are_laid_into_the_cart_once(merchant: Merchant) -> None:
    """Also when an answer is lost and the command is repeated; nothing is bought, and
    `run` buys nothing either.
    """
    file = write_csv(
        merchant.folder / "requests.csv", single_line_orders(merchant.sandbox, BOTH)
    )
    drop_first_answer(merchant, *ADD)
    for _ in range(2):
        done = merchant.sourcing("cart", "add", file, "--json")
        assert done.exit_code == 0, (done.stdout, done.stderr)
    wanted = [
        sku["min_quantity"]
        for name, count in BOTH.items()
        for sku in merchant.sandbox.catalogue(name, count)
    ]
    assert sorted(row["quantity"] for row in in_carts(merchant)) == sorted(wanted)
    assert merchant.report("run", file, "--yes")["counts"] == {"held": 4}
    assert merchant.sandbox.books()["orders"] == []


@pytest.mark.endurance
def test_what_lies_in_the_cart_is_ordered_paid_and_booked(merchant: Merchant) -> None:
    """Once, with the quantity set by hand, also when the answer is lost; the rows leave
    the cart.
    """
    rows = [
        {**row, "max_unit_price": ""}
        for row in single_line_orders(merchant.sandbox, BOTH)
    ]
    file, order_refs = (
        write_csv(merchant.folder / "requests.csv", rows),
        [str(row["order_ref"]) for row in rows],
    )
    merchant.report("cart", "add", file)
    wanted = []
    for marketplace in BOTH:
        for row in merchant.report("cart", "list", marketplace):
            wanted.append(row["quantity"] + 1)
            after = merchant.report(
                "cart", "set", marketplace, row["row_id"], str(wanted[-1])
            )
            assert {one["row_id"]: one["quantity"] for one in after}[
                row["row_id"]
            ] == wanted[-1]
    planned = merchant.report("cart", "preview", *order_refs)["orders"]
    assert [order["reason"].startswith("costs ") for order in planned] == [True] * 4
    assert merchant.sandbox.books()["orders"] == []
    drop_first_answer(merchant, *CREATE)
    done = merchant.sourcing("cart", "order", *order_refs, "--yes", "--json")
    assert done.exit_code == 0, (done.stdout, done.stderr)
    orders = merchant.sandbox.books()["orders"]
    assert [(one["paid_times"], one["paid_fen"]) for one in orders] == [
        (1, one["amount_fen"]) for one in orders
    ]
    assert (len(orders), len(merchant.sandbox.books()["shipments"])) == (4, 4)
    assert in_carts(merchant) == []
    told = merchant.report("sql", "select quantity from order_lines")
    assert sorted(line["quantity"] for line in told) == sorted(wanted)
    again = merchant.report("cart", "order", *order_refs, "--yes")
    assert (again["counts"], again["bought_this_run"]) == ({"booked": 4}, 0)
    assert merchant.report("run", file, "--yes")["counts"] == {"booked": 4}
    assert len(merchant.sandbox.books()["orders"]) == 4


@pytest.mark.endurance
def test_carts_and_files_may_be_mixed(merchant: Merchant) -> None:
    """An order from a cart is an ordinary order: report, books and snapshots agree with
    those bought from a file.
    """
    rows = single_line_orders(merchant.sandbox, {"1688": 2})
    merchant.report("cart", "add", write_csv(merchant.folder / "cart.csv", rows[:1]))
    merchant.report("run", write_csv(merchant.folder / "file.csv", rows[1:]), "--yes")
    merchant.report("cart", "order", "1688-000", "--yes")
    report = merchant.report(
        "run", write_csv(merchant.folder / "both.csv", rows), "--yes"
    )
    assert report["counts"] == {"booked": 2}
    assert_books_are_exact(merchant.sandbox.books(), report)


def test_a_sku_of_another_order_is_not_mixed_in(merchant: Merchant) -> None:
    """A cart keeps one row a SKU, so the second order of the same SKU is held and says
    why.
    """
    [row] = single_line_orders(merchant.sandbox, {"taobao": 1})
    merchant.report("cart", "add", write_csv(merchant.folder / "first.csv", [row]))
    second = write_csv(merchant.folder / "second.csv", [{**row, "order_ref": "T-2"}])
    done = merchant.sourcing("cart", "add", second, "--json")
    assert done.exit_code == 3
    assert "lies in the cart already (row" in done.stdout
    [shown] = merchant.report("cart", "list", "taobao")
    assert shown["quantity"] == row["quantity"]


@pytest.mark.endurance
def test_a_row_taken_out_by_hand_is_not_ordered(merchant: Merchant) -> None:
    """The order is held with the reason; nothing is bought."""
    merchant.report("cart", "add", requests(merchant, "1688"))
    [row] = merchant.report("cart", "list", "1688")
    assert merchant.report("cart", "delete", "1688", row["row_id"]) == []
    report = merchant.report("cart", "order", "1688-000", "--yes")
    assert report["counts"] == {"held": 1}
    assert "does not lie in the cart any more" in report["orders"][0]["reason"]
    again = merchant.sourcing(
        "cart", "add", str(merchant.folder / "requests.csv"), "--json"
    )
    assert again.exit_code == 3
    assert "line 1 does not lie in the cart any more" in again.stdout
    assert merchant.sandbox.books()["orders"] == []


@pytest.mark.endurance
def test_the_limits_of_the_file_hold_for_the_cart(merchant: Merchant) -> None:
    """A price above the line's limit, and a batch above the budget, are held before
    anything is ordered.
    """
    merchant.report("cart", "add", requests(merchant, "taobao"))
    poor = merchant.report(
        "cart", "order", "taobao-000", "--yes", "--budget-cny", "0.01"
    )
    assert Counter(poor["counts"]) == Counter({"held": 1})
    assert "does not fit the budget" in poor["orders"][0]["reason"]
    merchant.report("cart", "add", requests(merchant, "1688"))
    both = merchant.sourcing(
        "cart", "order", "taobao-000", "1688-000", "--yes", "--budget-cny", "5000"
    )
    assert both.exit_code == 2
    assert "a budget is for one batch" in both.stderr
    assert merchant.sandbox.books()["orders"] == []


@pytest.mark.endurance
def test_the_other_marketplaces_have_no_cart(merchant: Merchant) -> None:
    """The remedy is named."""
    done = merchant.sourcing("cart", "list", "poizon")
    assert (done.exit_code, done.stderr) == (
        2,
        "sourcing: the service has no cart for poizon\n",
    )
