"""The client against a service that answers over real HTTP: envelopes, retries, errors,
logs.
"""

from __future__ import annotations

import gc
import logging
import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import (
    ContractMismatch,
    Misconfigured,
    NotSent,
    Refused,
    Unanswered,
    XportcnError,
)
from connectors.xportcn.models import Nothing
from connectors.xportcn.operations import (
    alibaba_after_sale,
    alibaba_order,
    big_major,
    taobao_after_sale,
    taobao_order,
    taobao_product,
    warehouse,
)
from connectors.xportcn.operations.operation import Group, Provenance, ReadCall
from domain.effects import Action
from tests.connectors.xportcn.fake_service import (
    FakeService,
    bare,
    no,
    ok,
    raw_ok,
    raw_server,
)
from tests.connectors.xportcn.orders import Naps, claim, client_of, settings

PRODUCT = "/open/product/get"
PAY = "/open/purchase/pay"
ORDERS = "/open/purchase/page"
ITEM = taobao_product.ProductRequest(item_id="672991141190")
ORDER = taobao_order.PayRequest(purchase_order_id_list=("7",))
ADDRESS_FIELDS = list(alibaba_order.AddressParam.model_fields)
PAID = {"willPayPurchaseOrderIds": ["7"]}


async def read(client: XportcnClient) -> taobao_product.Product:
    return await client.read(taobao_product.PRODUCT, ITEM)


async def pay(client: XportcnClient) -> taobao_order.PayAnswer:
    return await client.effect(taobao_order.PAY, ORDER, claim=claim(Action.PAY))


async def test_a_get_sends_its_parameters_in_the_query(
    client: XportcnClient, service: FakeService
) -> None:
    """Parameters of a GET travel in the query, signed, with no body."""
    service.answers(PRODUCT, lambda: ok({"itemId": 672991141190}))
    assert (await read(client)).item_id == "672991141190"
    (calls,) = service.asked
    assert (calls.method, calls.query, calls.text) == (
        "GET",
        {"itemId": "672991141190"},
        "",
    )
    assert len(calls.headers["signature"]) == 32


async def test_a_post_sends_json(client: XportcnClient, service: FakeService) -> None:
    """Parameters of a POST travel as JSON under the contract's names, absent ones left
    out.
    """
    service.answers("/open/product/search", lambda: ok({"data": []}))
    request = taobao_product.SearchRequest(keyword="茶", page_no=1, page_size=10)
    await client.read(taobao_product.SEARCH, request)
    assert service.asked[0].body == {"keyword": "茶", "pageNo": 1, "pageSize": 10}
    assert service.asked[0].headers["Content-Type"] == "application/json"


async def test_the_path_of_the_base_url_is_kept(service: FakeService) -> None:
    """With `/api` in the base URL the contract's paths are appended to it as they
    are.
    """
    service.answers("/api" + PRODUCT, lambda: ok({"itemId": 1}))
    async with client_of(service.url + "/api") as client:
        await read(client)
    assert service.asked[0].path == "/api/open/product/get"


async def test_a_field_in_the_path_is_percent_encoded_and_not_in_the_query() -> None:
    """What reaches the wire is one piece of path, whatever the id holds."""
    answer = raw_ok({"cancelSuccess": True})
    async with raw_server(answer) as server, client_of(server.url) as client:
        request = taobao_after_sale.RefundRequest(refund_id="3/1?x.. é#")
        await client.effect(taobao_after_sale.CANCEL, request, claim=claim(Action.CALL))
    (head,) = server.heads
    assert (
        head.split(b"\r\n")[0]
        == b"GET /open/order/refund/cancel/3%2F1%3Fx..%20%C3%A9%23 HTTP/1.1"
    )


async def test_envelope_b_is_opened(
    client: XportcnClient, service: FakeService
) -> None:
    """The logistics operations answer in the other envelope."""
    answer = {"errorCode": 200, "errorMsg": None, "success": True, "data": True}
    service.answers(
        "/open/pp/logistics/updateLogisticInfo", lambda: web.json_response(answer)
    )
    request = warehouse.UpdateRequest(
        order_id="21", tmall_order_id="7", logistic_infos=()
    )
    assert (
        await client.effect(warehouse.UPDATE, request, claim=claim(Action.NOTIFY))
        is True
    )
    assert service.asked[0].query["sign"] == service.asked[0].headers["signature"]


async def test_code_and_words_alone_answer_a_call_without_data(
    client: XportcnClient, service: FakeService
) -> None:
    """An operation that answers nothing is satisfied with the bare envelope."""
    nothing = Group("g")(None, "t", "GET /x", Provenance.ASSUMED).read(
        Nothing, type(None)
    )
    service.answers("/x", lambda: web.json_response({"code": 200, "msg": "ok"}))
    await client.read(nothing, Nothing())


async def test_a_list_is_read(client: XportcnClient, service: FakeService) -> None:
    """`data` may be a list."""
    address = {
        "name": "n",
        "province": "p",
        "city": "c",
        "address": "a",
        "isDefault": 1,
    }
    service.answers("/open/address/get", lambda: ok([address]))
    (only,) = await client.read(warehouse.ADDRESSES, Nothing())
    assert only.is_default is True


@pytest.mark.parametrize(
    "call", [warehouse.ADDRESSES, alibaba_after_sale.COMPANIES, big_major.PREVIEW]
)
def test_null_for_a_list_is_a_list_without_rows(
    call: ReadCall[Any, tuple[Any, ...]],
) -> None:
    """As Java writes it where it found none."""
    assert call.parse(None) == ()


def test_null_for_what_is_no_list_fits_nothing() -> None:
    with pytest.raises(ValidationError):
        taobao_product.PRODUCT.parse(None)


@pytest.mark.parametrize(
    "passing",
    [
        lambda: bare(502),
        lambda: bare(200, "garbage"),
        lambda: no(500, "busy", status=500),
    ],
)
async def test_a_read_is_tried_again(
    client: XportcnClient,
    service: FakeService,
    naps: Naps,
    passing: Callable[[], web.Response],
) -> None:
    """Failures that may pass are repeated, each try with its own nonce, with a pause
    between.
    """
    service.answers(PRODUCT, passing, passing, lambda: ok({"itemId": 1}))
    await read(client)
    assert len(service.asked) == 3
    assert len({calls.headers["nonce-str"] for calls in service.asked}) == 3
    assert len(naps.taken) == 2


@pytest.mark.parametrize(
    ("words", "error", "tries"),
    [
        ("OUT_OF_STOCK: 库存不足", Refused, 1),
        ("买家被限制", Unanswered, 1),
        ("系统繁忙", Unanswered, 3),
    ],
)
async def test_code_500_with_words_is_a_no_where_they_are_known(
    service: FakeService, words: str, error: type[XportcnError], tries: int
) -> None:
    """Other words of its own are asked once and are no answer; a fault of the system is
    tried again.
    """
    service.answers(PRODUCT, lambda: no(500, words))
    async with client_of(service.url, retries=2) as client:
        with pytest.raises(error) as caught:
            await read(client)
    assert (type(caught.value), len(service.asked)) == (error, tries)
    assert words in caught.value.message


async def test_retry_after_is_waited_for(
    client: XportcnClient, service: FakeService, naps: Naps
) -> None:
    """A read that met 429 waits as long as asked and goes on."""
    service.answers(
        PRODUCT,
        lambda: no(429, "slow down", status=429, **{"Retry-After": "7"}),
        lambda: ok({"itemId": 1}),
    )
    await read(client)
    assert naps.taken == [7.0]


async def test_a_long_retry_after_is_the_caller_s_to_decide(
    client: XportcnClient, service: FakeService
) -> None:
    """Beyond the cap a read ends at once and hands the wish on."""
    service.answers(PRODUCT, lambda: bare(429), lambda: ok({"itemId": 1}))
    service.answers(
        PRODUCT, lambda: no(429, "slow down", status=429, **{"Retry-After": "3600"})
    )
    with pytest.raises(NotSent) as caught:
        await read(client)
    assert caught.value.retry_after_s == 3600
    assert len(service.asked) == 1


async def test_a_read_gives_up_after_its_retries(service: FakeService) -> None:
    """Two retries make three tries; then the failure comes out with the request id."""
    service.answers(PRODUCT, lambda: no(500, "busy", status=500))
    async with client_of(service.url, retries=2) as client:
        with pytest.raises(Unanswered) as caught:
            await read(client)
    assert len(service.asked) == 3
    assert caught.value.request_id == "r" * 32
    assert caught.value.status == 500
    assert str(caught.value).startswith(
        "Taobao / Product / Query product by Taobao product ID: the service failed (busy)"
    )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: bare(502), Unanswered),
        (lambda: bare(404), Unanswered),
        (lambda: bare(200, "garbage"), Unanswered),
        (lambda: no(500, "busy", status=500), Unanswered),
        (lambda: no(40104, "nonce used", status=401), Unanswered),
        (lambda: ok([]), ContractMismatch),
        (lambda: no(40402, "no such order"), Refused),
        (lambda: no(40001, "orderId", status=400), Refused),
        (lambda: no(429, "slow down", status=429, **{"Retry-After": "7"}), NotSent),
        (lambda: no(40102, "signature", status=401), Misconfigured),
    ],
)
async def test_an_effect_is_sent_once_whatever_comes_back(
    client: XportcnClient,
    service: FakeService,
    answer: Callable[[], web.Response],
    error: type[XportcnError],
) -> None:
    """No answer makes the client send an effect again."""
    service.answers(PAY, answer)
    with pytest.raises(error) as caught:
        await pay(client)
    assert type(caught.value) is error
    assert caught.value.operation == "Taobao / Order / purchase order pay"
    assert len(service.asked) == 1


async def test_an_effect_that_met_429_may_come_later(
    client: XportcnClient, service: FakeService
) -> None:
    """Nothing was done, and the service said when to come back."""
    service.answers(
        PAY, lambda: no(429, "slow down", status=429, **{"Retry-After": "7"})
    )
    with pytest.raises(
        NotSent, match="asks to wait 7 seconds; nothing was done"
    ) as caught:
        await pay(client)
    assert caught.value.retry_after_s == 7


async def test_the_service_s_words_come_out_with_the_refusal(
    client: XportcnClient, service: FakeService
) -> None:
    """Code, words and request id are on the error."""
    service.answers(PAY, lambda: no(40402, "订单不存在"))
    with pytest.raises(Refused) as caught:
        await pay(client)
    assert (caught.value.code, caught.value.message, caught.value.request_id) == (
        "40402",
        "订单不存在",
        "r" * 32,
    )


async def test_a_yes_that_came_as_a_failure_says_nothing(
    client: XportcnClient, service: FakeService
) -> None:
    """Nobody looks through the words of a yes for the receiver, so they are in no error
    either.
    """
    service.answers(PAY, lambda: no(200, "sent to Jane Example", status=500))
    with pytest.raises(Unanswered) as caught:
        await pay(client)
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (40101, "check XPORTCN_ACCESS_KEY"),
        (40102, "XPORTCN_ACCESS_SECRET belongs to XPORTCN_ACCESS_KEY"),
        (40105, "check XPORTCN_USER_ID"),
        (40106, "try the other XPORTCN_LOGISTICS_SIGN"),
        (40199, "does not accept the account"),
    ],
)
async def test_a_refused_account_names_the_setting(
    client: XportcnClient, service: FakeService, code: int, remedy: str
) -> None:
    """Each 4010x code has its remedy, and nothing is tried again."""
    service.answers(PRODUCT, lambda: no(code, "no", status=401))
    with pytest.raises(Misconfigured, match=remedy):
        await read(client)
    assert len(service.asked) == 1


async def test_a_wrong_clock_is_told_in_seconds(service: FakeService) -> None:
    """The skew comes from the service's `Date` header."""
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    service.answers(PRODUCT, lambda: no(40103, "timestamp", status=401, Date=date))
    client = XportcnClient(settings(service.url), clock=lambda: 1767225600.0 - 4210)
    async with client:
        with pytest.raises(
            Misconfigured,
            match="clock is 4210 seconds behind the service's: set the clock",
        ):
            await read(client)


async def test_a_good_clock_points_at_the_unit(
    client: XportcnClient, service: FakeService
) -> None:
    """When the clocks agree, the time-stamp's unit is to blame."""
    service.answers(PRODUCT, lambda: no(40103, "timestamp", status=401))
    with pytest.raises(
        Misconfigured,
        match=r"differs by [0-2] seconds only: try the other XPORTCN_TIMESTAMP_UNIT",
    ):
        await read(client)


@pytest.mark.parametrize("status", [301, 403, 404, 405])
async def test_a_wrong_address_names_the_setting(
    client: XportcnClient, service: FakeService, status: int
) -> None:
    """An answer that is not the service's points at the base URL."""
    service.answers(PRODUCT, lambda: bare(status))
    with pytest.raises(
        Misconfigured, match=rf"127\.0\.0\.1.*HTTP {status}.*check XPORTCN_BASE_URL"
    ):
        await read(client)


@pytest.mark.parametrize("status", [302, 403, 404, 405, 413])
async def test_a_firewall_s_page_amid_good_answers_fails_its_call_alone(
    client: XportcnClient, service: FakeService, naps: Naps, status: int
) -> None:
    """The account and the address are right, as the answers before show; the words name
    what stood in between.
    """
    service.answers(PRODUCT, lambda: ok({"itemId": 1}), lambda: bare(status))
    await read(client)
    with pytest.raises(
        Unanswered, match=f"HTTP {status} came in place of the service's answer"
    ):
        await read(client)
    assert len(naps.taken) == 4


@pytest.mark.parametrize("status", [302, 404, 405])
async def test_a_path_that_never_answered_is_told_as_wrong(
    client: XportcnClient, service: FakeService, status: int
) -> None:
    """Also where other calls have had their answers."""
    service.answers(ORDERS, lambda: ok({"data": []}))
    service.answers(PRODUCT, lambda: bare(status))
    await client.read(
        taobao_order.ORDER_PAGE, taobao_order.OrderPageRequest(page_no=1, page_size=1)
    )
    with pytest.raises(Misconfigured, match=rf"HTTP {status}.*check XPORTCN_BASE_URL"):
        await read(client)
    assert len(service.asked) == 2


@pytest.mark.parametrize("status", [403, 413])
async def test_a_firewall_s_page_to_the_first_request_of_its_kind_names_the_path_too(
    client: XportcnClient, service: FakeService, status: int
) -> None:
    """One order's address may look like an attack: the others go on, each night too."""
    service.answers(ORDERS, lambda: ok({"data": []}))
    service.answers(PRODUCT, lambda: bare(status))
    await client.read(
        taobao_order.ORDER_PAGE, taobao_order.OrderPageRequest(page_no=1, page_size=1)
    )
    with pytest.raises(
        Unanswered,
        match=rf"firewall before it, or GET {PRODUCT} .*check XPORTCN_BASE_URL",
    ):
        await read(client)


async def test_nobody_at_the_address_is_not_sent(
    unused_tcp_port: int, naps: Naps
) -> None:
    """A refused connection names address and remedy; a read has tried five times by
    then, an effect once.
    """
    async with client_of(f"http://127.0.0.1:{unused_tcp_port}", naps=naps) as client:
        with pytest.raises(
            NotSent,
            match=rf"no connection to http://127\.0\.0\.1:{unused_tcp_port}.*running\?.*BASE_URL",
        ):
            await read(client)
        assert len(naps.taken) == 4
        with pytest.raises(NotSent, match="no connection"):
            await pay(client)
        assert len(naps.taken) == 4


async def test_an_answer_that_does_not_fit_names_the_field(
    client: XportcnClient, service: FakeService
) -> None:
    """A success without what the contract promises is a mismatch; a read does not try
    again.
    """
    product = {"itemId": 1, "skuList": [{"skuId": 1, "price": "dear"}]}
    service.answers(PRODUCT, lambda: ok(product))
    with pytest.raises(ContractMismatch, match=r"at `skuList\.0\.price`") as caught:
        await read(client)
    assert caught.value.field == "skuList.0.price"
    assert caught.value.request_id == "r" * 32
    assert len(service.asked) == 1


async def test_an_effect_can_not_be_read(
    client: XportcnClient, service: FakeService
) -> None:
    """A call with consequences needs a claim."""
    with pytest.raises(TypeError, match="needs a claim"):
        await client.read(alibaba_order.PAY, alibaba_order.OrderRequest(order_id="7"))  # type: ignore[arg-type]
    assert service.asked == []


async def test_a_claim_is_for_one_action(
    client: XportcnClient, service: FakeService
) -> None:
    """A claim to create does not pay."""
    with pytest.raises(ValueError, match="under a claim to pay, not to create"):
        await client.effect(taobao_order.PAY, ORDER, claim=claim(Action.CREATE))
    assert service.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "https://service.example/api"},
        {"base_url": "service.example"},
        {"base_url": "ftp://127.0.0.1"},
        {"base_url": "http://127.0.0.1:99999"},
        {"base_url": "http://127.0.0.1:1", "access_key": "two\nlines"},
        {"base_url": "http://127.0.0.1:1", "access_secret": "blank "},
    ],
)
def test_settings_that_can_not_work_are_told_at_once(changes: dict[str, Any]) -> None:
    """Missing account, odd address or a line break in a key: no call needs to fail for
    it.
    """
    url = changes.pop("base_url")
    with pytest.raises(Misconfigured, match=r"XPORTCN_|Port"):
        client_of(url, **changes)


async def test_proxies_of_the_environment_are_left_alone(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    """A proxy in the environment does not get between us and the service."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    service.answers(PRODUCT, lambda: ok({"itemId": 1}))
    async with client_of(service.url) as client:
        await read(client)
    assert len(service.asked) == 1


async def test_nothing_secret_is_logged(
    service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """At level debug there is a line a call, and neither key, secret nor signature in
    any logger's.
    """
    caplog.set_level(logging.DEBUG)
    service.answers(
        "/open/pp/logistics/orderEstimateFreight", lambda: ok({"services": []})
    )
    account: dict[str, Any] = {
        "access_key": "key-for-logs",
        "access_secret": "secret-for-logs",
    }
    async with client_of(service.url, **account) as client:
        request = warehouse.EstimateRequest(country="US", render_items=())
        await client.read(warehouse.ESTIMATE, request)
    signature = service.asked[0].query["sign"]
    text = caplog.text
    assert "POST /open/pp/logistics/orderEstimateFreight -> 200 in" in text
    assert f"request {'r' * 32}" in text
    assert "sign=" not in text
    for secret in ("key-for-logs", "secret-for-logs", signature):
        assert secret not in text


async def test_nothing_secret_is_in_an_error(service: FakeService) -> None:
    """Neither message nor attributes hold credentials, whatever went wrong."""
    makers: list[Callable[[], web.Response]] = [
        lambda: bare(404),
        lambda: no(40102, "no", status=401),
        lambda: bare(502),
    ]
    for maker in makers:
        service.answers(PRODUCT, maker)
        async with client_of(
            service.url, access_key="key-for-logs", access_secret="secret-for-logs"
        ) as client:
            with pytest.raises(XportcnError) as caught:
                await read(client)
        notices = f"{caught.value} {caught.value!r} {vars(caught.value)}"
        assert "key-for-logs" not in notices
        assert "secret-for-logs" not in notices
        assert service.asked[-1].headers["signature"] not in notices


async def test_no_signature_is_in_the_traceback_of_an_error() -> None:
    """httpx names the URL in some exceptions, and the logistics calls have the
    signature in theirs.
    """
    async with (
        raw_server(b"nonsense\r\n\r\n") as server,
        client_of(server.url, retries=0) as client,
    ):
        with pytest.raises(Unanswered) as caught:
            await client.read(
                warehouse.ESTIMATE,
                warehouse.EstimateRequest(country="US", render_items=()),
            )
    notices = "".join(traceback.format_exception(caught.value))
    signature = re.search(rb"signature: (\w{32})", server.heads[0], re.IGNORECASE)
    assert signature
    assert (
        "the answer can't be read and does not fit the contract (RemoteProtocolError)"
        in notices
    )
    assert signature[1].decode() not in notices


async def test_a_nonce_that_is_refused_again_and_again_is_explained(
    client: XportcnClient, service: FakeService
) -> None:
    """A read tries with fresh nonces; if none is taken, a person must look at what
    stands in between.
    """
    service.answers(PRODUCT, lambda: no(40104, "nonce", status=401))
    with pytest.raises(
        Misconfigured, match="something between us and the service repeats requests"
    ):
        await read(client)
    assert len(service.asked) == 5


async def test_closing_leaves_nothing_open(service: FakeService) -> None:
    """No connection is left to the garbage collector (its warnings are errors here)."""
    service.answers(PRODUCT, lambda: ok({"itemId": 1}))
    async with client_of(service.url) as client:
        await read(client)
    del client
    gc.collect()


async def test_a_client_that_never_called_closes_too() -> None:
    """Opening and closing alone works."""
    async with client_of("http://127.0.0.1:1"):
        pass
