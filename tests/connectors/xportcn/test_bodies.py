"""Answers of every size: read in parts up to a bound, packed or not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from aiohttp import web

from connectors.xportcn import client as xportcn_client
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, Unanswered
from connectors.xportcn.operations import taobao_order, taobao_product
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action
from tests.connectors.xportcn.fake_service import FakeService
from tests.connectors.xportcn.orders import claim
from tests.running import PATIENCE_S

PRODUCT = "/open/product/get"
ITEM = taobao_product.ProductRequest(item_id="1")


def of_size(size: int) -> web.Response:
    head = b'{"code": 200, "data": {"itemId": 1, "more": "'
    tail = b'"}}'
    return web.Response(body=head + b"x" * (size - len(head) - len(tail)) + tail)


@pytest.mark.endurance
def test_no_answer_takes_more_memory_than_its_bound_allows() -> None:
    """500 MB plain or packed, packings within packings, headers without end: 300 MiB at
    most, and a plain error.
    """
    command = [sys.executable, "-m", "tests.connectors.xportcn.peak_memory"]
    notices = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    ).stdout.splitlines()
    endings = dict(line.split(": ") for line in notices[:-1])
    assert endings.pop("small").startswith("read ")
    assert {text for ending in endings.values() for text in ending.split()} == {
        "ContractMismatch",
        "Unanswered",
    }
    assert int(notices[-1]) < 300


@pytest.fixture
def one_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xportcn_client, "MAX_ANSWER_BYTES", 1 << 20)


@pytest.mark.usefixtures("one_megabyte")
async def test_an_answer_up_to_the_bound_is_read(service: FakeService) -> None:
    """To the byte; what is larger is not read, and not asked for again."""
    async with XportcnClient(XportcnSettings(base_url=service.url)) as client:
        service.answers(PRODUCT, lambda: of_size(1 << 20))
        assert (await client.read(taobao_product.PRODUCT, ITEM)).item_id == "1"
        service.answers(PRODUCT, lambda: of_size((1 << 20) + 1))
        with pytest.raises(ContractMismatch, match=r"larger than 1 MB"):
            await client.read(taobao_product.PRODUCT, ITEM)
    assert len(service.asked) == 2


@pytest.mark.usefixtures("one_megabyte")
async def test_an_effect_with_an_answer_too_large_may_have_happened(
    service: FakeService,
) -> None:
    """Nobody knows what it would have said."""
    service.answers("/open/purchase/pay", lambda: of_size((1 << 20) + 1))
    request = taobao_order.PayRequest(purchase_order_id_list=("7",))
    async with XportcnClient(XportcnSettings(base_url=service.url)) as client:
        with pytest.raises(Unanswered, match="larger than 1 MB"):
            await client.effect(taobao_order.PAY, request, claim=claim(Action.PAY))
    assert len(service.asked) == 1


async def test_a_packed_answer_is_read(service: FakeService) -> None:
    """We ask for gzip, and take it."""

    def packed() -> web.Response:
        answer = of_size(10_000)
        answer.enable_compression(web.ContentCoding.gzip)
        return answer

    service.answers(PRODUCT, packed)
    async with XportcnClient(XportcnSettings(base_url=service.url)) as client:
        assert (await client.read(taobao_product.PRODUCT, ITEM)).item_id == "1"
    assert service.asked[0].headers["Accept-Encoding"] == "gzip"
