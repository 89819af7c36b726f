"""1688 calls that serve several merchants or orders at once, each with an outcome of
its own.
"""

from __future__ import annotations

from typing import Any

from sandbox.alibaba_1688.buying import check_trade, created, place, previewed
from sandbox.alibaba_1688.cargo import (
    Cargo,
    check_address,
    first_problem,
    read_cargo_of_merchants,
)
from sandbox.dialects.refuses_unknown_fields import check_fields
from sandbox.operations import Call, Operations
from sandbox.ordering import ORDER_NOT_EXIST, PAYMENT_PROBLEMS, pay_order
from sandbox.refusals import bad_request
from sandbox.world import World

operations = Operations()

MAX_PAID_AT_ONCE = 30
LONGEST_MESSAGE = 500


@operations.post("/alibaba/order/create/previewbatch")
def preview_batch(world: World, call: Call) -> list[dict[str, Any]]:
    check_address(call.body.object("addressParam"))
    merchants = read_cargo_of_merchants(world, call.body)
    return [
        {**previewed(cargo), "sellerOpenId": seller_id}
        for seller_id, cargo in merchants.items()
    ]


@operations.post("/alibaba/order/batch/create", effect=True)
def create_batch(world: World, call: Call) -> list[dict[str, Any]]:
    """Each merchant is ordered or refused by itself. A repeat orders again."""
    check_fields(
        world.dialects,
        call.body,
        "flow",
        "message",
        "addressParam",
        "cargoParamList",
        "tradeType",
    )
    address = call.body.object("addressParam")
    check_trade(call.body)
    check_address(address)
    message = call.body.optional_text("message")
    if len(message) > LONGEST_MESSAGE:
        raise bad_request("message", f"at most {LONGEST_MESSAGE} characters")
    merchants = read_cargo_of_merchants(world, call.body)

    def outcome(cargo: list[Cargo]) -> dict[str, Any]:
        return (
            created([], cargo)
            if first_problem(cargo)
            else created(place(world, cargo, message, address))
        )

    return [
        {**outcome(cargo), "sellerOpenId": seller_id}
        for seller_id, cargo in merchants.items()
    ]


@operations.post("/alibaba/order/batch/submit/to/pay", effect=True)
def submit_to_pay(world: World, call: Call) -> dict[str, Any]:
    """Pay from the wallet, in the given order; one alone too, and as
    `/alibaba/order/pay/url` pays it (assumed).
    """
    order_ids = call.body.identifiers("orderIds")
    if not 1 <= len(order_ids) <= MAX_PAID_AT_ONCE:
        raise bad_request("orderIds", f"from 1 to {MAX_PAID_AT_ONCE} ids")
    problems = [(order_id, _pay(world, order_id, call)) for order_id in order_ids]
    return {
        "successOrderIds": [order_id for order_id, problem in problems if not problem],
        "failedOrderList": [
            {
                "orderId": order_id,
                "errorCode": problem,
                "errorMessage": PAYMENT_PROBLEMS[problem],
            }
            for order_id, problem in problems
            if problem
        ],
    }


def _pay(world: World, order_id: str, call: Call) -> str:
    order = world.books.order("1688", order_id)
    return (pay_order(world, order, call) or "") if order else ORDER_NOT_EXIST
