"""Going live: what is asked, what never is, and what is said of an answer that does not
fit.
"""

from __future__ import annotations

from typing import Any

import pytest

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Misconfigured, NotSent
from connectors.xportcn.live_check import LiveCheck
from connectors.xportcn.operations import catalogue, warehouse
from connectors.xportcn.operations.operation import Callback
from tests.connectors.xportcn.fake_service import FakeService, Maker, bare, no, ok
from tests.connectors.xportcn.orders import client_of
from tests.connectors.xportcn.sandbox_process import Sandbox
from tests.rewriting_proxy import renamed, rewriting_proxy

WRITES = {40, 41, 61, 71, 72}


async def checked(client: XportcnClient) -> LiveCheck:
    check = LiveCheck(client)
    await check.run()
    return check


async def faults_at(url: str, **settings: Any) -> dict[int | None, str]:
    """The words on each call that does not fit, by its number."""
    async with client_of(url, **settings) as client:
        check = await checked(client)
    return {call.nav: text for call, text in check.faults.items() if text}


async def test_a_service_that_keeps_the_contract_fits_everywhere(
    live: XportcnClient,
) -> None:
    """On an empty account every call that takes a page, words or an id is made."""
    check = await checked(live)
    assert {call.nav: text for call, text in check.faults.items() if text} == {}
    assert {call.nav for call in check.faults} - {None} == {
        *{1, 2, 3, 5, 8, 10, 17, 25, 38},
        *{44, 45, 46, 47, 49, 59, 64, 69, 75},
        *{81, 82, 83, 85, 86, 91, 92, 94},
    }
    assert {13, 23, 42, 50, 77, 78} <= {call.nav for call in check.unasked}


async def test_nothing_is_changed_and_no_effect_is_called(sandbox: Sandbox) -> None:
    """Only calls that leave everything as it was reach the service; its books stay
    empty.
    """
    before = sandbox.books()
    with rewriting_proxy(sandbox.url) as proxy:
        assert await faults_at(proxy.url) == {}
    read_only = {
        (entry.method, entry.path) for entry in catalogue() if entry.is_read_only
    }
    assert set(proxy.asked) <= read_only
    assert len(proxy.asked) == len(set(proxy.asked)) > 25
    assert sandbox.books() == before
    assert before["orders"] == before["payments"] == before["shipments"] == []


def test_what_writes_without_being_an_effect_is_known() -> None:
    """Changing or deleting a cart's row, and uploading a picture: repeatable, but no
    calls that change nothing.
    """
    remaining = {
        entry.nav
        for entry in catalogue()
        if not entry.effect and not isinstance(entry, Callback)
    } - {entry.nav for entry in catalogue() if entry.is_read_only}
    assert remaining == WRITES


async def test_a_name_that_differs_is_told_and_its_next_calls_are_not_made(
    sandbox: Sandbox,
) -> None:
    """What hangs on it is not blamed."""
    answers = {"/poizon/product/keywordSearch": renamed("dwSpuId", "spuId")}
    with rewriting_proxy(sandbox.url, answers=answers) as proxy:
        async with client_of(proxy.url) as client:
            check = await checked(client)
    faults = {call.nav: text for call, text in check.faults.items() if text}
    message = "the answer does not fit the contract at `data.0.dwSpuId`"
    assert faults == {91: message}
    assert 92 in {call.nav for call in check.unasked}


async def test_an_amount_with_a_point_is_told_with_the_setting_that_answers_it(
    sandbox: Sandbox,
) -> None:
    """And with it the answer fits."""
    sandbox.control("PUT", "dialects", {"names": ["taobao-yuan"]})
    faults = await faults_at(sandbox.url)
    assert "set XPORTCN_UNITS=taobao.detail=yuan" in faults[8]
    assert 8 not in await faults_at(sandbox.url, units="taobao.detail=yuan")


async def test_a_row_that_does_not_fit_is_told(
    service: FakeService, client: XportcnClient
) -> None:
    """Though the others are read."""
    hit = {"itemId": 1, "title": "杯", "price": 100, "shopId": "2", "quantity": 3}
    rows = [hit, {**hit, "itemId": {}}]
    service.answers(warehouse.ADDRESSES.path, lambda: ok([]))
    service.answers("/open/product/search", lambda: ok({"data": rows}))
    check = await checked(client)
    (message,) = [text for call, text in check.faults.items() if call.nav == 5]
    assert message == "rows do not fit the contract at itemId"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: ok([]), ""),
        (lambda: ok([{"name": 1}]), "does not fit the contract at `0.province`"),
        (lambda: bare(404), "check XPORTCN_BASE_URL; the path itself is assumed"),
        (lambda: bare(405), "check XPORTCN_BASE_URL; the path itself is assumed"),
        (lambda: no(40301, "no right to this"), "no right to this"),
        (lambda: no(40001, "kind: missing", status=400), "kind: missing"),
        (lambda: no(500, "系统异常", status=500), "系统异常"),
        (lambda: bare(200), "does not fit the contract"),
    ],
)
async def test_an_answer_is_one_of_these(
    service: FakeService, client: XportcnClient, answer: Maker, words: str
) -> None:
    """What the service says to one call, by HTTP status and envelope."""
    service.answers(warehouse.ADDRESSES.path, answer)
    check = await checked(client)
    (message,) = [text for call, text in check.faults.items() if call.nav == 75]
    assert words in message
    assert bool(words) is bool(message)


async def test_an_account_that_is_not_accepted_ends_it(
    service: FakeService, client: XportcnClient
) -> None:
    """Sixty times the same refusal would hide the cause."""
    service.answers("/open/product/hot/list", lambda: no(40102, "sign", status=401))
    with pytest.raises(Misconfigured, match="XPORTCN_ACCESS_SECRET"):
        await checked(client)
    assert len(service.asked) == 1


async def test_a_service_that_is_not_there_ends_it() -> None:
    """No connection is no finding about the contract."""
    with pytest.raises((Misconfigured, NotSent)):
        await faults_at("http://127.0.0.1:9", retries=0)
