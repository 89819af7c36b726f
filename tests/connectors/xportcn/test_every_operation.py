"""Every operation of the catalogue is called over HTTP and answered by the sandbox, in
a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from connectors.xportcn.callback_reader import order_ids_in
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.models import Response
from connectors.xportcn.operations import (
    alibaba_order,
    big_major,
    catalogue,
    taobao_order,
    warehouse,
)
from connectors.xportcn.operations.operation import Callback, Operation
from tests.connectors.xportcn.models import READERS, fields_of, name_of
from tests.connectors.xportcn.samples import SAMPLES
from tests.connectors.xportcn.samples import alibaba as sample_1688
from tests.connectors.xportcn.samples import others as sample_others
from tests.connectors.xportcn.samples import taobao as sample_taobao
from tests.connectors.xportcn.samples.shop import Shop
from tests.connectors.xportcn.sandbox_process import Sandbox
from tests.connectors.xportcn.unread_fields import UNREAD

CALLED = [operation for operation in catalogue() if not isinstance(operation, Callback)]
# What an answer must hold to be more than polite.
CONTENTS = ("data", "result", "result_data", "order_list", "orders", "services", "carriers", "sku_list", "skus",
            "product_sku_infos", "results", "mp_products", "enable_list", "will_pay_purchase_order_ids", "reasons",
            "success_order_ids", "pnm_logistics_details", "logistics_trace", "logistics_company_list", "sub_orders",
            "product_items", "sub_purchase_orders", "order_items")  # fmt: skip
DEARER: tuple[Operation, ...] = (taobao_order.PAY, alibaba_order.PAY, big_major.PAY)
YES = ("success", "pay_success", "cancel_success", "protocol_pay_success")
NO = ("failed_offer_list", "failed_order_list", "failed_line_list", "pay_failed_results", "problem_list",
      "no_mp_reason_list", "error_code", "reason_code")  # fmt: skip


@pytest_asyncio.fixture
async def shop(live: XportcnClient, sandbox: Sandbox) -> Shop:
    return Shop(live, sandbox)


def require_substance(answer: Any) -> None:
    """An answer that says yes and holds what was asked for."""
    if isinstance(answer, tuple):
        assert answer
        for piece in answer:
            require_substance(piece)
    elif isinstance(answer, Response):
        assert answer.model_fields_set
        assert all(getattr(answer, name, ["not there"]) for name in CONTENTS)
        assert all(getattr(answer, name, True) for name in YES)
        assert not any(getattr(answer, name, None) for name in NO)
        assert not list(unknown_names(answer))
    else:
        assert answer.get_secret_value() if isinstance(answer, SecretStr) else answer


def unknown_names(answer: Any) -> Iterator[str]:
    """Fields at any depth that the contract doesn't have: a name that one side misread
    is among them.
    """
    if isinstance(answer, tuple):
        for piece in answer:
            yield from unknown_names(piece)
    elif isinstance(answer, Response):
        yield from (
            f"{name_of(type(answer))}.{name}"
            for name in {*(answer.model_extra or {})}
            - {*UNREAD.get(name_of(type(answer)), "").split()}
        )
        for name in type(answer).model_fields:
            yield from unknown_names(getattr(answer, name))


def test_an_unread_field_is_no_field_of_its_model() -> None:
    """A name stands in one of the two lists: fields, or what is left."""
    models = {name_of(model): model for model in READERS}
    for name, remaining in UNREAD.items():
        fields = {name for field in fields_of(models[name]) for name in field.names}
        assert not fields & {*remaining.split()}, name


def test_there_is_a_sample_for_every_operation() -> None:
    """89 rows of the list and six without a number."""
    assert set(SAMPLES) == set(CALLED)
    assert len(CALLED) == 95


@pytest.mark.parametrize(
    "operation", CALLED, ids=lambda operation: f"{operation.nav or ''}{operation.path}"
)
async def test_the_sandbox_answers(operation: Operation, shop: Shop) -> None:
    """The request is taken, the answer fits its model, and it is more than an empty
    shell.
    """
    answer = await shop.call(operation, await SAMPLES[operation](shop))
    if operation is warehouse.ADDRESS_UPSERT:
        assert answer is None  # code and words alone; what it did is seen in the list
        assert [address.name for address in await shop.call(warehouse.ADDRESSES, {})][
            -1
        ] == "二号仓"
    else:
        require_substance(answer)


async def test_what_the_service_would_have_posted_names_its_order(shop: Shop) -> None:
    """Orders paid, shipped, refunded and dearer than before leave messages of all seven
    rows; each names its order.
    """
    await sample_taobao.refund(shop)
    await sample_1688.refund_of(shop, await sample_1688.paid(shop))
    await sample_others.ka_arrived(shop)
    dearer = [await SAMPLES[pay](shop) for pay in DEARER]
    shop.sandbox.faults(*({"path": pay.path, "kind": "price_change"} for pay in DEARER))
    for pay, calls in zip(DEARER, dearer, strict=True):
        await shop.call(pay, calls)
    posted = shop.sandbox.control("GET", "messages?limit=100")["messages"]
    for sent in posted:
        assert sent["order_id"] in order_ids_in(json.dumps(sent["body"]).encode())
    assert {sent["nav"] for sent in posted} == {35, 36, 37, 66, 67, 68, 90}
