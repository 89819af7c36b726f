"""Lists entry by entry: what does not fit leaves the others as they are, and proves of
nothing that it is not there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.marketplaces import offering_of
from connectors.marketplaces.alibaba_1688 import reading as reading_1688
from connectors.marketplaces.alibaba_1688.channel import Alibaba1688Channel
from connectors.marketplaces.international import any_order
from connectors.marketplaces.listing import OrderPage, read_list
from connectors.marketplaces.poizon import service_order as order_of_poizon
from connectors.marketplaces.taobao import reading as reading_of_taobao
from connectors.marketplaces.taobao.channel import TaobaoChannel
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch
from connectors.xportcn.models import FittingRows
from connectors.xportcn.operations import (
    alibaba_order,
    big_major,
    international,
    poizon,
    taobao_product,
)
from connectors.xportcn.operations.operation import Call
from connectors.xportcn.operations.taobao_order import LOGISTICS
from connectors.xportcn.operations.taobao_order import ORDER_PAGE as TAOBAO_PAGE
from domain.absence import Misread
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import ServiceOrder, ServiceStatus, arrived
from domain.witnessed import Lack
from tests.connectors.xportcn.fake_service import FakeService, ok

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
HITS = [
    {"itemId": index, "title": "cup", "price": price}
    for index, price in enumerate((500, -500, 700))
]


def taobao_order(order_id: int, reference: str, fen: object = 100) -> dict[str, Any]:
    return {
        "purchaseId": order_id,
        "outerPurchaseId": reference,
        "status": 0,
        "purchaseAmount": fen,
    }


def order_1688(order_id: object, reference: str, yuan: object = 1) -> dict[str, Any]:
    return {
        "baseInfo": {
            "id": order_id,
            "status": "waitbuyerpay",
            "totalAmount": yuan,
            "buyerFeedback": reference,
        }
    }


def test_the_entries_that_fit_are_read() -> None:
    """The other is told by its place and field."""
    page = taobao_product.SEARCH.parse({"data": HITS})
    assert [hit.item_id for hit in page.data] == ["0", "2"]
    assert page.data.misfits == (Misread(field="price"),)


async def test_a_search_has_the_hits_that_fit(
    client: XportcnClient, service: FakeService
) -> None:
    """One odd offer hides no other."""
    service.answers(
        "/open/product/search", lambda: ok({"data": HITS, "totalRecords": 3})
    )
    assert [
        hit.item_id
        for hit in await offering_of(Marketplace.TAOBAO, client).browser.search(
            "cup", limit=3
        )
    ] == [
        "0",
        "2",
    ]


@pytest.mark.parametrize(
    "odd",
    [
        order_1688(2, "A-2", -1),
        order_1688("", "A-2"),
        order_1688([3], "A-2"),
        order_1688(1.5, "A-2"),
    ],
)
async def test_an_order_list_with_a_misfit_is_not_whole(
    client: XportcnClient, service: FakeService, odd: dict[str, Any]
) -> None:
    """The order that is looked for may be the one that does not fit; one without an id
    is none.
    """
    answer = {"result": [order_1688(1, "A-1"), odd], "totalRecord": 2}
    service.answers("/v2/alibaba/order/page", lambda: ok(answer))
    assert (
        await Alibaba1688Channel(client).list_orders(since=SINCE)
    ).lacks is Lack.READABLE_ROWS
    reading = await Alibaba1688Channel(client).find(["A-1", "A-2"], since=SINCE)
    assert (set(reading.found), reading.lacks) == ({"A-1"}, Lack.READABLE_ROWS)


async def test_what_tells_whose_a_row_is_outlives_a_field_that_does_not_fit(
    client: XportcnClient, service: FakeService
) -> None:
    """Pieces are not always whole ones, and a zero of Java is no time; the rest of
    another's row is read for its id.
    """
    base = order_1688(2, "a colleague's")["baseInfo"] | {
        "createTime": "2026-01-31 08:00:00"
    }
    cloth = {
        "baseInfo": base,
        "productItems": [{"productID": 5, "skuID": 6, "quantity": 2.5}],
    }
    zero = {"baseInfo": base | {"id": 3, "payTime": "1970-01-01 08:00:00"}}
    odd = {"baseInfo": base | {"id": 4, "totalAmount": "12.345"}}
    rows = [order_1688(1, "A-1"), cloth, zero, odd]
    service.answers(
        "/v2/alibaba/order/page", lambda: ok({"result": rows, "totalRecord": 4})
    )
    reading = await Alibaba1688Channel(client).list_orders(since=SINCE)
    assert [order.order_id for order in reading.listed] == ["1", "2", "3"]
    assert [item.quantity for item in reading.listed[1].goods] == [0]
    at = datetime(2026, 1, 31, tzinfo=UTC)
    (row,) = reading.misread
    assert row == Misread(
        field="baseInfo.totalAmount",
        order_id="4",
        names=("a colleague's",),
        created_at=at,
    )
    assert reading.lacks is Lack.READABLE_ROWS


@pytest.mark.parametrize(
    ("operation", "rows", "of_ours", "others"),
    [
        (
            TAOBAO_PAGE,
            "data",
            ("purchaseId", "outerPurchaseId"),
            {"message": "a note", "outOrderId": "5"},
        ),
        (
            big_major.ORDER_PAGE,
            "data",
            ("orderId", "message"),
            {"requestId": "7f3a-trace", "purchaseId": 5},
        ),
        (
            international.ORDER_LIST,
            "orderList",
            ("tradeId", "channelReferId"),
            {"message": "paid", "orderId": 5},
        ),
        (
            poizon.ORDER_LIST,
            "data",
            ("distOrderNo", "requestId"),
            {"outOrderId": "a note", "id": 5},
        ),
    ],
)
def test_whose_a_row_is_only_the_field_of_its_marketplace_tells(
    operation: Call[Any, Any],
    rows: str,
    of_ours: tuple[str, str],
    others: dict[str, object],
) -> None:
    """A trace or a note under another name makes no lost order of ours somebody else's:
    it would be bought again.
    """
    order_id, reference = of_ours
    without_a_sum: list[dict[str, object]] = [
        {order_id: 9, reference: name, **others} for name in ("A-9", "", None)
    ]
    fits = {
        order_id: 1,
        "purchaseAmount": 1,
        "totalPayment": 1,
        "totalAmount": 1,
        "currency": "CNY",
    }
    page = operation.parse({rows: [fits, *without_a_sum]})
    (listed,) = [value for _, value in page if isinstance(value, FittingRows)]
    assert [(misfit.order_id, misfit.names) for misfit in listed.misfits] == [
        ("9", ("A-9",)),
        ("9", ()),
        ("9", ()),
    ]


@pytest.mark.parametrize("message", ["order has been placed", ""])
def test_a_row_of_1688_is_told_by_its_base_alone(message: str) -> None:
    """What stands beside it is the answer's own."""
    odd = order_1688(9, "A-9", -1) | {
        "message": message,
        "orderId": 5,
        "outOrderId": "another",
    }
    odd["baseInfo"] |= {"message": message, "createTime": "2026-01-31 08:00:00"}
    page = alibaba_order.ORDER_PAGE.parse({"result": [order_1688(1, "A-1"), odd]})
    (misfit,) = page.result.misfits
    assert (misfit.order_id, misfit.names) == ("9", ("A-9",))


@pytest.mark.parametrize(
    ("created", "is_told"),
    [("2025-12-30 08:00:00", False), ("2025-12-31 16:00:00", True)],
)
async def test_a_row_that_does_not_fit_and_is_older_than_what_is_asked_for_is_no_flaw(
    client: XportcnClient, service: FakeService, created: str, *, is_told: bool
) -> None:
    """It stopped all buying, named nothing, and no confirmation ended it. A time may be
    of another zone, though.
    """
    odd = order_1688(9, "", "12.345")
    odd["baseInfo"] |= {"createTime": created}
    service.answers(
        "/v2/alibaba/order/page", lambda: ok({"result": [order_1688(1, "A-1"), odd]})
    )
    reading = await Alibaba1688Channel(client).find(["A-1", "A-2"], since=SINCE)
    assert (
        reading.lacks is Lack.READABLE_ROWS,
        [row.order_id for row in reading.misread],
    ) == (
        is_told,
        ["9"] * is_told,
    )


async def test_an_order_is_read_by_its_id_beside_another_that_does_not_fit(
    client: XportcnClient, service: FakeService
) -> None:
    """What is not asked for hides nothing; what is asked for is named."""
    rows = [taobao_order(1, "A-1"), taobao_order(2, "A-2", -1)]
    service.answers(
        "/open/purchase/page",
        lambda: ok({"data": rows, "totalRecords": 2}),
        lambda: ok({"data": []}),
    )
    channel = TaobaoChannel(client)
    assert set(await channel.read(["1", "3"])) == {"1"}
    service.answers(
        "/open/purchase/page", lambda: ok({"data": rows, "totalRecords": 2})
    )
    with pytest.raises(ContractMismatch, match=r"2, `purchaseAmount`"):
        await channel.read(["1", "2"])


async def test_orders_read_by_their_ids_must_all_fit(
    client: XportcnClient, service: FakeService
) -> None:
    """One that does not fit is not one that is not there: asked alone, the others are
    read.
    """
    answer = {
        "data": [taobao_order(1, "A-1"), taobao_order(2, "A-2", -1)],
        "totalRecords": 2,
    }
    service.answers("/open/purchase/page", lambda: ok(answer))
    with pytest.raises(ContractMismatch):
        await TaobaoChannel(client).read(["1", "2"])


async def test_a_list_that_turns_for_ever_ends() -> None:
    """A page that brings nothing new is the last; and a list that counts more than it
    shows is not whole.
    """
    calls: list[tuple[int, int]] = []

    async def turn(page_no: int, size: int) -> OrderPage:
        calls.append((page_no, size))
        order = ServiceOrder(
            order_id="1",
            reference="A-1",
            status=ServiceStatus.UNPAID,
            total=Money(1),
            paid=None,
            created_at=None,
        )
        return OrderPage([order] * 50, total=10**12)

    reading = await read_list(turn, SINCE, ["A-2"])
    assert (reading.lacks, reading.ended, reading.found) == (Lack.WHOLE_LIST, False, {})
    assert calls == [(1, 1), (1, 50), (2, 1)]


AT = "2026-11-02 10:00:00"
SCANS: list[dict[str, Any]] = [
    {"time": None, "status": "SIGN"},
    {"time": AT, "status": "ACCEPT"},
]
POIZON = {"distOrderNo": 1, "orderStatus": "PAID", "totalAmount": 1}
ABROAD = {"tradeId": 1, "tradeStatus": "PAID", "totalAmount": 1, "currency": "CNY"}


def with_parcel(
    name: str, sent: object, scans: object = (), number: str = "SF1"
) -> ServiceOrder:
    """An order whose parcel was sent at that time, at the marketplace of the field's
    name.
    """
    match name:
        case "rtsTime":
            piece = {
                "subPurchaseOrderId": 5,
                "logisticOrders": [{"logisticNumber": number, name: sent}],
            }
            page = TAOBAO_PAGE.parse(
                {"data": [taobao_order(1, "A-1") | {"subPurchaseOrders": [piece]}]}
            )
            return reading_of_taobao.service_order(page.data[0])
        case "deliveredTime":
            parcels = {
                "nativeLogistics": {
                    "logisticsItems": [{"logisticsBillNo": number, name: sent}]
                }
            }
            orders = alibaba_order.ORDER_PAGE.parse(
                {"result": [order_1688(1, "A-1") | parcels]}
            )
            return reading_1688.service_order(orders.result[0])
        case "sentTime":
            parcel = {"expressNo": number, name: sent, "traces": scans}
            return order_of_poizon(
                poizon.ORDER_LIST.parse(
                    {"data": [POIZON | {"logisticsList": [parcel]}]}
                ).data[0]
            )
    parcel = {"trackingNumber": number, name: sent, "traces": scans}
    listed = international.ORDER_LIST.parse(
        {"orderList": [ABROAD | {"logisticsList": [parcel]}]}
    )
    return any_order(listed.order_list[0])


@pytest.mark.parametrize("sent", ["2026-11-02", "2026-11-02 10:00", "soon", {"at": 1}])
@pytest.mark.parametrize("name", ["rtsTime", "deliveredTime", "sentTime", "sentDate"])
def test_a_time_of_sending_that_does_not_fit_leaves_the_order_readable(
    name: str, sent: object
) -> None:
    """Nothing rests on it; the parcel is the warehouse's to hear of."""
    (parcel,) = with_parcel(name, sent).parcels
    assert (parcel.tracking_number, parcel.sent_at) == ("SF1", None)


SF = "SF1234567890123"
YT = "YT8812345679012"
FIVE = [f"SF14450{number}7789123" for number in range(5)]


@pytest.mark.parametrize(
    ("joined", "numbers"),
    [
        (f"{SF},{YT}", [SF, YT]),
        (f"{SF}，{YT};0", [SF, YT]),
        (f"{SF} / {YT}、顺丰", [SF, YT]),
        (f"{SF},{SF}", [SF]),
        (f"{SF}/2", [SF]),
        (f"{SF}, 共2件", [SF]),
        ("78912345678 / 顺丰2", ["78912345678"]),
        (f"{SF};13800138000", [SF]),
        (f"{SF};021-95338888", [SF]),
        (f"4008111111/{SF}", [SF]),
        (f"{SF}(2/2)", [SF]),
        (f"电话：13800138000，{SF}", [SF]),
        ("13800138000,13900139000", ["13800138000", "13900139000"]),
        ("A1/2", ["A1/2"]),
        ("YT8812345678 YT8812345679", ["YT8812345678", "YT8812345679"]),
        ("SF 1234 5678", ["SF 1234 5678"]),
        (",".join(FIVE), FIVE),
    ],
)
@pytest.mark.parametrize("name", ["rtsTime", "deliveredTime", "sentTime", "sentDate"])
def test_numbers_of_parcels_in_one_field_are_as_many_parcels(
    name: str, joined: str, numbers: list[str]
) -> None:
    """The warehouse would wait for a parcel that bears what is joined, or the count of
    pieces or a telephone beside it.

    A blank may stand within a number.
    """
    order = with_parcel(name, None, number=joined)
    assert [parcel.tracking_number for parcel in order.parcels] == numbers


@pytest.mark.parametrize(
    ("name", "at"), [("sentTime", 1793584800000), ("sentDate", AT)]
)
def test_a_scan_of_numbers_in_one_field_is_one_of_each(name: str, at: object) -> None:
    order = with_parcel(name, None, [{"time": at, "status": "SIGN"}], f"{SF},{YT}/2")
    assert arrived(order.scans) == {SF, YT}


@pytest.mark.parametrize(
    ("joined", "numbers"),
    [(f"{SF},{YT}/2", [SF, YT]), (",".join(FIVE), FIVE), ("", [""])],
)
def test_a_scan_of_a_trace_is_one_of_each_number_in_its_field(
    joined: str, numbers: list[str]
) -> None:
    """As the order's own field is read, or the order would never be in the
    warehouse.
    """
    steps = [{"acceptTime": AT, "remark": "1"}]
    trace = alibaba_order.LOGISTICS.parse(
        {"logisticsTrace": [{"logisticsBillNo": joined, "logisticsSteps": steps}]}
    )
    assert [event.tracking_number for event in reading_1688.events(trace)] == numbers
    details = LOGISTICS.parse(
        {"pnmLogisticsDetails": [{"mailNo": joined, "logisticsTraces": SCANS[1:]}]}
    )
    assert [
        event.tracking_number for event in reading_of_taobao.events(details)
    ] == numbers


@pytest.mark.parametrize("sent", [1793584800, "1793584800", AT])
def test_taobaos_time_of_sending_is_read_as_a_number_and_as_its_other_times(
    sent: object,
) -> None:
    assert with_parcel("rtsTime", sent).parcels[0].sent_at == datetime(
        2026, 11, 2, 2, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("name", "at"), [("sentTime", 1793584800000), ("sentDate", AT)]
)
def test_scans_that_do_not_fit_leave_the_order_and_its_other_scans_readable(
    name: str, at: object
) -> None:
    order = with_parcel(
        name, None, [{"time": None, "status": "SIGN"}, {"time": at, "status": "ACCEPT"}]
    )
    assert [scan.status for scan in order.scans] == ["ACCEPT"]
    assert with_parcel(name, None, SCANS[:1]).scans == ()


def test_scans_that_do_not_fit_leave_the_others_of_a_trace_readable() -> None:
    steps = [{"acceptTime": AT, "remark": "1"}, {"remark": "2"}]
    trace = alibaba_order.LOGISTICS.parse(
        {"logisticsTrace": [{"logisticsBillNo": "SF1", "logisticsSteps": steps}]}
    )
    assert [event.description for event in reading_1688.events(trace)] == ["1"]
    details = LOGISTICS.parse(
        {"pnmLogisticsDetails": [{"mailNo": "SF1", "logisticsTraces": SCANS}]}
    )
    assert [event.status for event in reading_of_taobao.events(details)] == ["ACCEPT"]
