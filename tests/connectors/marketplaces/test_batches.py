"""Several orders with one request: who is asked for leave, and that each order has its
own outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from connectors.marketplaces import freight, offering_of
from connectors.marketplaces.alibaba_1688.channel import Alibaba1688Channel
from connectors.marketplaces.protocol import PayOutcome, PaysMany
from connectors.marketplaces.taobao.channel import TaobaoChannel
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import NotSent, Refused, Unanswered
from connectors.xportcn.operations import taobao_order
from domain.effects import Action, Claim
from domain.marketplace import Marketplace
from tests.connectors.marketplaces.channel_contract.shop import Shop, shelf
from tests.connectors.xportcn.fake_service import (
    FakeService,
    no,
    ok,
    raw_ok,
    raw_server,
)
from tests.connectors.xportcn.orders import claim, client_of
from tests.connectors.xportcn.sandbox_process import Sandbox

BULK = {
    Marketplace.TAOBAO: "/open/purchase/pay",
    Marketplace.ALIBABA_1688: "/alibaba/order/batch/submit/to/pay",
}


def claims(*refs: str) -> list[Claim]:
    return [claim(Action.PAY, ref) for ref in refs]


def told(outcomes: dict[str, PayOutcome]) -> dict[str, tuple[type[object], str]]:
    return {
        order_id: (type(one), one.code if one else "")
        for order_id, one in outcomes.items()
    }


async def joint_payment(
    client: XportcnClient, ours: Sequence[Claim]
) -> taobao_order.PayAnswer:
    request = taobao_order.PayRequest(purchase_order_id_list=("7", "8"))
    return await client.joint_effect(taobao_order.PAY, request, claims=ours)


async def test_leave_is_asked_for_every_claim_before_the_first_byte() -> None:
    """One request, both claims asked, nothing arrived yet."""
    asked: list[tuple[str, int]] = []
    async with (
        raw_server(raw_ok({"willPayPurchaseOrderIds": ["7", "8"]})) as server,
        client_of(
            server.url, on_send=lambda our: asked.append((our.key, len(server.heads)))
        ) as client,
    ):
        await joint_payment(client, claims("R-1", "R-2"))
    assert asked == [("R-1:pay", 0), ("R-2:pay", 0)]
    assert len(server.heads) == 1


async def test_one_claim_that_may_not_be_sent_keeps_all_back() -> None:
    """The second lease is gone: the first order is not paid either."""

    def too_late(our: Claim) -> None:
        if our.order_ref == "R-2":
            raise NotSent(f"the lease of {our.key} ran out")

    async with (
        raw_server(raw_ok({})) as server,
        client_of(server.url, on_send=too_late) as client,
    ):
        with pytest.raises(NotSent, match="the lease of R-2:pay ran out"):
            await joint_payment(client, claims("R-1", "R-2"))
    assert server.heads == []


@pytest.mark.parametrize(
    "ours",
    [[], claims("R-1", "R-1"), [claim(Action.PAY, "R-1"), claim(Action.CREATE, "R-2")]],
)
async def test_claims_that_do_not_fit_send_nothing(
    client: XportcnClient, service: FakeService, ours: list[Claim]
) -> None:
    """None, one twice, or one for another action."""
    with pytest.raises(ValueError, match="is sent under"):
        await joint_payment(client, ours)
    assert service.asked == []


TAOBAO_SAYS: dict[str, Any] = {
    "willPayPurchaseOrderIds": [71, "74"],
    "payFailurePurchaseOrderIds": ["72", "74"],
    "payFailedResults": [
        {
            "gspOrderId": 72,
            "errorCode": "BALANCE_NOT_ENOUGH",
            "errorMessage": "余额不足",
        }
    ],
}
ALIBABA_SAYS: dict[str, Any] = {
    "successOrderIds": [71, "74"],
    "failedOrderList": [
        {"orderId": 72, "errorCode": "BALANCE_NOT_ENOUGH"},
        {"orderId": "74", "errorCode": "X"},
    ],
}


@pytest.mark.parametrize(
    ("kind", "path", "answer", "field"),
    [
        (TaobaoChannel, "/open/purchase/pay", TAOBAO_SAYS, "purchaseOrderIdList"),
        (
            Alibaba1688Channel,
            "/alibaba/order/batch/submit/to/pay",
            ALIBABA_SAYS,
            "orderIds",
        ),
    ],
)
async def test_each_order_of_a_batch_has_its_own_outcome(
    client: XportcnClient,
    service: FakeService,
    kind: type[TaobaoChannel | Alibaba1688Channel],
    path: str,
    answer: dict[str, Any],
    field: str,
) -> None:
    """Paid, refused with its code, not mentioned, and both at once, which settles
    nothing.
    """
    service.answers(path, lambda: ok(answer))
    outcomes = await kind(client).pay_many(
        claims("R-1", "R-2", "R-3", "R-4"), ["71", "72", "73", "74"]
    )
    assert told(outcomes) == {
        "71": (type(None), ""),
        "72": (Refused, "BALANCE_NOT_ENOUGH"),
        "73": (Unanswered, ""),
        "74": (Unanswered, ""),
    }
    (asked,) = service.asked
    assert asked.body == {field: ["71", "72", "73", "74"]}


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (TaobaoChannel, "/open/purchase/pay"),
        (Alibaba1688Channel, "/alibaba/order/batch/submit/to/pay"),
    ],
)
async def test_a_batch_refused_as_a_whole_is_an_error_about_it(
    client: XportcnClient,
    service: FakeService,
    kind: type[TaobaoChannel | Alibaba1688Channel],
    path: str,
) -> None:
    """The service said no to the request; what that means for an order of it is not the
    channel's to say.
    """
    service.answers(path, lambda: no(40001, "too long", status=400))
    with pytest.raises(Refused) as caught:
        await kind(client).pay_many(claims("R-1", "R-2"), ["71", "72"])
    assert (caught.value.code, caught.value.message) == ("40001", "too long")


@pytest.mark.parametrize(
    ("kind", "most"), [(TaobaoChannel, 10), (Alibaba1688Channel, 10)]
)
@pytest.mark.parametrize("change", ["none", "twice", "too many"])
async def test_a_batch_has_its_limits(
    client: XportcnClient,
    service: FakeService,
    kind: type[TaobaoChannel | Alibaba1688Channel],
    most: int,
    change: str,
) -> None:
    """What the service would refuse as a whole is not sent."""
    ids = {
        "none": [],
        "twice": ["7", "7"],
        "too many": [str(number) for number in range(most + 1)],
    }[change]
    with pytest.raises(
        ValueError, match=f"a batch has 1 to {most} different order ids"
    ):
        await kind(client).pay_many(claims(*ids), ids)
    assert service.asked == []


@pytest.mark.parametrize("marketplace", list(Marketplace))
def test_who_can_do_several_at_once(
    client: XportcnClient, marketplace: Marketplace
) -> None:
    """Taobao and 1688 pay several; callers tell by `isinstance`."""
    channel = offering_of(marketplace, client).channel
    pays_many = (Marketplace.TAOBAO, Marketplace.ALIBABA_1688)
    assert isinstance(channel, PaysMany) == (marketplace in pays_many)


async def shop_of(
    marketplace: Marketplace, sandbox: Sandbox, live: XportcnClient
) -> Shop:
    warehouse = freight.warehouse_of(await freight.addresses_of(live))
    offering = offering_of(marketplace, live)
    return Shop(
        sandbox,
        live,
        offering.channel,
        offering.browser,
        warehouse,
        shelf(sandbox.url, marketplace),
    )


@pytest.mark.parametrize("marketplace", list(BULK))
async def test_a_batch_is_paid_order_by_order(
    sandbox: Sandbox, live: XportcnClient, marketplace: Marketplace
) -> None:
    """At the sandbox: two are paid, the one paid before is refused, the one that does
    not exist too.
    """
    shop = await shop_of(marketplace, sandbox, live)
    ids = [await shop.created(f"R-{number}") for number in (1, 2, 3)]
    await shop.pay(ids[0])
    assert isinstance(shop.channel, PaysMany)
    outcomes = await shop.channel.pay_many(
        claims("R-1", "R-2", "R-3", "R-4"), [*ids, "999999"]
    )
    assert told(outcomes) == {
        ids[0]: (Refused, "ORDER_STATUS_ERROR"),
        ids[1]: (type(None), ""),
        ids[2]: (type(None), ""),
        "999999": (Refused, "ORDER_NOT_EXIST"),
    }
    assert [shop.booked(f"R-{number}")[0]["paid_times"] for number in (1, 2, 3)] == [
        1,
        1,
        1,
    ]


@pytest.mark.parametrize("marketplace", list(BULK))
@pytest.mark.parametrize(
    ("kind", "times"), [("drop_after", 1), ("drop_before", 0), ("http_500", 0)]
)
async def test_a_batch_without_an_answer_is_unanswered_as_a_whole(
    sandbox: Sandbox,
    live: XportcnClient,
    marketplace: Marketplace,
    kind: str,
    times: int,
) -> None:
    """Sent once; reading tells what became of each."""
    shop = await shop_of(marketplace, sandbox, live)
    ids = [await shop.created(f"R-{number}") for number in (1, 2)]
    assert isinstance(shop.channel, PaysMany)
    with shop.fault(BULK[marketplace], kind), pytest.raises(Unanswered):
        await shop.channel.pay_many(claims("R-1", "R-2"), ids)
    assert [entry["paid_times"] for entry in shop.sandbox.books()["orders"]] == [
        times,
        times,
    ]
    assert [one.status.is_paid for one in (await shop.channel.read(ids)).values()] == [
        bool(times)
    ] * 2
