"""Orders of the account that may be ours without showing it: asked about once; a ledger that bought there is warned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.xportcn.offering import Offering
from domain.effects import EffectStatus
from domain.marketplace import Marketplace
from domain.orders import OrderRequest
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from tasks.resources import Resources
from tasks.unrecorded import Unrecorded, find_unrecorded
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.plans import planned
from tests.tasks.test_resolve import FakeChannel

REQUEST: OrderRequest = replace(planned("A-9").request, marketplace=Marketplace.ALIBABA_1688)


@pytest.fixture
def channel(resources: Resources) -> FakeChannel:
    fake = FakeChannel()
    resources.offerings[Marketplace.ALIBABA_1688] = Offering(cast(Any, fake), cast(Any, None))
    return fake


async def test_an_empty_account_asks_nothing(resources: Resources, channel: FakeChannel) -> None:
    """Nothing is listed, or only what was closed: nothing could be ours."""
    assert await find_unrecorded(resources, [REQUEST]) == Unrecorded()
    channel.show("5", ServiceStatus.CLOSED, reference="")
    assert await find_unrecorded(resources, [REQUEST]) == Unrecorded()


async def test_a_new_ledger_asks_once(resources: Resources, channel: FakeChannel) -> None:
    """Its orders are held until a person has looked and said so; after that it is told, and goes on."""
    channel.show("5", ServiceStatus.UNPAID, reference="")
    (why,) = (await find_unrecorded(resources, [REQUEST])).reasons.values()
    assert why.state is OrderState.HELD
    assert why.reason.startswith("the service lists 1 order without a reference that this ledger does not know (5): ")
    assert why.reason.endswith("say once that no other is ours: sourcing ledger confirm 1688")
    resources.ledger.marks.confirm(Marketplace.ALIBABA_1688, by="ann")
    assert await find_unrecorded(resources, [REQUEST]) == Unrecorded(
        warnings=[
            "1688: the service lists 1 order without a reference that this ledger does not know (5); whether one is an "
            "order of ours can't be told"
        ]
    )


async def test_one_order_that_shows_its_reference_answers_for_all(resources: Resources, channel: FakeChannel) -> None:
    """Then what shows none has none: a person's at the console."""
    put_rows(resources.ledger, [plan("A-1", marketplace="1688")])
    record = resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"]
    change = OrderChange(order_ref="A-1", state=OrderState.ORDERED, writes=Columns({"order_id": "77"}))
    resources.ledger.record([Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)])
    channel.show("5", ServiceStatus.UNPAID, reference="")
    channel.show("77", ServiceStatus.UNPAID, reference="")
    assert len((await find_unrecorded(resources, [REQUEST])).warnings) == 1
    channel.show("77", ServiceStatus.UNPAID, reference="", own_id="A-1")
    assert await find_unrecorded(resources, [REQUEST]) == Unrecorded()
