"""Laying orders into carts, beside somebody who orders what lies there."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, OrderRecord, Outcome
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.states import OrderState
from tasks.create_order import fill_cart
from tasks.effects.cart import PART, part_of
from tasks.engine.resources import Resources
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.answers.test_resolve import LINE


def _given(resources: Resources) -> dict[str, OrderRecord]:
    """One order to be laid into an empty cart."""

    async def rows() -> list[Any]:
        return []

    cart = SimpleNamespace(rows=rows)
    resources.offerings[Marketplace.TAOBAO] = Offering(
        cast(Any, None), cast(Any, None), cast(Any, cart)
    )
    put_rows(
        resources.ledger, [plan("A-1", lines=[to_json(LINE)], marketplace="taobao")]
    )
    return resources.ledger.orders(["A-1"])


async def test_a_pause_between_planning_and_the_cart_says_what_to_do_after_it(
    resources: Resources,
) -> None:
    """No look goes on with a cart by itself, so nobody may be told that one does."""
    given = _given(resources)
    pause = resources.ledger.pause_buying("mei")
    await fill_cart.fn(resources, given, label="1 of 1")
    after = resources.ledger.orders(["A-1"])["A-1"]
    assert after.reason == f"not all in the cart: {pause.words}. Run again after that"
    assert resources.ledger.effects_of(["A-1"]) == []


async def test_what_was_ordered_while_a_try_waited_is_not_held_as_gone_from_the_cart(
    resources: Resources,
) -> None:
    """Its words would be: a new order_ref. That would buy it a second time."""

    given = _given(resources)
    (line,) = given["A-1"].lines
    laid = Intent(
        order_ref="A-1",
        action=Action.CART,
        amount=None,
        request_hash="h",
        part=part_of(line),
    )
    added = resources.ledger.claim([laid], lease=resources.lease).won["A-1"]
    resources.ledger.record(
        [Outcome(claim=added.claim, status=EffectStatus.DONE, answer={"row_id": "5"})]
    )
    made = replace(*intents("A-1"), part=PART)
    created = resources.ledger.claim([made], lease=resources.lease).won["A-1"]
    change = OrderChange(
        order_ref="A-1", state=OrderState.ORDERED, writes=Columns({"order_id": "77"})
    )
    resources.ledger.record(
        [Outcome(claim=created.claim, status=EffectStatus.DONE, change=change)]
    )
    await fill_cart.fn(resources, given, label="1 of 1")
    after = resources.ledger.orders(["A-1"])["A-1"]
    assert (after.state, after.reason) == (OrderState.ORDERED, "")
