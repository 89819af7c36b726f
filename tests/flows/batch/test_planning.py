"""What planning hands to Prefect."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.store import Ledger
from domain.decisions import refused
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Sku
from domain.orders import OrderRequest, marketplaces_of
from domain.plan import PlannedOrder
from domain.reasons import ReasonCode
from flows.batch.planning import plan_each
from flows.batch.sorting import first_payments_ahead
from tasks.engine.gathering import OrderQueue
from tasks.engine.resources import Resources
from tasks.preview import match_lines, preview_orders
from tasks.search import search_items
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan
from tests.flows.plans import planned
from tests.verdicts import in_these_words

BREAKER = SimpleNamespace(is_over=False, waits=False)
LEDGER = SimpleNamespace(matches=SimpleNamespace(keep=lambda _rows: None))
RESOURCES = cast(
    Resources,
    SimpleNamespace(
        ledger=LEDGER,
        breaker=BREAKER,
        concurrency=2,
        settings=SimpleNamespace(chunk_size=10),
    ),
)


def requests(count: int) -> list[OrderRequest]:
    """Orders of one item each, all different."""
    template = planned("A").request
    return [
        replace(
            template,
            order_ref=f"A-{number}",
            lines=(replace(template.lines[0], item=str(600_000_000_000 + number)),),
        )
        for number in range(count)
    ]


LINK = "https://item.taobao.com/item.htm?id=600000000001&skuId=111111"


@pytest.mark.parametrize(
    ("item", "sku", "on_sale", "made"),
    [
        (LINK, "", True, ["111111"]),
        (LINK, "111111", True, ["111111"]),
        (LINK, "", False, ReasonCode.SKU_UNKNOWN),
        ("600000000001", "111111", False, ReasonCode.SKU_UNKNOWN),
        ("600000000001", "", False, ReasonCode.SKU_NOT_CHOSEN),
    ],
)
def test_the_variant_that_a_line_or_its_link_names_is_planned_and_no_other(
    item: str, sku: str, made: list[str] | ReasonCode, *, on_sale: bool
) -> None:
    """Also where another one alone is on sale."""
    red, blue = (
        Sku(sku_id=one, name="", price=Money(500), stock=9)
        for one in ("111111", "222222")
    )
    shown = Offer(
        marketplace=Marketplace.TAOBAO,
        item_id="600000000001",
        title="cup",
        image_url="",
        seller_id="7",
        seller_name="shop",
        min_quantity=1,
        active=True,
        skus=(replace(red, active=on_sale), blue),
    )
    (asked,) = requests(1)
    one = replace(asked, lines=(replace(asked.lines[0], item=item, sku=sku),))
    plan = match_lines(one, {(Marketplace.TAOBAO, item): shown})
    assert (
        [line.sku_id for line in plan.lines] or (plan.why and plan.why.code)
    ) == made


async def test_a_slow_lookup_keeps_only_its_own_orders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All others are previewed, those of its chunk and those of later ones; who needs
    it too asks for nothing.
    """
    looked_up = list[str]()
    previewed = list[str]()
    may_answer = asyncio.Event()
    slow = "600000000003"

    async def search(items: Any, found: Any, *, label: str) -> None:
        async def one(item: Any) -> None:
            looked_up.append(item[1])
            if item[1] == slow:
                await may_answer.wait()
            found[item] = refused(in_these_words("taobao has no such item"))

        await asyncio.gather(*map(one, items))

    async def preview(
        orders: Any, queue: OrderQueue, *further: Any, label: str
    ) -> None:
        plans = further[-1]
        async for group in queue.groups():
            for ref in group:
                previewed.append(ref)
                plans[ref] = PlannedOrder(request=orders[ref])

    monkeypatch.setattr(search_items, "fn", search)
    monkeypatch.setattr(preview_orders, "fn", preview)
    asked = requests(40)
    asked[35] = replace(asked[35], lines=(*asked[35].lines, asked[3].lines[0]))
    plans = list[PlannedOrder]()

    async def take(made: Sequence[PlannedOrder]) -> None:
        plans.extend(made)

    planning = asyncio.create_task(
        plan_each(RESOURCES, [*asked], take, match_anew=False)
    )
    for _ in range(100):
        await asyncio.sleep(0)
    assert set(previewed) == {one.order_ref for one in asked} - {"A-3", "A-35"}
    may_answer.set()
    await planning
    assert sorted(plan.order_ref for plan in plans) == sorted(
        request.order_ref for request in asked
    )
    assert len(looked_up) == len(set(looked_up)) == 40


def test_where_one_order_is_bought_first_the_plan_says_so_beforehand(
    tmp_path: Path,
) -> None:
    """Of marketplaces with several orders to buy, until one is begun; then the others
    are held in the plan.
    """
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger(url, clock=MovableClock(), owner="run", asks_first=True) as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-0")])
        asked = marketplaces_of(requests(3))
        refs = {*asked}
        assert [str(one) for one in first_payments_ahead(ledger, asked, refs)] == [
            "first payment: of these 3 orders of taobao one is bought; the others wait until you have seen its payment "
            "in the console: sourcing confirm taobao"
        ]
        assert first_payments_ahead(ledger, asked, {"A-1"}) == []
        ledger.claim(intents("A-0"), lease=timedelta(seconds=60))
        assert first_payments_ahead(ledger, asked, refs) == []
        ledger.first_orders.answer(Marketplace.TAOBAO, "A-0", otherwise="", by="mei")
        assert first_payments_ahead(ledger, asked, refs) == []
