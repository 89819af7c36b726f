"""Which order an own SKU went to, decided once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from sqlalchemy import update

from connectors.ledger.schema import orders
from connectors.ledger.store import Ledger
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Sku
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from domain.reasons import ReasonCode
from domain.request_remarks import BadRequests
from domain.sku_book import SkuBook, by_seller, missing_entries
from domain.spares import without_goods
from flows.batch.request_batches import orders_to_buy
from tasks.preview import match_lines
from tests.connectors.ledger.test_forgetting import ledger
from tests.domain.test_sku_book import FERN, MOSS, book, parsed, row

__all__ = ["ledger"]
ONE = book(row("FERN-1", FERN), row("MOSS-1", MOSS, group="b"))
OTHER = book(row("FERN-1", FERN, group="b"), row("MOSS-1", MOSS))
LINES = ({"own_sku": "FERN-1"}, {"own_sku": "MOSS-1"})


def requests(of: SkuBook, *lines: dict[str, str]) -> Sequence[OrderRequest]:
    parsed_requests = parsed(lines, of)
    assert parsed_requests.faults == ()
    return parsed_requests.orders


def split(
    ledger: Ledger, of: SkuBook, *lines: dict[str, str], dry_run: bool = False
) -> dict[str, list[str]]:
    order_requests = orders_to_buy(
        ledger, requests(of, *(lines or LINES)), dry_run=dry_run
    )
    return {
        request.order_ref: [line.wanted for line in request.lines]
        for request in order_requests
    }


def test_the_first_run_decides_and_a_changed_book_does_not(ledger: Ledger) -> None:
    assert split(ledger, OTHER, dry_run=True) == {
        "A-1-b": ["FERN-1"],
        "A-1": ["MOSS-1"],
    }
    assert split(ledger, ONE) == {"A-1": ["FERN-1"], "A-1-b": ["MOSS-1"]}
    assert split(ledger, OTHER) == {"A-1": ["FERN-1"], "A-1-b": ["MOSS-1"]}
    assert split(ledger, book(row("FERN-1", FERN))) == {
        "A-1": ["FERN-1"],
        "A-1-b": ["MOSS-1"],
    }


def test_of_two_runs_with_two_books_the_first_decides(ledger: Ledger) -> None:
    ledger.parts.keep({"A-1": {"MOSS-1": "A-1-b", "FERN-1": "A-1"}})
    keep = ledger.parts.keep(
        {"A-1": {"MOSS-1": "A-1", "FERN-1": "A-1-b"}, "A-2": {"FERN-1": "A-2"}}
    )
    assert keep == {
        "A-1": {"FERN-1": "A-1", "MOSS-1": "A-1-b"},
        "A-2": {"FERN-1": "A-2"},
    }


def test_what_lacks_an_entry_is_decided_once_it_has_one(ledger: Ledger) -> None:
    assert split(ledger, book(row("FERN-1", FERN, group="b"))) == {
        "A-1": ["FERN-1", "MOSS-1"]
    }
    assert ledger.parts.of(["A-1"]) == {}
    assert split(ledger, ONE) == {"A-1": ["FERN-1"], "A-1-b": ["MOSS-1"]}


def test_a_part_never_takes_the_name_of_another_order(ledger: Ledger) -> None:
    with pytest.raises(
        BadRequests,
        match=r"row 3, column order_ref: its part would be called 'A-1-b': another order",
    ):
        split(ledger, ONE, *LINES, {"own_sku": "FERN-1", "order_ref": "A-1-b"})
    assert ledger.parts.of(["A-1"]) == {}, "another group may still be given"
    with pytest.raises(BadRequests, match="or it is too long; change the order_ref"):
        split(ledger, ONE, *({**line, "order_ref": "A" * 63} for line in LINES))


def test_a_retry_fetches_a_file_anew_whose_parts_have_no_name(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To change the order_ref in the sheet and press *Retry* is the remedy."""
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", "run-1")
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    first = tmp_path / "fetched" / "runs" / "run-1"
    first.parent.mkdir(parents=True)
    first.touch()
    split(ledger, ONE)
    assert first.exists()
    with pytest.raises(BadRequests):
        split(ledger, ONE, *LINES, {"own_sku": "FERN-1", "order_ref": "A-1-b"})
    assert not first.exists()


@pytest.mark.parametrize("group", ["taobao", "TAOBAO"])
def test_two_parts_of_one_name_are_a_fault(ledger: Ledger, group: str) -> None:
    """A marketplace and a group that is called like it, also where only case tells them
    apart.
    """
    ivy = row("IVY-1", "610000000003", marketplace="taobao")
    of = book(row("FERN-1", FERN), row("MOSS-1", MOSS, group=group), ivy)
    with pytest.raises(
        BadRequests,
        match="its part would be called 'A-1-taobao': another order has that name",
    ):
        split(ledger, of, *LINES, {"own_sku": "IVY-1"})
    assert ledger.parts.of(["A-1"]) == {}


def test_what_is_new_never_joins_an_order_beside_one_that_was_bought(
    ledger: Ledger,
) -> None:
    """The shop renames `MOSS-1` after it was bought; before that, it goes to the first
    order.
    """
    assert split(ledger, ONE) == {"A-1": ["FERN-1"], "A-1-b": ["MOSS-1"]}
    of = book(row("FERN-1", FERN), row("MOSS-2", MOSS))
    lines = ({"own_sku": "FERN-1"}, {"own_sku": "MOSS-2"})
    assert split(ledger, of, *lines) == {"A-1": ["FERN-1", "MOSS-2"]}
    ledger.put_plans(
        [
            PlannedOrder(request=request)
            for request in by_seller(requests(ONE, *LINES)[0], {})
        ],
        "batch",
    )
    with ledger.transaction() as connection:
        connection.execute(
            update(orders).where(orders.c.order_ref == "A-1-b").values(order_id="77")
        )
    assert split(ledger, of, *lines) == {"A-1": ["FERN-1"], "A-1-b": ["MOSS-2"]}
    assert ledger.parts.wholes(["A-1-b", "A-1", "A-2"]) == {
        "A-1-b": "A-1",
        "A-1": "A-1",
    }


def test_an_order_of_two_marketplaces_is_held(ledger: Ledger) -> None:
    """The book moves an own SKU of a held order: its item would be looked up at the
    other marketplace.
    """
    one_place = book(row("FERN-1", FERN), row("MOSS-1", MOSS))
    assert split(ledger, one_place) == {"A-1": ["FERN-1", "MOSS-1"]}
    of = book(row("FERN-1", FERN), row("MOSS-1", MOSS, marketplace="taobao"))
    (order,) = orders_to_buy(ledger, requests(of, *LINES), dry_run=False)
    plan = match_lines(order, offered(stock={"1": 5}))
    assert (str(plan.state), plan.reason) == (
        "held",
        "one order, several sellers (1688, taobao): give each seller an order_ref of its own",
    )


def test_own_skus_of_one_variant_part_by_an_order_ref_of_their_own(
    ledger: Ledger,
) -> None:
    """As the reason says; a group comes too late, since the first run decided."""
    of = book(row("FERN-1", FERN), row("MOSS-1", FERN))
    (order,) = orders_to_buy(ledger, requests(of, *LINES), dry_run=False)
    assert match_lines(order, offered(stock={"1": 5})).reason == (
        f"FERN-1, MOSS-1 are one and the same variant, {FERN}: give one of them an order_ref of its own"
    )
    parted = ({"own_sku": "FERN-1"}, {"own_sku": "MOSS-1", "order_ref": "A-2"})
    assert split(ledger, of, *parted) == {"A-1": ["FERN-1"], "A-2": ["MOSS-1"]}


@pytest.mark.parametrize("sku", ["2", "3"], ids=["sold out", "unknown"])
def test_a_spare_is_taken_for_the_variant_that_can_t_be_had_alone(sku: str) -> None:
    of = book(row("FERN-1", FERN, sku="1"), row("MOSS-1", FERN, sku=sku))
    (order,) = requests(of, *LINES)
    assert without_goods(match_lines(order, offered(stock={"1": 5, "2": 0}))) == {
        "MOSS-1"
    }


def offered(*, stock: Mapping[str, int]) -> Mapping[tuple[Marketplace, str], Offer]:
    """The fern's offer, with the stock of each SKU."""
    offer = Offer(
        marketplace=Marketplace.ALIBABA_1688,
        item_id=FERN,
        title="fern",
        image_url="",
        seller_id="s",
        seller_name="s",
        min_quantity=1,
        active=True,
        skus=tuple(
            Sku(sku_id=text, name="", price=Money(500), stock=pieces)
            for text, pieces in stock.items()
        ),
    )
    return {(offer.marketplace, FERN): offer}


def test_of_a_thousand_orders_forty_wait_for_the_book(ledger: Ledger) -> None:
    """One list to fill in; filled in, all are planned under the names that they had."""
    lines = [
        {"order_ref": f"S-{n}", "own_sku": "FERN-1" if n >= 40 else f"NEW-{n}"}
        for n in range(1_000)
    ]

    def planned(of: SkuBook) -> Counter[str]:
        plans = [
            match_lines(order, offered(stock={"1": 10_000}))
            for order in orders_to_buy(ledger, requests(of, *lines), dry_run=False)
        ]
        ledger.put_plans(plans, "batch")
        stored = ledger.orders(line["order_ref"] for line in lines)
        assert len(stored) == len(plans) == 1_000
        waiting[:] = missing_entries(
            (order.order_ref, order.why.facts["own_skus"])
            for order in stored.values()
            if order.why and order.why.code is ReasonCode.OWN_SKU_MISSING
        )
        return Counter(str(order.state) for order in stored.values())

    waiting: list[dict[str, str]] = []
    expected = row("FERN-1", FERN)
    assert planned(book(expected)) == {"planned": 960, "held": 40}
    filled_in = [row | {"marketplace": "1688", "item": FERN} for row in waiting]
    assert len(filled_in) == 40
    assert planned(book(expected, *filled_in)) == {"planned": 1_000}
    assert waiting == []
