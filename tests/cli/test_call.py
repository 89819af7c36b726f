"""`sourcing call`: reads at once, changes once with a person's yes, what spends
never.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cli.call import NOTE
from connectors.ledger.plans import put_rows
from connectors.ledger.schema import marks
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.models import Nothing
from connectors.xportcn.operations import catalogue, taobao_order
from connectors.xportcn.operations.operation import EffectCall
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action
from tasks.engine.resources import utc_now
from tests.cli.conftest import Sourcing
from tests.connectors.ledger.plans import intents, plan
from tests.running import RunningSandbox
from tests.tasks.test_kinds import REFUND

BY_COMMAND = {
    Action.CREATE: "sourcing run",
    Action.PAY: "sourcing run",
    Action.BOOK: "sourcing run",
    Action.CANCEL: "sourcing cancel",
    Action.REFUND: "sourcing refund",
    Action.RETURN: "sourcing return",
}
RECEIPT = ("56", '{"orderId": "77"}', "--confirm")


@pytest.fixture
def service(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, sourcing: Sourcing
) -> RunningSandbox:
    """The sandbox, as the service of the command."""
    monkeypatch.setenv("XPORTCN_BASE_URL", sandbox.url)
    return sandbox


@pytest.fixture
def ledger(sourcing: Sourcing) -> Iterator[Ledger]:
    """The command's ledger, with an order of 1688."""
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="test") as ledger:
        ledger.start_batch("batch", "a.csv")
        order = plan("A-1", state="delivered", order_id="77", marketplace="1688")
        put_rows(ledger, [order])
        yield ledger


def row_of(service: RunningSandbox, sourcing: Sourcing) -> str:
    """A request to put two pieces of the first SKU of Taobao into the cart."""
    (sku,) = service.catalogue("taobao", 1)
    request = json.dumps({"itemId": sku["item_id"]})
    product = json.loads(sourcing("call", "8", request).stdout)
    fields = {
        "itemId": sku["item_id"],
        "skuId": sku["sku_id"],
        "mpId": product["mpId"],
        "mpSkuId": product["skuList"][0]["mpSkuId"],
        "itemTitle": sku["title"],
        "itemPic": "https://img.example/1.jpg",
        "price": sku["price_fen"],
        "quantity": 2,
        "shopId": sku["seller_id"],
        "shopName": product["shopName"],
    }
    return json.dumps(fields)


def carted(sourcing: Sourcing) -> list[int]:
    """The quantities in Taobao's cart."""
    cart = json.loads(sourcing("call", "38").stdout)
    return [
        row["quantity"] for shop in cart["enableList"] for row in shop["cartItemInfos"]
    ]


def noted(ledger: Ledger) -> list[str]:
    """The first words of what was noted of calls."""
    noted_words = select(marks.c.words).where(marks.c.name == NOTE)
    return [text.split()[0] for text in ledger.column(noted_words)]


@pytest.mark.parametrize(
    ("marketplace", "operation", "field"),
    [
        ("taobao", "Query product by Taobao product ID", "itemId"),
        ("1688", "45", "offerId"),
        ("big_major", "85", "offerId"),
        ("international", "81", "productId"),
        ("poizon", "92", "dwSpuId"),
    ],
)
def test_a_read_is_answered_at_once(
    service: RunningSandbox,
    sourcing: Sourcing,
    marketplace: str,
    operation: str,
    field: str,
) -> None:
    """The answer is the service's own, and no ledger is needed."""
    (sku,) = service.catalogue(marketplace, 1)
    done = sourcing("call", operation, json.dumps({field: sku["item_id"]}))
    assert (done.exit_code, done.stderr) == (0, "")
    assert str(json.loads(done.stdout)[field]) == sku["item_id"]


def test_a_change_wants_a_yes_and_is_noted(
    service: RunningSandbox, sourcing: Sourcing, ledger: Ledger
) -> None:
    row = row_of(service, sourcing)
    done = sourcing("call", "Add to shopping cart", row)
    assert (done.exit_code, "--confirm" in done.stderr) == (2, True)
    assert (carted(sourcing), noted(ledger)) == ([], [])

    done = sourcing("call", "39", row, "--confirm")
    assert (done.exit_code, json.loads(done.stdout)) == (0, 1)
    assert (carted(sourcing), noted(ledger)) == ([2], ["sending", "answered"])

    done = sourcing("call", "40", '{"ids": ["1"]}', "--confirm")
    assert (done.exit_code, carted(sourcing)) == (0, [])


@pytest.mark.parametrize(
    ("operation", "path"),
    [("39", "/open/cart/add"), ("41", "/open/cart/edit-quantity")],
)
def test_a_lost_answer_may_have_happened_and_is_not_called_again(
    service: RunningSandbox,
    sourcing: Sourcing,
    ledger: Ledger,
    operation: str,
    path: str,
) -> None:
    """Two more pieces, or three in all: each once."""
    if operation == "41":
        assert (
            sourcing("call", "39", row_of(service, sourcing), "--confirm").exit_code
            == 0
        )
    lost = {"path": path, "kind": "drop_after", "probability": 1, "times": 1}
    service.faults({**lost, "delay_s": 0})
    request = (
        row_of(service, sourcing) if operation == "39" else '{"id": "1", "quantity": 3}'
    )
    done = sourcing("call", operation, request, "--confirm")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "It may have happened" in done.stderr
    assert carted(sourcing) == [2 if operation == "39" else 3]
    assert noted(ledger)[-2:] == ["sending", "Unanswered"]


@pytest.mark.parametrize(
    "operation",
    [
        operation
        for operation in catalogue()
        if isinstance(operation, EffectCall) and operation.action in BY_COMMAND
    ],
    ids=lambda operation: operation.path,
)
async def test_what_spends_or_takes_back_has_its_command(
    sourcing: Sourcing, operation: EffectCall[Any, Any]
) -> None:
    """Whatever the request, with a yes too; the client sends none without a claim."""
    done = sourcing("call", operation.name, "{}", "--confirm")
    assert (done.exit_code, BY_COMMAND[operation.action] in done.stderr) == (2, True)
    async with XportcnClient(XportcnSettings()) as client:
        with pytest.raises(TypeError, match="needs a claim"):
            await client.by_hand(operation, Nothing())


def test_nothing_is_called_while_an_effect_or_a_refund_of_its_order_is_open(
    service: RunningSandbox, sourcing: Sourcing, ledger: Ledger
) -> None:
    refund = replace(REFUND, order_id="77")
    ledger.refunds.put(refund)
    done = sourcing("call", *RECEIPT)
    assert (done.exit_code, "A-1:all.1 is open" in done.stderr) == (2, True)

    claimed = ledger.claim(
        intents("A-1", action=Action.RETURN), lease=timedelta(minutes=5)
    )
    assert claimed.won
    message = '{"refundId": "R1", "refundMessage": "hello"}'
    done = sourcing("call", "30", message, "--confirm")
    assert (done.exit_code, "A-1:return is open" in done.stderr) == (2, True)
    assert noted(ledger) == []


def test_a_refund_that_the_request_names_may_be_open(
    service: RunningSandbox, sourcing: Sourcing, ledger: Ledger
) -> None:
    """A message about it, or its withdrawal; the service knows no such refund here."""
    ledger.refunds.put(replace(REFUND, order_id="77"))
    done = sourcing("call", "29", '{"refundId": "R1"}', "--confirm")
    assert (done.exit_code, noted(ledger)) == (1, ["sending", "Refused"])


def test_an_order_that_a_change_names_is_due_to_be_read(
    service: RunningSandbox, sourcing: Sourcing, ledger: Ledger
) -> None:
    ledger.tracking.add({}, polled={"A-1": utc_now()})
    assert ledger.tracking.not_due() == {"A-1"}
    done = sourcing("call", *RECEIPT)
    assert (done.exit_code, noted(ledger)) == (1, ["sending", "answered"])
    assert json.loads(done.stdout)["success"] is False
    assert ledger.tracking.not_due() == set()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "no operation 'nonsense': see sourcing endpoints --all"),
        (("Create an order",), "is the title of several: say 52 (1688 / Order), 74"),
        (("35",), "is posted by the service: sourcing callbacks"),
        (("8", "{"), "mend the request: the request: Invalid JSON"),
        (("8", '{"itemID": "1"}'), "itemId: Field required; itemID: Extra inputs"),
        (("8",), "takes itemId. Nothing was sent"),
    ],
)
def test_bad_usage_names_the_remedy(
    sourcing: Sourcing, arguments: tuple[str, ...], words: str
) -> None:
    """Found before anything is sent: the service is nowhere."""
    done = sourcing("call", *arguments)
    assert (done.exit_code, words in done.stderr) == (2, True), done.stderr


def test_a_secret_is_never_printed(
    service: RunningSandbox, sourcing: Sourcing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the account's, nor a link that logs its holder in."""
    link = taobao_order.IM_LINK
    page = {"pageParamMap": {"sourceType": "item", "bizId": "2048020617114736"}}
    done = sourcing("call", link.title, json.dumps(page))
    assert (done.exit_code, done.stdout) == (0, '"**********"\n')
    monkeypatch.setenv("XPORTCN_ACCESS_SECRET", "wrong-secret")
    done = sourcing("call", "38")
    assert (done.exit_code, "wrong-secret" in done.stdout + done.stderr) == (1, False)
