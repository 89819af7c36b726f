"""Quotes: amounts as the books have them later, and what can't be bought named with its
line.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.xportcn.errors import Refused
from domain.effects import Action
from domain.money import Money, total_of
from domain.offers import Problem
from tests.connectors.marketplaces.channel_contract.shop import (
    KNOWS_CHINA,
    NAMES_BAD_LINES,
    Shop,
)
from tests.connectors.xportcn.orders import claim


async def test_a_quote_is_what_creating_and_paying_cost(shop: Shop) -> None:
    """The quoted total is the created order's amount, the order's at the service and
    what leaves the wallet.
    """
    order = await shop.order()
    quote = await shop.channel.quote(order, shop.warehouse)
    assert [priced.line_no for priced in quote.lines] == [1]
    assert quote.lines[0].amount == quote.goods
    assert quote.total >= quote.goods + quote.postage
    built = await shop.quoted_and_created(order)
    assert built.total == quote.total
    await shop.pay(built.order_ids[0])
    (entry,) = shop.booked()
    assert (entry["amount_fen"], entry["paid_fen"]) == (
        quote.total.minor,
        quote.total.minor,
    )
    wallet = shop.sandbox.books()["wallet"]
    assert wallet["opening_fen"] - wallet["balance_fen"] == quote.total.minor


async def test_each_line_has_its_amount(shop: Shop) -> None:
    """The lines' amounts add up to the goods, each with its unit price, also for more
    than the minimum.
    """
    row, second = shop.siblings
    lines = [
        await shop.line(row, line_no=1),
        await shop.line(second, quantity=second["min_quantity"] + 7, line_no=2),
    ]
    order = shop.order_of(*lines, seller_id=row["seller_id"])
    quote = await shop.channel.quote(order, shop.warehouse)
    assert quote.problems == ()
    assert [priced.line_no for priced in quote.lines] == [1, 2]
    assert total_of([priced.amount for priced in quote.lines]) == quote.goods
    assert quote.lines[0].unit_price == Money(row["price_fen"])
    built = await shop.quoted_and_created(order)
    assert (
        [entry["amount_fen"] for entry in shop.booked()]
        == [built.total.minor]
        == [quote.total.minor]
    )


async def test_a_quote_follows_the_price(shop: Shop) -> None:
    """Quoted again after the price rose by a tenth, the goods cost that much more."""
    order = await shop.order()
    before = await shop.channel.quote(order, shop.warehouse)
    with shop.fault(shop.paths.offer, "price_change"):
        await shop.channel.offer(shop.plain["item_id"])
    after = await shop.channel.quote(order, shop.warehouse)
    assert after.goods > before.goods
    assert after.lines[0].unit_price > before.lines[0].unit_price


async def test_too_much_is_a_problem(shop: Shop) -> None:
    """More than the stock can't be bought, and the quote says so for the line, in the
    service's words.
    """
    quote = await shop.channel.quote(
        await shop.order(quantity=shop.plain["stock"] + 1), shop.warehouse
    )
    (problem,) = quote.problems
    assert problem.problem is Problem.OUT_OF_STOCK
    assert problem.message


async def test_too_little_is_a_problem(shop: Shop) -> None:
    """Less than the minimum quantity can't be bought either."""
    row = next(row for row in shop.plain_rows if row["min_quantity"] > 1)
    quote = await shop.channel.quote(
        await shop.order(row, quantity=row["min_quantity"] - 1), shop.warehouse
    )
    assert {problem.problem for problem in quote.problems} == {
        Problem.BELOW_MIN_QUANTITY
    }


async def test_a_variant_that_does_not_exist_is_a_problem(shop: Shop) -> None:
    """A SKU that the product does not have."""
    line = replace(
        await shop.line(shop.plain),
        sku_id="999999",
        spec_id="f" * 32,
        distribution_sku_id="999999",
    )
    quote = await shop.channel.quote(shop.order_of(line), shop.warehouse)
    assert {problem.problem for problem in quote.problems} == {Problem.SKU_UNKNOWN}


async def test_two_sellers_are_a_problem(shop: Shop) -> None:
    """One order is of one seller."""
    plain = shop.plain
    second = next(
        row for row in shop.plain_rows if row["seller_id"] != plain["seller_id"]
    )
    quote = await shop.channel.quote(await shop.order(plain, second), shop.warehouse)
    assert {problem.problem for problem in quote.problems} == {Problem.SELLERS_DIFFER}


async def test_an_address_outside_china_is_a_problem(shop: Shop) -> None:
    """Sellers send to a warehouse in China; where that is looked at, the refusal is a
    problem and no exception.
    """
    abroad = replace(shop.warehouse, province="California", city="Oakland")
    quote = await shop.channel.quote(await shop.order(), abroad)
    expected = {Problem.ADDRESS_INVALID} if shop.marketplace in KNOWS_CHINA else set()
    assert {problem.problem for problem in quote.problems} == expected


@pytest.mark.parametrize("bad", [1, 2])
async def test_one_bad_line_is_named_and_spoils_the_order(shop: Shop, bad: int) -> None:
    """The quote names the line that can't be bought, and prices the other; creating
    them orders nothing at all.
    """
    order = await shop.order(*shop.siblings)
    line = order.lines[bad - 1]
    spoilt = replace(
        order,
        lines=tuple(
            replace(item, quantity=10**6) if item == line else item
            for item in order.lines
        ),
    )
    quote = await shop.channel.quote(spoilt, shop.warehouse)
    named = bad if shop.marketplace in NAMES_BAD_LINES else 0
    assert [(problem.problem, problem.line_no) for problem in quote.problems] == [
        (Problem.OUT_OF_STOCK, named)
    ]
    with pytest.raises(Refused) as caught:
        await shop.channel.create(
            claim(Action.CREATE), spoilt, shop.warehouse, approved=Money(10**12)
        )
    assert {problem.problem for problem in caught.value.problems} == {
        Problem.OUT_OF_STOCK
    }
    assert shop.booked() == []
