"""Tracking numbers as files for shops: each number in one file, proven, in the shop's
own shape.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from connectors import tracking_files
from connectors.crash_points import VARIABLE
from connectors.ledger import tracking
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange
from connectors.ledger.schema import marks, orders, to_json
from connectors.ledger.store import Ledger
from connectors.settings import BadSetting, SourcingSettings
from connectors.tracking_files import write_tracking
from domain.after_sale import Refund, RefundKind, RefundState
from domain.money import Money
from domain.orders import OrderLine, OrderRequest
from domain.plan import PlannedOrder
from domain.service_orders import Shipment, ShipmentItem, TraceStatus, TrackingEvent
from domain.shop_tracking import lines_by_number
from domain.states import OrderState
from tests.clock import MovableClock
from tests.connectors.ledger.test_forgetting import ledger
from tests.connectors.test_shop_files import (
    AMAZON,
    AMAZON_HEADER,
    EBAY,
    EBAY_HEADER,
    SHOPIFY,
    SHOPIFY_HEADER,
    follow_up,
    read,
    text_of,
)

__all__ = ["ledger"]
ITEMS = {"FERN-1": "610000000000", "MOSS-1": "610000000001"}
AMAZON_FIRST = "order-id\torder-item-id\tquantity\tship-date\tcarrier-code\tcarrier-name\ttracking-number\tship-method\r\n"
KILLED = -9


@pytest.fixture
def settings(tmp_path: Path) -> SourcingSettings:
    return SourcingSettings(data_dir=tmp_path, timezone="Asia/Tokyo")


def amazon(tmp_path: Path, *rows: dict[str, str]) -> OrderRequest:
    lines = [
        AMAZON | {"order-item-id": f"7{number}", **row}
        for number, row in enumerate(rows)
    ]
    (order,) = read(
        tmp_path, "unshipped.txt", text_of(AMAZON_HEADER, lines, "\t")
    ).orders
    return order


def order_line(number: int, own_sku: str, pieces: int = 1) -> OrderLine:
    item = ITEMS.get(own_sku, "1")
    return OrderLine(
        line_no=number,
        item_id=item,
        sku_id="9",
        title="",
        image_url="",
        quantity=pieces,
        unit_price=Money(100),
    )


def booked(
    ledger: Ledger,
    request: OrderRequest,
    *numbers: str,
    company: str = "云途物流",
    items: Sequence[ShipmentItem] = (),
    state: OrderState = OrderState.BOOKED,
    pieces: int = 1,
) -> None:
    """An order of the ledger whose shipment has these parcels."""
    lines = tuple(
        order_line(number, line.wanted, pieces)
        for number, line in enumerate(request.lines, 1)
    )
    ledger.put_plans(
        [PlannedOrder(request=request, seller_id="1", lines=lines)], "batch"
    )
    shipment = Shipment(
        shipment_order_id="5",
        tracking_numbers=numbers,
        company=company,
        items=tuple(items),
    )
    this = update(orders).where(orders.c.order_ref == request.order_ref)
    with ledger.transaction() as connection:
        values = {
            "state": state,
            "shipment": to_json(shipment),
            "shipment_order_id": "5",
            "booked_at": ledger.clock(),
        }
        connection.execute(this.values(values))


def scanned(
    ledger: Ledger,
    order_ref: str,
    *numbers: str,
    status: TraceStatus = TraceStatus.TRANSPORT,
) -> None:
    at = ledger.clock()
    events = [
        TrackingEvent(
            tracking_number=number, occurred_at=at, status=status, description=""
        )
        for number in numbers
    ]
    ledger.tracking.add({order_ref: events})


def told_now(settings: SourcingSettings, ledger: Ledger) -> dict[str, str]:
    return {
        file.path.name: file.path.read_bytes().decode()
        for file in write_tracking(settings, ledger)
    }


def test_amazon_s_shipping_confirmation_tells_each_number_once(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings, clock: MovableClock
) -> None:
    order = amazon(
        tmp_path,
        {"sku": "FERN-1"},
        {"sku": "MOSS-1", "quantity-to-ship": "3"},
        {"sku": "FERN-1"},
    )
    booked(ledger, order, "YT1")
    scanned(ledger, order.order_ref, "YT1", status=TraceStatus.WAITING)
    scanned(ledger, order.order_ref, "DOMESTIC")
    assert told_now(settings, ledger) == {}, "a booking alone is no parcel on its way"
    clock.advance(86_400)
    scanned(ledger, order.order_ref, "YT1")
    clock.advance(3 * 86_400)
    ref = "503-1234567-1234567"
    assert told_now(settings, ledger) == {
        "amazon-2026-01-05.txt": AMAZON_FIRST
        + f"{ref}\t70\t1\t2026-01-02\tYun Express\t\tYT1\t\r\n"
        + f"{ref}\t72\t1\t2026-01-02\tYun Express\t\tYT1\t\r\n"
        + f"{ref}\t71\t3\t2026-01-02\tYun Express\t\tYT1\t\r\n"
    }
    assert (told_now(settings, ledger), ledger.exported.unsent()) == ({}, [])


def test_later_numbers_come_in_another_file_also_when_the_first_was_taken_away(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings
) -> None:
    parcels = [
        ShipmentItem(
            tracking_number="B", item_id=ITEMS["MOSS-1"], sku_id="9", quantity=1
        )
    ]
    order = amazon(tmp_path, {"sku": "FERN-1"}, {"sku": "MOSS-1"})
    booked(ledger, order, "A", "B", company="UCS <Upside>", items=parcels)
    scanned(ledger, order.order_ref, "A")
    (first,) = write_tracking(settings, ledger)
    first.path.unlink()
    scanned(ledger, order.order_ref, "B")
    findings = told_now(settings, ledger)
    assert findings == {
        "amazon-2026-01-01-2.txt": AMAZON_FIRST
        + "503-1234567-1234567\t71\t1\t2026-01-01\tOther\tUCS <Upside>\tB\t\r\n"
    }


def test_a_number_that_comes_while_the_others_are_written_is_told_by_the_next_run(
    tmp_path: Path,
    ledger: Ledger,
    settings: SourcingSettings,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its order looked whole as it was read."""
    order = amazon(tmp_path, {"sku": "FERN-1"}, {"sku": "MOSS-1"})
    booked(ledger, order, "YT1")
    scanned(ledger, order.order_ref, "YT1")
    items = (
        ShipmentItem(
            tracking_number="YT2", item_id=ITEMS["MOSS-1"], sku_id="9", quantity=1
        ),
    )
    free = tracking_files._free

    def renumbered(*given: Any) -> Path:
        clock.advance(1)
        two = Shipment(
            shipment_order_id="5", tracking_numbers=("YT1", "YT2"), items=items
        )
        writes = OrderUpdate.renumbered(two)
        ledger.tracking.add({}, [OrderChange(order_ref=order.order_ref, writes=writes)])
        return free(*given)

    with monkeypatch.context() as patch:
        patch.setattr(tracking_files, "_free", renumbered)
        assert "YT1" in "".join(told_now(settings, ledger).values())
    scanned(ledger, order.order_ref, "YT2")
    (second,) = told_now(settings, ledger).values()
    assert ("YT1" in second, "YT2" in second) == (False, True)
    assert (told_now(settings, ledger), ledger.exported.unsent()) == ({}, [])


def test_each_parcel_has_its_pieces_of_a_line(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings
) -> None:
    """Three and one of four, over two lines of the shop; where a parcel's content is
    unclear, one has all.
    """
    order = amazon(
        tmp_path,
        {"sku": "FERN-1", "quantity-to-ship": "2"},
        {"sku": "FERN-1", "quantity-to-ship": "2"},
    )
    held = {"A": 3, "B": 1}
    items = [
        ShipmentItem(
            tracking_number=text,
            item_id=ITEMS["FERN-1"],
            sku_id="9",
            quantity=held[text],
        )
        for text in held
    ]
    booked(ledger, order, "A", "B", items=items, pieces=4)
    scanned(ledger, order.order_ref, "A", "B")
    (text,) = told_now(settings, ledger).values()
    assert [
        line.split("\t")[1:3] + line.split("\t")[6:7] for line in text.splitlines()[1:]
    ] == [
        ["70", "2", "A"],
        ["71", "1", "A"],
        ["71", "1", "B"],
    ]
    shipment = Shipment(
        shipment_order_id="5", tracking_numbers=("A", "B"), items=tuple(items[:1])
    )
    lines = lines_by_number(order, [order_line(1, "FERN-1", 4)], shipment)
    assert {
        number: [shop_line.quantity for _, shop_line in lines]
        for number, lines in lines.items()
    } == {"A": [2, 2], "B": []}


def test_parts_go_back_under_the_order_of_the_shop_without_data_of_its_buyer(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings
) -> None:
    moss = {"Lineitem quantity": "3", "Lineitem sku": "MOSS-1", "Lineitem name": "Moss"}
    rows = [SHOPIFY, follow_up(**moss)]
    (order,) = read(tmp_path, "orders_export.csv", text_of(SHOPIFY_HEADER, rows)).orders
    requests = [
        replace(order, lines=order.lines[:1]),
        replace(order, order_ref="S-1001-b", lines=order.lines[1:]),
    ]
    for request, number in zip(requests, ("1Z1", "1Z2"), strict=True):
        booked(ledger, request, number, company="UPS", state=OrderState.DELIVERED)
        scanned(ledger, request.order_ref, number)
    assert told_now(settings, ledger) == {
        "shopify-Orders-2026-01-01.csv": "Name,Command,Line: Type,Line: SKU,Line: Quantity,Fulfillment: Status,"
        "Fulfillment: Tracking Company,Fulfillment: Tracking Number,Fulfillment: Send Receipt\r\n"
        "#1001,UPDATE,Fulfillment Line,FERN-1,2,success,UPS,1Z1,TRUE\r\n"
        "#1001,UPDATE,Fulfillment Line,MOSS-1,3,success,UPS,1Z2,TRUE\r\n"
    }


def test_another_shop_has_a_plain_sheet_and_no_formula(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings
) -> None:
    (order,) = read(tmp_path, "ebay.csv", text_of(EBAY_HEADER, [EBAY])).orders
    booked(ledger, order, "1", company='=HYPERLINK("x")')
    scanned(ledger, order.order_ref, "1")
    assert told_now(settings, ledger) == {
        "ebay-2026-01-01.csv": "order,tracking_number,carrier,shipped_on,goods,our_order\r\n"
        '12-34567-89012,1,"\'=HYPERLINK(""x"")",2026-01-01,1 x FERN-1,EBAY-12-34567-89012\r\n'
    }


@pytest.mark.parametrize(
    "state", [OrderState.HELD, OrderState.REFUNDED, OrderState.CANCELLED]
)
def test_nothing_is_told_of_an_order_that_left_the_road(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings, state: OrderState
) -> None:
    order = amazon(tmp_path, {"sku": "FERN-1"})
    booked(ledger, order, "A", state=state)
    scanned(ledger, order.order_ref, "A")
    assert told_now(settings, ledger) == {}


def test_a_profile_and_carriers_of_one_s_own(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings
) -> None:
    """Japan's confirmation."""
    shipped = Path(tracking.__file__).parents[1] / "shop_files" / "amazon.toml"
    above = 'encoding = "cp932"\nabove = [["TemplateType=OrderFulfillment", "Version=2011.1102"]]'
    text = shipped.read_text(encoding="utf-8").replace(
        "\n[tracking]\n", f"\n[tracking]\n{above}\n"
    )
    own = tmp_path / "shops"
    own.mkdir()
    (own / "japan.toml").write_text(
        f'{text}cod-collection-method = ""\n', encoding="utf-8"
    )
    carriers = '[[carrier]]\nname = "Yamato"\nwords = ["ヤマト"]\nnames = { amazon = "ヤマト運輸" }\n'
    (own / "carriers.toml").write_text(carriers, encoding="utf-8")
    order = amazon(tmp_path, {"sku": "FERN-1"})
    booked(ledger, order, "A", company="ヤマト")
    scanned(ledger, order.order_ref, "A")
    (file,) = write_tracking(settings, ledger)
    assert str(file).endswith(".txt: 1 tracking number")
    booked(
        ledger,
        replace(amazon(tmp_path, {"sku": "FERN-1"}), order_ref="AMZ-2"),
        "B",
        company="\U0001f69a",
    )
    scanned(ledger, "AMZ-2", "B")
    (lossy,) = write_tracking(settings, ledger)
    assert str(lossy).endswith(
        "-2.txt: 1 tracking number; ? stands for what cp932 can't hold"
    )
    first, second, third = file.path.read_bytes().decode("cp932").splitlines()
    assert (first, second.split("\t")[-1]) == (
        "TemplateType=OrderFulfillment\tVersion=2011.1102",
        "cod-collection-method",
    )
    assert third == "503-1234567-1234567\t70\t1\t2026-01-01\tヤマト運輸\t\tA\t\t"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            'order = "{buyer}"',
            "tracking: Value error, columns: buyer not known, use shop_ref, ",
        ),
        ('order = "{number.__class__}"', "columns: number.__class__ not known"),
        ('order = "{number:>9}"', "columns: number>9 not known"),
        ('order = "{"', "tracking: Value error"),
        (
            'order = "{number}"\n[tracking]\nencoding = "rot13"',
            "tracking: Value error, encoding: not known",
        ),
    ],
)
def test_a_wrong_sheet_is_named(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings, wrong: str, words: str
) -> None:
    (tmp_path / "shops").mkdir()
    profile = 'shop = "woo"\ntitle = "t"\nheader = ["A", "B"]\n[columns]\norder_ref = "A"\nown_sku = "B"\nquantity = "C"\n'
    (tmp_path / "shops" / "woo.toml").write_text(
        f"{profile}[tracking.columns]\n{wrong}\n", encoding="utf-8"
    )
    with pytest.raises(BadSetting) as raised:
        write_tracking(settings, ledger)
    assert words in str(raised.value)


def test_two_processes_at_once_tell_a_number_once(
    tmp_path: Path,
    ledger: Ledger,
    settings: SourcingSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other one has read what is due before this one told it."""
    order = amazon(tmp_path, {"sku": "FERN-1"})
    booked(ledger, order, "A")
    scanned(ledger, order.order_ref, "A")
    refs = ledger.exported.unsent()
    assert len(write_tracking(settings, ledger)) == 1
    monkeypatch.setattr(ledger.exported, "unsent", lambda: refs)
    monkeypatch.setattr(ledger.exported, "of", lambda _refs: set())
    assert write_tracking(settings, ledger) == []


def refund(
    order: OrderRequest,
    *lines: int,
    state: RefundState = RefundState.REFUNDED,
    **facts: Any,
) -> Refund:
    of = {
        "order_ref": order.order_ref,
        "marketplace": order.marketplace,
        "order_id": "1",
        "number": 1,
        "lines": lines,
    }
    text = {
        "reason": "",
        "goods": "",
        "description": "",
        "reason_id": 1,
        "state_before": OrderState.IN_TRANSIT,
    }
    sums = {
        "postage": Money(0),
        **dict.fromkeys(("goods_amount", "approved", "refunded"), Money(100)),
    }
    none = dict.fromkeys(("entry_ids", "vouchers", "earlier_refund_ids"), ())
    piece = "+".join(map(str, lines))
    of |= {
        "key": f"{order.order_ref}:refund:{piece}",
        "part": piece,
        "kind": RefundKind.REFUND,
        "state": state,
    }
    return Refund(**{**of, **text, **sums, **none, **facts})


def test_a_line_whose_money_came_back_is_told_to_no_shop(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings
) -> None:
    """It waits while that is asked. What was paid back after delivery had left, and so
    had what was paid for delay.
    """
    rows = {"sku": "FERN-1"}, {"sku": "MOSS-1"}, {"sku": "FERN-1"}
    record: dict[str, tuple[list[int], dict[str, Any], list[str]]] = {
        "first": ([2], {}, ["70", "72"]),
        "under-way": ([2], {"state": RefundState.ASKED}, []),
        "refused": ([2], {"state": RefundState.REFUSED}, ["70", "72", "71"]),
        "delivered": ([2], {"state_before": OrderState.DELIVERED}, ["70", "72", "71"]),
        "all": ([1, 2], {}, ["70", "72", "71"]),
        "for-a-scratch": ([2], {"refunded": Money(1)}, ["70", "72", "71"]),
        "sent-back": ([2], {"kind": RefundKind.RETURN}, ["70", "72"]),
        "a-piece-sent-back": (
            [2],
            {"refunded": Money(20), "kind": RefundKind.RETURN},
            ["70", "72", "71"],
        ),
    }
    for name, (lines, facts, _) in record.items():
        order = replace(amazon(tmp_path, *rows), order_ref=name, shop_ref=name)
        booked(ledger, order, name, state=OrderState.IN_TRANSIT)
        scanned(ledger, name, name)
        ledger.refunds.put(refund(order, *lines, **facts))
    (file,) = told_now(settings, ledger).values()
    findings = [row.split("\t")[:2] for row in file.splitlines()[1:]]
    assert sorted(findings) == sorted(
        [name, line] for name, (_, _, listed) in record.items() for line in listed
    )
    assert ledger.exported.unsent() == ["under-way"]


def test_a_restored_ledger_writes_no_number_again(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings
) -> None:
    order = amazon(tmp_path, {"sku": "FERN-1"})
    booked(ledger, order, "A")
    scanned(ledger, order.order_ref, "A")
    with ledger.transaction() as connection:
        connection.execute(
            insert(marks).values(
                name="restored", words="restored from x", by="x", at=ledger.clock()
            )
        )
    with pytest.raises(LedgerUnusable):
        write_tracking(settings, ledger)
    assert not (tmp_path / "exports").exists()


def test_two_shops_with_one_shape_have_files_of_their_own(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings
) -> None:
    """An older ledger's name of a shop stays within the folder."""
    shape = (
        'title = "t"\nheader = ["A", "B"]\n[columns]\norder_ref = "A"\nown_sku = "B"\nquantity = "C"\n'
        '[tracking]\nname = "shopify-Orders"\nsuffix = "txt"\n[tracking.columns]\nnumber = "{carrier}"\n'
    )
    (tmp_path / "shops").mkdir()
    (tmp_path / "shops" / "second.toml").write_text(
        f'shop = "shopify-2"\n{shape}', encoding="utf-8"
    )
    base = amazon(tmp_path, {"sku": "FERN-1"})
    for shop in ("shopify", "shopify-2", "My Shop/../x"):
        booked(
            ledger, replace(base, order_ref=f"S{len(shop)}", shop=shop), "A", company=""
        )
        scanned(ledger, f"S{len(shop)}", "A")
    names = [
        "My-Shop-..-x-2026-01-01.csv",
        "shopify-Orders-2026-01-01.csv",
        "shopify-Orders-shopify-2-2026-01-01.txt",
    ]
    findings = told_now(settings, ledger)
    assert sorted(findings) == names
    assert findings[names[2]] == "number\r\n\r\n"


KILL = """
import sys
from datetime import UTC, datetime
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.tracking_files import write_tracking
settings = SourcingSettings()
with Ledger(sys.argv[1], clock=lambda: datetime(2026, 1, 1, tzinfo=UTC), owner="killed") as ledger:
    write_tracking(settings, ledger)
"""


@pytest.mark.endurance
def test_a_process_that_dies_before_its_commit_has_the_numbers_twice_and_no_more(
    tmp_path: Path, ledger: Ledger, settings: SourcingSettings
) -> None:
    order = amazon(tmp_path, {"sku": "FERN-1"})
    booked(ledger, order, "A")
    scanned(ledger, order.order_ref, "A")
    command = [
        sys.executable,
        "-c",
        KILL,
        ledger.engine.url.render_as_string(hide_password=False),
    ]
    environment = {
        "SOURCING_DATA_DIR": str(tmp_path),
        VARIABLE: "tracking-written:amazon",
        "PATH": "",
    }
    done = subprocess.run(
        command,
        env=environment,
        cwd=Path(tracking.__file__).parents[2],
        check=False,
        timeout=60,
    )
    assert done.returncode == KILLED
    assert (
        ledger.exported.of([order.order_ref]),
        len(list((tmp_path / "exports").glob("amazon-*.txt"))),
    ) == (set(), 1)
    assert len(write_tracking(settings, ledger)) == 1
    assert write_tracking(settings, ledger) == []
    files = sorted(path.name for path in (tmp_path / "exports").glob("amazon-*.txt"))
    assert files == ["amazon-2026-01-01-2.txt", "amazon-2026-01-01.txt"]
