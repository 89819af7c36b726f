"""Orders of the account that may be ours without showing it: asked about once; a ledger
that bought there is warned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from connectors.ledger.marks import RESTORED, Note
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.schema import marks
from connectors.marketplaces import Offering
from domain.absence import Misread, Reading
from domain.effects import EffectStatus
from domain.marketplace import Marketplace
from domain.orders import OrderRequest, marketplaces_of
from domain.plan import PlannedOrder
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from domain.witnessed import Lack
from flows.batch import plan_sources
from flows.batch.planning import Take
from flows.batch.sorting import find_unrecorded
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.answers.test_resolve import FakeChannel
from tests.flows.plans import planned

REQUEST: OrderRequest = replace(
    planned("A-9").request, marketplace=Marketplace.ALIBABA_1688
)


@pytest.fixture
def channel(resources: Resources) -> FakeChannel:
    fake = FakeChannel()
    resources.offerings[Marketplace.ALIBABA_1688] = Offering(
        cast(Any, fake), cast(Any, None)
    )
    return fake


async def why(resources: Resources) -> str:
    """Why A-9 is held; empty when nothing speaks against ordering it."""
    verdicts = (await find_unrecorded(resources, marketplaces_of([REQUEST]))).values()
    assert all(verdict.state is OrderState.HELD for verdict in verdicts)
    return "".join(str(verdict.why) for verdict in verdicts)


def bought(
    resources: Resources, order_ref: str, order_id: str, *, days_ago: float = 1
) -> None:
    """An order of ours at 1688 that this ledger knows."""
    put_rows(resources.ledger, [plan(order_ref, marketplace="1688")])
    record = resources.ledger.claim(intents(order_ref), lease=resources.lease).won[
        order_ref
    ]
    at = resources.clock() - timedelta(days=days_ago)
    columns = Columns({"order_id": order_id, "ordered_at": at})
    change = OrderChange(order_ref=order_ref, state=OrderState.ORDERED, writes=columns)
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)]
    )


async def test_an_empty_account_asks_nothing(
    resources: Resources, channel: FakeChannel
) -> None:
    """Nothing is listed, or only what was closed: nothing could be ours."""
    assert await why(resources) == ""
    channel.show("5", ServiceStatus.CLOSED, reference="")
    assert await why(resources) == ""


@pytest.mark.parametrize("reference", ["", "S-1"])
async def test_a_new_ledger_asks_once(
    resources: Resources, channel: FakeChannel, clock: MovableClock, reference: str
) -> None:
    """Its orders are held until a person has looked and said so; what was ordered by
    then is answered for.
    """
    channel.show("5", ServiceStatus.UNPAID, reference=reference, created_at=clock.now)
    words = await why(resources)
    assert "(5): one may be this order, bought with another ledger" in words
    assert words.endswith("say once that no other is ours: sourcing confirm 1688")
    resources.ledger.marks.note(Note.KNOWN.at(Marketplace.ALIBABA_1688), "", by="ann")
    assert await why(resources) == ""
    clock.advance(60)
    channel.show("6", ServiceStatus.UNPAID, reference="", created_at=clock.now)
    assert "orders of unknown origin without reference (6)" in await why(resources)


async def test_a_restored_ledger_that_was_confirmed_as_a_whole_answers_for_no_account(
    resources: Resources, channel: FakeChannel
) -> None:
    """Whoever confirmed it may have looked at another marketplace."""
    with resources.ledger.transaction() as connection:
        row = {
            "name": RESTORED,
            "at": resources.clock(),
            "by": "ann",
            "words": "was restored",
        }
        connection.execute(
            marks.insert().values(**row, ended_at=resources.clock(), ended_by="ann")
        )
    channel.show("5", ServiceStatus.UNPAID, reference="S-1")
    assert "(5): one may be this order" in await why(resources)


async def test_one_order_that_shows_its_reference_answers_for_all(
    resources: Resources, channel: FakeChannel
) -> None:
    """Then what shows none has none: a person's at the console."""
    bought(resources, "A-1", "77")
    channel.show("5", ServiceStatus.UNPAID, reference="")
    channel.show("77", ServiceStatus.UNPAID, reference="")
    assert "orders of unknown origin without reference (5)" in await why(resources)
    channel.show("77", ServiceStatus.UNPAID, reference="", own_id="A-1")
    assert await why(resources) == ""


async def test_a_list_that_shows_no_newest_order_of_ours_may_hide_younger_ones(
    resources: Resources, channel: FakeChannel
) -> None:
    """A page that repeats itself, or a ledger that was put back: what was bought since
    is between the two.
    """
    bought(resources, "A-1", "77")
    channel.show("5", ServiceStatus.UNPAID, reference="S-1")
    assert "nothing shows an older order of ours" in await why(resources)
    channel.show("77", ServiceStatus.UNPAID)
    assert await why(resources) == ""


async def test_a_plan_of_what_the_service_has_is_held(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its order_ref stands at an order that this ledger has forgotten."""
    channel.show("5", ServiceStatus.UNPAID, reference="A-9")
    taken: list[PlannedOrder] = []

    async def plan_each(
        _resources: Resources, _requests: Any, take: Take, **_: Any
    ) -> None:
        await take([replace(planned("A-9"), request=REQUEST)])

    async def take(plans: Sequence[PlannedOrder]) -> None:
        taken.extend(plans)

    monkeypatch.setattr(plan_sources, "plan_each", plan_each)
    await plan_sources.FromRequests([REQUEST], "file.csv").plan(
        resources, [REQUEST], take, anew=False
    )
    (plan,) = taken
    assert not plan.is_fine
    assert "the service already has order 5" in str(plan.why)


@pytest.mark.parametrize(
    "values",
    [
        {"lacks": Lack.WHOLE_LIST},
        {"lacks": Lack.READABLE_ROWS},
        {"unbroken": False, "ended": False},
    ],
)
async def test_a_list_with_a_flaw_answers_for_nothing(
    resources: Resources,
    channel: FakeChannel,
    values: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bought(resources, "A-1", "77")
    channel.show("77", ServiceStatus.UNPAID)
    honest = channel.find

    async def find(*given: Any, **named: Any) -> Reading:
        return replace(await honest(*given, **named), **values)

    monkeypatch.setattr(channel, "find", find)
    assert "but the order list " in await why(resources)


@pytest.mark.parametrize(
    ("row", "doubt"),
    [
        (Misread(field="totalAmount", order_id="9", names=("a colleague's",)), ""),
        (Misread(field="totalAmount", order_id="77"), ""),
        (
            Misread(field="totalAmount", order_id="9"),
            "rows that can't be read (9, `totalAmount`)",
        ),
        (
            Misread(field="id"),
            "rows that can't be read (a row without a readable id, `id`)",
        ),
        (
            Misread(field="totalAmount", order_id="9", names=("A-9",)),
            "shows A-9 as 9, `totalAmount`, A-9",
        ),
    ],
)
async def test_a_row_that_does_not_fit_stops_what_it_may_be(
    resources: Resources,
    channel: FakeChannel,
    clock: MovableClock,
    row: Misread,
    doubt: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order of somebody else in the same account stops nothing; any other is named,
    until a person has looked.
    """
    bought(resources, "A-1", "77")
    channel.show("77", ServiceStatus.UNPAID, own_id="A-1")
    honest = channel.find
    told = [row]

    async def find(*given: Any, **named: Any) -> Reading:
        return replace(
            await honest(*given, **named), lacks=Lack.READABLE_ROWS, misread=told
        )

    monkeypatch.setattr(channel, "find", find)
    words = await why(resources)
    assert (doubt in words) if doubt else words == ""
    told[:] = [replace(row, created_at=clock.now)]
    resources.ledger.marks.note(Note.KNOWN.at(Marketplace.ALIBABA_1688), "", by="ann")
    assert (await why(resources) == "") is (row.names != ("A-9",))
