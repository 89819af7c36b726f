"""A list that tells a lost order under another order's reference: the order is not
given up, so not bought twice.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.marketplaces import Offering
from domain.effects import EffectStatus
from domain.marketplace import Marketplace
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.answers.test_resolve import FakeChannel


@pytest.fixture
def channel(resources: Resources, next_run: Resources) -> FakeChannel:
    """A-1 was ordered before, as order 77; A-2 and A-3 were sent without an answer.
    Only A-2 arrived, as order 78.
    """
    fake = FakeChannel()
    for run in (resources, next_run):
        for marketplace in (Marketplace.TAOBAO, Marketplace.ALIBABA_1688):
            run.offerings[marketplace] = Offering(cast(Any, fake), cast(Any, None))
    put_rows(resources.ledger, [plan("A-3")])
    outcomes = {
        "A-1": (
            EffectStatus.DONE,
            OrderState.ORDERED,
            {"order_id": "77", "ordered_at": resources.clock() - timedelta(days=1)},
        ),
        "A-2": (EffectStatus.UNKNOWN, OrderState.UNKNOWN, {}),
        "A-3": (EffectStatus.UNKNOWN, OrderState.UNKNOWN, {}),
    }
    for ref, (status, state, columns) in outcomes.items():
        claim = (
            resources.ledger.claim(intents(ref), lease=resources.lease).won[ref].claim
        )
        change = OrderChange(order_ref=ref, state=state, writes=Columns(columns))
        resources.ledger.record([Outcome(claim=claim, status=status, change=change)])
    fake.show("77", ServiceStatus.UNPAID)
    return fake


async def settled(resources: Resources, clock: MovableClock) -> dict[str, OrderState]:
    clock.advance(10_000)
    await settle_open(resources, ["A-2", "A-3"])
    return {
        ref: order.state
        for ref, order in resources.ledger.orders(["A-2", "A-3"]).items()
    }


async def test_an_honest_list_finds_the_one_and_gives_up_the_other(
    next_run: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    channel.show("78", ServiceStatus.UNPAID, reference="A-2")
    assert await settled(next_run, clock) == {
        "A-2": OrderState.ORDERED,
        "A-3": OrderState.PLANNED,
    }


@pytest.mark.parametrize("told", ["A-1", "A-3"])
async def test_a_list_that_tells_a_lost_order_under_another_name_proves_nothing(
    next_run: Resources,
    channel: FakeChannel,
    clock: MovableClock,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under that of an order with another id, or of one that is looked for too: read by
    itself, it shows its own.
    """
    channel.show("78", ServiceStatus.UNPAID, reference=told)
    honest = FakeChannel(dict(channel.orders))
    honest.show("78", ServiceStatus.UNPAID, reference="A-2")
    monkeypatch.setattr(channel, "read", honest.read)
    assert await settled(next_run, clock) == {
        "A-2": OrderState.UNKNOWN,
        "A-3": OrderState.UNKNOWN,
    }
    channel.show("78", ServiceStatus.UNPAID, reference="A-2")
    assert await settled(next_run, clock) == {
        "A-2": OrderState.ORDERED,
        "A-3": OrderState.PLANNED,
    }
