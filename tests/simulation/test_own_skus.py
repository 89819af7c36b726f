"""Own SKUs: a spare offer is taken while planning alone, and a missing entry or half a
bundle buys nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.book_file import book_in, book_text
from connectors.request_files import read_request_text
from domain.money import Money
from domain.orders import Component, OrderRequest, OwnSku
from domain.reasons import ReasonCode
from domain.sku_book import at_rank, missing_entries
from flows.batch.plan_sources import FromRequests
from flows.batch.request_batches import orders_to_buy
from sandbox.control import books
from tests.simulation.episode import NO_QUERY
from tests.simulation.scene import Scene
from tests.simulation.stage import Stage, stage

GONE = Component(item="123456789012", sku="", pieces=1, max_unit_price=None)
FEN = Money(1)
Rank = Sequence[Component | Money | None]
"""Components of a rank. A limit, or None, is for the item that the scenario asks
for.
"""


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


def scene_of(made: Stage, *ranks: Rank) -> tuple[Scene, str]:
    """One order for an own SKU with these ranks, and the item that can be bought."""
    scene = Scene(made)
    (request,) = scene.scenario.requests
    scene.scenario = replace(scene.scenario, requests=(asking(request, *ranks),))
    return scene, request.lines[0].item


def asking(request: OrderRequest, *ranks: Rank) -> OrderRequest:
    line = request.lines[0]

    def component(one: Component | Money | None) -> Component:
        if isinstance(one, Component):
            return one
        return Component(
            item=line.item, sku=line.sku, pieces=line.quantity, max_unit_price=one
        )

    own = OwnSku(
        sku="FERN-1",
        quantity=1,
        marketplace=request.marketplace,
        ranks=tuple(tuple(map(component, rank)) for rank in ranks),
    )
    return at_rank(replace(request, lines=(replace(line, own=own),)))


def creates(scene: Scene) -> int:
    return len(books(scene.sandbox, NO_QUERY, b"")["orders"])


@pytest.mark.parametrize("first", [GONE, FEN], ids=["gone", "above its limit"])
def test_the_spare_offer_is_planned_where_the_first_can_t_be_bought(
    made: Stage, first: Component | Money
) -> None:
    scene, item = scene_of(made, [first], [None])
    scene.run(scene.buys())
    order = scene.ledger.orders(["R-1"])["R-1"]
    assert (str(order.state), creates(scene)) == ("booked", 1)
    (match,) = scene.ledger.matches.of(["R-1"]).values()
    assert (match.words, match.item_id) == ("FERN-1", item)
    assert match.note.startswith(
        "number 2 in the SKU book, since the one before can't be bought: "
    )


def test_where_no_offer_can_be_bought_the_first_says_why(made: Stage) -> None:
    scene, _ = scene_of(made, [GONE], [FEN])
    scene.run(scene.buys())
    order = scene.ledger.orders(["R-1"])["R-1"]
    assert (str(order.state), order.reason, creates(scene)) == (
        "refused",
        "taobao has no item 123456789012",
        0,
    )
    assert [line.item for line in order.request.lines] == [GONE.item]


def test_after_the_approval_no_spare_offer_is_taken(made: Stage) -> None:
    """What was approved is off sale by then: the order fails as any other does."""
    scene, approved = scene_of(made, [None], [GONE])

    item = next(
        item
        for item in scene.world.catalogue.shelf("taobao").items
        if item.id == approved
    )
    try:
        scene.run(scene.buys(yes=lambda: setattr(item, "offline", True)))
    finally:
        item.offline = False  # the catalogue is the module's
    order = scene.ledger.orders(["R-1"])["R-1"]
    assert (creates(scene), [line.item for line in order.request.lines]) == (
        0,
        [approved],
    )
    assert scene.ledger.matches.of(["R-1"]) == {}


def test_half_a_bundle_is_not_bought(made: Stage) -> None:
    scene, _ = scene_of(made, [None, GONE])
    scene.run(scene.buys())
    assert (str(scene.ledger.orders(["R-1"])["R-1"].state), creates(scene)) == (
        "refused",
        0,
    )


def test_an_order_waits_for_the_entry_that_the_book_lacks(made: Stage) -> None:
    """Once it is there, it is bought, once."""
    scene, item = scene_of(made)

    async def twice() -> None:
        await scene.buys()
        order = scene.ledger.orders(["R-1"])["R-1"]
        assert (str(order.state), order.reason_code) == (
            "held",
            ReasonCode.OWN_SKU_MISSING,
        )
        assert order.reason.startswith(
            "the SKU book has no entry for FERN-1: add a row"
        )
        (request,) = scene.scenario.requests
        named = replace(request, lines=(replace(request.lines[0], item=item),))
        scene.scenario = replace(scene.scenario, requests=(asking(named, [None]),))
        await scene.buys()
        await scene.buys()

    scene.run(twice())
    order = scene.ledger.orders(["R-1"])["R-1"]
    assert (str(order.state), order.reason, creates(scene)) == ("booked", "", 1)


HEADER = "order_ref,own_sku,quantity,receiver_name,receiver_phone,country,state,city,zip,address"
BUYER = "Jane Doe,+493055500000,DE,Berlin,Berlin,10115,Invalidenstr. 1"


def test_what_the_book_lacks_holds_its_orders_and_no_others(
    made: Stage, tmp_path: Path
) -> None:
    """One list to fill in; filled in and run again, all are bought, nothing twice."""
    orders = 50
    missing = 2
    scene = Scene(made)
    line = scene.scenario.requests[0].lines[0]
    rows = [
        f"S-{n},{'NEW' if n < missing else 'FERN'}-{n % 7},1,{BUYER}"
        for n in range(orders)
    ]
    text = "\n".join([HEADER, *rows])
    entry = {"marketplace": "taobao", "item": line.item, "sku": line.sku}
    expected = [{"own_sku": f"FERN-{n}", **entry} for n in range(7)]
    refs = [f"S-{n}" for n in range(orders)]
    lists = list[list[dict[str, str]]]()

    async def run(book_rows: list[dict[str, str]]) -> None:
        (tmp_path / "book.csv").write_bytes(book_text(book_rows))
        parsed = read_request_text(text, book=book_in(tmp_path / "book.csv"))
        assert parsed.faults == ()
        requests = orders_to_buy(scene.ledger, parsed.orders, dry_run=False)
        await scene.buys(FromRequests(requests, "orders.csv"))
        held = scene.ledger.orders(refs)
        lists.append(
            missing_entries(
                (ref, order.why.facts["own_skus"])
                for ref, order in held.items()
                if order.why and order.state == "held"
            )
        )

    async def twice() -> None:
        await run(expected)
        assert creates(scene) == orders - missing
        filled_in = [row | entry for row in lists[0]]
        await run([*expected, *filled_in])
        await run([*expected, *filled_in])

    scene.run(twice())
    assert [len(row) for row in lists] == [min(missing, 7), 0, 0]
    bought = books(scene.sandbox, NO_QUERY, b"")["orders"]
    assert len(bought) == len({item["reference"] for item in bought}) == orders
    assert {item["paid_times"] for item in bought} == {1}
    assert Counter(
        str(order.state) for order in scene.ledger.orders(refs).values()
    ) == {"booked": orders}
