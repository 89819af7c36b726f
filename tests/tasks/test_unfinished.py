"""A run that ends before its work did: what it tries again, and what it says of the
rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.ledger.plans import take_back
from connectors.ledger.records import OrderChange
from domain.decisions import postponed
from domain.holds import GOES_ON, Pause
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from flows.batch import follow_up, run
from flows.batch.plan_sources import FromRequests
from flows.batch.planning import Take
from flows.batch.run import BatchRun
from tasks.engine.resources import Resources
from tests.connectors.ledger.plans import Columns
from tests.flows.plans import planned
from tests.history import all_orders
from tests.verdicts import in_these_words

REQUESTS = [planned(ref).request for ref in ("A-1", "A-2")]


class Plans(FromRequests):
    """Plans of which the first `fails` looks bring nothing for A-2."""

    def __init__(self, fails: int) -> None:
        super().__init__(REQUESTS, "file.csv")
        self.fails = fails
        self.asked: list[list[str]] = []

    async def plan(
        self,
        resources: Resources,
        requests: Sequence[OrderRequest],
        take: Take,
        *,
        anew: bool,
    ) -> None:
        self.asked.append([one.order_ref for one in requests])
        failed = len(self.asked) <= self.fails
        trouble = postponed(in_these_words("could not be previewed (no answer)"))
        plans = [
            PlannedOrder(request=one).with_verdict(trouble)
            if failed and one.order_ref == "A-2"
            else planned(one.order_ref)
            for one in requests
        ]
        await take(plans)


@pytest.fixture
def executed(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is executed: each order that is planned becomes ordered, and nothing further
    happens to it.
    """
    rounds: list[list[str]] = []

    async def execute(_: Resources, refs: Sequence[str], *__: Any, **___: Any) -> None:
        rounds.append([*refs])
        orders = resources.ledger.orders(refs).values()
        fresh = [one.order_ref for one in orders if one.state is OrderState.PLANNED]
        resources.ledger.change(
            [OrderChange(order_ref=ref, state=OrderState.ORDERED) for ref in fresh]
        )

    async def nothing(*_: Any, **__: Any) -> list[PlannedOrder]:
        return []

    async def snapshot(*_: Any) -> str:
        return "batch"

    monkeypatch.setattr(run, "execute", execute)
    monkeypatch.setattr(run, "estimate_unbooked", nothing)
    monkeypatch.setattr(run, "write_tables", snapshot)
    return rounds


async def test_what_could_not_be_looked_up_is_planned_once_more(
    resources: Resources, executed: list[list[str]]
) -> None:
    """The other goes on at once; at the end both get the second chance: the one is
    bought, the other paid.
    """
    plans = Plans(fails=1)
    report = await BatchRun(resources, "batch", plans).buy(ask=False)
    assert plans.asked == [["A-1", "A-2"], ["A-2"]]
    assert executed == [["A-1"], ["A-1", "A-2"]]
    assert report.counts == {"ordered": 2}
    assert report.broken_off == ""


async def test_what_a_person_wanted_cancelled_while_its_create_was_unknown_is_bought_anew_by_no_night(
    resources: Resources, executed: list[list[str]]
) -> None:
    """It was not ordered after all, so it is planned again, as one that never began."""
    take_back(resources.ledger, ["A-1"])
    await BatchRun(resources, "batch", Plans(fails=0)).buy(ask=False)
    held = resources.ledger.orders(["A-1"])["A-1"]
    assert (held.state, held.plan_hash, executed[0]) == (OrderState.HELD, None, ["A-2"])
    assert (
        held.reason
        == "not approved: run it without --yes, or from the Prefect UI, to be asked"
    )


async def test_what_is_planned_later_counts_to_the_approval_limit_with_what_the_yes_allowed_before(
    resources: Resources, executed: list[list[str]]
) -> None:
    """20.00 CNY in all against 19.99: not by the yes given beforehand, in however many
    parts they are planned.
    """
    resources.settings = resources.settings.model_copy(
        update={"approval_limit_cny": "19.99"}
    )
    await BatchRun(resources, "batch", Plans(fails=1)).buy(ask=False)
    later = resources.ledger.orders(["A-2"])["A-2"]
    assert (later.state, later.plan_hash, executed) == (
        OrderState.HELD,
        None,
        [["A-1"], ["A-1"]],
    )
    assert later.reason.startswith(
        "not approved: its goods and postage of 20.00 CNY, with what its batch was allowed before, are above the "
        "approval limit of 19.99 CNY (SOURCING_APPROVAL_LIMIT_CNY). Run it without --yes"
    )


async def test_what_the_next_night_plans_counts_to_the_approval_limit_with_what_the_last_one_bought(
    resources: Resources, executed: list[list[str]]
) -> None:
    """The limit is for the batch, in however many runs it is planned."""
    resources.settings = resources.settings.model_copy(
        update={"approval_limit_cny": "19.99"}
    )
    await BatchRun(resources, "batch", Plans(fails=9)).buy(ask=False)
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"order_id": "77"}))]
    )
    await BatchRun(resources, "batch", Plans(fails=0)).buy(ask=False)
    later = resources.ledger.orders(["A-2"])["A-2"]
    assert (later.state, later.plan_hash, executed[-1]) == (
        OrderState.HELD,
        None,
        ["A-1"],
    )
    assert later.reason.startswith(
        "not approved: its goods and postage of 20.00 CNY, with what its batch was allowed"
    )


async def test_an_order_that_always_fails_says_who_plans_it_next(
    resources: Resources, executed: list[list[str]]
) -> None:
    """Twice and no more; it is no question for a person, so it is not held, and it is
    never bought on.
    """
    plans = Plans(fails=9)
    report = await BatchRun(resources, "batch", plans).buy(ask=False)
    assert len(plans.asked) == 2
    assert all("A-2" not in refs for refs in executed)
    left = resources.ledger.orders(["A-2"])["A-2"]
    words = "could not be previewed (no answer)"
    assert (left.state, left.reason, left.plan_hash) == (
        OrderState.PLANNED,
        words,
        None,
    )
    assert not report.all_fine


async def test_after_its_time_a_run_tries_nothing_again(
    resources: Resources, executed: list[list[str]]
) -> None:
    """The time was up while it planned: one line for all, and each order says how far
    it came.
    """
    plans = Plans(fails=1)
    resources.done_by = datetime(2020, 1, 1, 6, 0, tzinfo=UTC)
    report = await BatchRun(resources, "batch", plans).buy(ask=False)
    assert plans.asked == [["A-1", "A-2"]]
    assert report.broken_off == (
        "It was to be done by 2020-01-01 06:00 UTC: 2 orders are left, 1 ordered, 1 planned"
    )
    assert {
        ref: one.reason for ref, one in resources.ledger.orders(["A-1", "A-2"]).items()
    } == {
        "A-1": "left as it is, since the time was up: run again, or: sourcing finish",
        "A-2": "not looked up yet (the time was up)",
    }


async def test_what_a_pause_leaves_goes_on_when_buying_is_resumed(
    resources: Resources, executed: list[list[str]]
) -> None:
    resources.ledger.pause_buying("mei")
    await BatchRun(resources, "batch", Plans(fails=0)).buy(ask=False)
    left = resources.ledger.orders(["A-1"])["A-1"]
    assert (
        left.reason.rpartition(" by mei. ")[2],
        left.plan_hash is not None,
        executed,
    ) == (GOES_ON, True, [])


async def test_a_dry_run_that_could_not_look_up_everything_is_not_fine(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3, although both are told as planned."""

    async def snapshot(*_: Any) -> str:
        return "batch-plan"

    monkeypatch.setattr(run, "snapshot_plan", snapshot)
    whole = await BatchRun(resources, "batch", Plans(fails=1)).plan_only()
    assert (whole.counts, whole.all_fine) == ({"planned": 2}, True)
    part = await BatchRun(resources, "batch", Plans(fails=2)).plan_only()
    assert (part.counts, part.all_fine) == ({"planned": 2}, False)
    assert part.plans[1].reason == "could not be previewed (no answer)"
    assert replace(part, plans=whole.plans).all_fine


async def test_a_doubt_stands_before_a_pause(resources: Resources) -> None:
    """The pause ends, and the doubt would be forgotten with it."""
    ledger = resources.ledger
    doubt = because(ReasonCode.UNKNOWN_STATE, state="odd")
    ledger.start_batch("batch", "file.csv")
    ledger.put_plans([planned("A-1"), planned("A-2")], "batch")
    for ref, why in (("A-1", doubt), ("A-2", None)):
        ledger.change([OrderChange(order_ref=ref, state=OrderState.ORDERED, why=why)])
    resources.heed(Pause(by="ann", at=resources.clock()))
    follow_up.explain_unfinished(resources, ["A-1", "A-2"], ())
    codes = {ref: order.reason_code for ref, order in all_orders(ledger).items()}
    assert codes == {
        "A-1": ReasonCode.UNKNOWN_STATE,
        "A-2": ReasonCode.BUYING_PAUSED,
    }
