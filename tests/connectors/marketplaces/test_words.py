"""Words of the service: known ones in each vocabulary, unknown ones that decide
nothing, and 200 parcels of both.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from connectors.marketplaces.alibaba_1688 import reading
from connectors.marketplaces.alibaba_1688.after_sale import STATES
from connectors.marketplaces.lines import scan, status_of
from connectors.marketplaces.protocol import refund_state
from connectors.marketplaces.refusals import (
    means_not_ordered,
    means_too_many_orders,
    no_quote,
)
from connectors.marketplaces.taobao import reading as taobao
from connectors.xportcn.errors import ContractMismatch, Refused, UnknownRefundState
from connectors.xportcn.operations import (
    alibaba_after_sale,
    alibaba_order,
    taobao_order,
    upstream_render,
)
from connectors.xportcn.wire import Bounds
from domain.after_sale import RefundState
from domain.money import Money
from domain.offers import Problem, Quote
from domain.orders import OrderLine
from domain.service_orders import (
    DomesticParcel,
    ServiceOrder,
    ServiceStatus,
    TraceStatus,
    TrackingEvent,
    arrived,
    state_from_parcels,
)
from domain.states import OrderState
from sandbox.alibaba_1688.tracking import order_trace
from sandbox.dialects.dialect import Dialects
from sandbox.dialects.known import BY_NAME
from sandbox.operations import Call
from sandbox.world import World

AT = datetime(2026, 9, 3, tzinfo=UTC)
PARCELS = 200


@pytest.mark.parametrize(
    ("word", "words", "stage"),
    [
        ("SIGN", "", TraceStatus.SIGN),
        ("Signed", "", TraceStatus.SIGN),
        ("WAITING_COLLECT", "", TraceStatus.WAITING),
        ("CUSTOMS_FAILED", "", TraceStatus.EXCEPTION),
        ("REJECTED", "已签收", TraceStatus.REJECTED),
        ("AGENT_SIGN", "", TraceStatus.DELIVERING),
        ("UNKNOWN", "已签收", TraceStatus.SIGN),
        ("", "签收", TraceStatus.SIGN),
        ("", "快件已由丰巢智能柜代签收", TraceStatus.SIGN),
        ("", "包裹已入库", TraceStatus.SIGN),
        ("", "快件已退回发件人", TraceStatus.RETURNED),
        ("", "收件人拒收", TraceStatus.REJECTED),
        ("", "快件正在派送,请准备签收", TraceStatus.OTHER),
        ("", "已派送,等待签收", TraceStatus.OTHER),
        ("", "快件未签收", TraceStatus.OTHER),
        ("", "已签收,如需退回请联系商家", TraceStatus.OTHER),
        ("", "", TraceStatus.OTHER),
    ],
)
def test_the_stage_of_a_step(word: str, words: str, stage: TraceStatus) -> None:
    """By its word; without one by its words, where they tell of one stage and of
    nothing else.
    """
    event = scan("SF1", AT, word, words)
    assert (event.status, event.unknown_word) == (stage, "")


def test_an_unknown_word_is_no_stage_whatever_its_words_say() -> None:
    event = scan("SF1", AT, "AT_GATE", "已签收")
    assert (event.status, event.unknown_word) == (TraceStatus.OTHER, "AT_GATE")


@pytest.mark.parametrize(
    ("word", "unpaid", "paid"),
    [
        (
            "paid_but_not_fund",
            ServiceStatus.PAYMENT_PENDING,
            ServiceStatus.PAYMENT_PENDING,
        ),
        ("wait_seller_accept_order", ServiceStatus.OTHER, ServiceStatus.PAID),
        ("signinfailed", ServiceStatus.OTHER, ServiceStatus.SHIPPED),
        ("confirm_goods_and_has_subsidy", ServiceStatus.OTHER, ServiceStatus.FINISHED),
        ("部分入库", ServiceStatus.OTHER, ServiceStatus.SHIPPED),
        ("已取消", ServiceStatus.OTHER, ServiceStatus.OTHER),
    ],
)
def test_words_that_say_nothing_of_the_money_are_known_beside_a_payment(
    word: str, unpaid: ServiceStatus, paid: ServiceStatus
) -> None:
    assert status_of(word, reading.STATUSES) is unpaid
    assert status_of(word, reading.STATUSES, is_paid=True) is paid


def test_refund_states_of_the_console_are_known_and_none_says_that_money_came_back() -> (
    None
):
    refund_states = {
        text: refund_state(text, STATES, alibaba_after_sale.REFUND)
        for text in ("待财务退款", "退款失败")
    }
    assert refund_states == {
        "待财务退款": RefundState.AGREED,
        "退款失败": RefundState.REFUSED,
    }
    with pytest.raises(UnknownRefundState) as caught:
        refund_state("已退款", STATES, alibaba_after_sale.REFUND)
    assert caught.value.code == "已退款"


@pytest.mark.parametrize(
    ("words", "too_many"),
    [
        ("TOO_MANY_ORDERS: wait", True),
        ("下单过于频繁,请稍后再试", True),
        ("订单数量已超上限", True),
        ("该商品限购一件", False),
        ("下单频繁: the order already exists", False),
    ],
)
def test_too_many_orders_is_not_ordered_and_not_a_no_for_good(
    words: str, *, too_many: bool
) -> None:
    """A limit on one item is no such limit; words that tell of an order prove
    nothing.
    """
    refused = Refused(words, code="400")
    assert (means_too_many_orders(refused), means_not_ordered(refused)) == (
        too_many,
        too_many,
    )


def test_a_preview_is_refused_by_words_under_any_code() -> None:
    problems = {
        text: no_quote(reading.problem("1009", text), "1009").problems[0].problem
        for text in ("库存不足", "SKU不存在", "no")
    }
    assert problems == {
        "库存不足": Problem.OUT_OF_STOCK,
        "SKU不存在": Problem.SKU_UNKNOWN,
        "no": Problem.OTHER,
    }


def test_an_order_of_which_a_part_is_not_sent_is_in_no_warehouse() -> None:
    (event,) = [scan("SF1", AT, "SIGN", "")]
    assert state_from_parcels(shown("SF1"), [event], ()) is OrderState.IN_WAREHOUSE
    assert (
        state_from_parcels(shown("SF1", is_partly_sent=True), [event], ())
        is OrderState.SHIPPED
    )


@pytest.mark.parametrize("dialect", ["tracking-words", "tracking-without-status"])
def test_two_hundred_parcels_are_counted_right(dialect: str) -> None:
    """Returned and rejected ones are not in the warehouse, also where their sender
    signed; unknown words are named.
    """
    ends: Counter[str] = Counter()
    states: Counter[OrderState | None] = Counter()
    unknown: set[str] = set()
    for number in range(PARCELS):
        events = traced(number, dialect)
        last = events[-1].tracking_number
        ends["arrived"] += last in arrived(events)
        for stage in (TraceStatus.REJECTED, TraceStatus.RETURNED):
            ends[stage.lower()] += any(event.status is stage for event in events)
        states[state_from_parcels(shown(last), events, ())] += 1
        unknown |= {event.unknown_word for event in events} - {""}
    digits = Counter(events_number(number)[-1] for number in range(PARCELS))
    back = digits["7"] + digits["8"]
    assert ends == {
        "arrived": PARCELS - back,
        "rejected": digits["8"],
        "returned": digits["7"],
    }
    assert (digits["7"], digits["8"]) > (0, 0)
    assert states == {OrderState.IN_WAREHOUSE: PARCELS - back, OrderState.SHIPPED: back}
    assert unknown == ({"AT_SORTING_CENTER"} if dialect == "tracking-words" else set())


def order_of(number: int) -> Any:
    return SimpleNamespace(
        id=str(10**18 + number), paid_at=1_750_000_000_000, ships=True, shipment_ids=()
    )


def events_number(number: int) -> str:
    (parcel,) = answered(number)["logisticsTrace"]
    return str(parcel["logisticsBillNo"])


def answered(number: int) -> dict[str, Any]:
    later = order_of(number).paid_at + 10 * 86_400_000
    world = SimpleNamespace(now=lambda: later, dialects=Dialects())
    return order_trace(cast("World", world), order_of(number))


def traced(number: int, dialect: str) -> list[TrackingEvent]:
    change = BY_NAME[dialect].changes_answer
    assert change is not None
    notices = change(cast("World", None), "", cast("Call", None), answered(number))
    return list(reading.events(alibaba_order.LOGISTICS.parse(notices, Bounds())))


def shown(number: str, *, is_partly_sent: bool = False) -> ServiceOrder:
    return ServiceOrder(
        order_id="7",
        reference="R-1",
        status=ServiceStatus.SHIPPED,
        total=Money(100),
        paid=Money(100),
        created_at=AT,
        parcels=(DomesticParcel(tracking_number=number, company="", sent_at=None),),
        is_partly_sent=is_partly_sent,
    )


UPSTREAM: dict[str, Any] = {
    "renderItemList": [
        {
            "nick": "shop",
            "itemPriceInfos": [
                {
                    "itemId": 11,
                    "skuId": 12,
                    "quantity": 2,
                    "originPrice": {"amount": 740, "currency": "CNY"},
                    "discountPrice": {"amount": 1480, "currency": "CNY"},
                }
            ],
            "mainlandShippingFee": {"amount": 0, "currency": "CNY"},
            "orderFee": {"amount": 1480, "currency": "CNY"},
        }
    ],
    "unavailableSkuList": [],
    "totalRealPayPrice": {"amount": 1260, "currency": "CNY"},
}
SNAKE: dict[str, Any] = {
    "result": {
        "success": True,
        "data": {
            "render_item_list": [],
            "unavailable_sku_list": [
                {
                    "item_id": 11,
                    "sku_id": 12,
                    "reason": "gone",
                    "error_code": "OUT_OF_STOCK",
                    "error_msg": "sold out",
                }
            ],
            "total_real_pay_price": {"amount": 0, "currency": "CNY"},
        },
    }
}


@pytest.mark.parametrize(
    "told", [UPSTREAM, {"data": {"success": True, "data": UPSTREAM}}]
)
def test_a_preview_in_upstream_s_shape_is_a_quote(told: dict[str, Any]) -> None:
    """By its order's fee, which a lower total to pay does not lower."""
    quote = rendered_quote(told)
    assert (quote.goods, quote.postage, quote.total) == (
        Money(1480),
        Money(0),
        Money(1480),
    )
    (line,) = quote.lines
    assert (line.unit_price, line.amount, quote.problems) == (
        Money(740),
        Money(1480),
        (),
    )


def test_what_upstream_can_t_sell_is_a_problem_of_its_line() -> None:
    (problem,) = rendered_quote(SNAKE).problems
    assert (problem.problem, problem.line_no) == (Problem.OUT_OF_STOCK, 1)


def test_a_preview_that_refuses_inside_its_wrapping_has_upstream_s_words() -> None:
    refused = rendered_quote(
        {"result": {"success": False, "error_code": "X", "error_msg": "库存不足"}}
    )
    assert [(problem.problem, problem.message) for problem in refused.problems] == [
        (Problem.OUT_OF_STOCK, "库存不足")
    ]


@pytest.mark.parametrize("no", [False, "false", 0, "N"])
@pytest.mark.parametrize("in_contract_shape", [True, False])
def test_a_preview_that_refuses_beside_its_orders_is_no_quote(
    *, no: object, in_contract_shape: bool
) -> None:
    """It was approved, and refused at the create."""
    notices = (
        upstream_render.in_contract_shape(UPSTREAM) if in_contract_shape else UPSTREAM
    )
    refused = rendered_quote(
        {**notices, "success": no, "errorCode": "X", "errorMsg": "地址不支持"}
    )
    assert [(problem.problem, problem.message) for problem in refused.problems] == [
        (Problem.OTHER, "地址不支持")
    ]
    assert rendered_quote({**notices, "success": True}).problems == ()


def test_a_refusal_that_names_its_lines_is_theirs() -> None:
    """Another spare may be there for that line."""
    no = {"success": False, "error_code": "X", "error_msg": "no"}
    (problem,) = rendered_quote({**SNAKE["result"]["data"], **no}).problems
    assert (problem.problem, problem.line_no) == (Problem.OUT_OF_STOCK, 1)


@pytest.mark.parametrize(
    "told",
    [{}, {"data": {"things": []}}, {**UPSTREAM, "totalRealPayPrice": {"amount": 1481}}],
)
def test_a_preview_of_another_shape_is_no_refusal(told: dict[str, Any]) -> None:
    """Nor one whose total is above its orders."""
    with pytest.raises(ContractMismatch):
        rendered_quote(told)


def rendered_quote(told: dict[str, Any]) -> Quote:
    line = OrderLine(
        line_no=1,
        item_id="1",
        sku_id="2",
        distribution_item_id="11",
        distribution_sku_id="12",
        quantity=2,
        unit_price=Money(740),
        title="a thing",
        image_url="",
    )
    return taobao.quote(taobao_order.RENDER.parse(told, Bounds()), (line,))


def test_nothing_may_be_empty_or_minus_one_where_it_may_be_absent() -> None:
    """Also in the answer to a create; a sum that must be there stays a misfit."""
    record: dict[str, Any] = {"success": True, "orderId": "", "totalSuccessAmount": ""}
    record["orderList"] = [{"orderId": "7", "orderAmount": -1}]
    answer = alibaba_order.CREATE.parse(record, Bounds())
    order = answer.order_list[0]
    assert (answer.total_success_amount, order.order_amount, order.order_id) == (
        None,
        None,
        "7",
    )
    with pytest.raises(ValidationError):
        alibaba_order.ORDER_DETAIL.parse(
            {"baseInfo": {"idOfStr": "7", "totalAmount": -1}}, Bounds()
        )
