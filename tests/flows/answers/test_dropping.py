"""Laying aside what is not wanted: named orders, or what is left of a batch."""

from __future__ import annotations

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from flows.answers.dropping import dropped
from flows.answers.todo import to_do
from tasks.engine.resources import Resources
from tests.connectors.ledger.plans import intents, plan
from tests.flows.answers.test_todo import WEEK


def held(resources: Resources, *refs: str) -> None:
    resources.ledger.start_batch("b-1", "a.csv")
    put_rows(resources.ledger, [plan(ref, batch_id="b-1") for ref in refs])
    why = because(ReasonCode.NOT_APPROVED, by="mei")
    resources.ledger.change([OrderChange(order_ref=ref, state=OrderState.HELD, why=why) for ref in refs])


async def test_the_rest_of_a_batch_waits_no_longer_and_what_is_begun_is_passed_over(resources: Resources) -> None:
    refs = [f"A-{n}" for n in range(1, 1_201)]
    held(resources, *refs)
    resources.ledger.claim(intents("A-7"), lease=resources.lease)
    done = await dropped(resources, [], "b-1", by=" Mei  Lin ", why="too dear\nfor now.")
    assert done
    assert (done.words, done.stay) == ("1,199 orders dropped", {})
    assert [one.order_ref for one in to_do(resources.ledger, refused_for=WEEK)] == ["A-7"]
    said = (
        "not wanted any more, says Mei Lin: too dear for now; a run that starts after that and names it plans it anew"
    )
    assert resources.ledger.orders(["A-1"])["A-1"].reason == said


async def test_a_named_order_that_stays_says_why(resources: Resources) -> None:
    held(resources, "A-1", "A-2")
    resources.ledger.claim(intents("A-2"), lease=resources.lease)
    done = await dropped(resources, [" A-1", "A-2", ""], "", by="", why="")
    assert done
    assert (done.words, [*done.stay]) == ("1 order dropped, 1 stays", ["A-2"])


async def test_nothing_named_is_nothing_done(resources: Resources) -> None:
    assert await dropped(resources, ["", " "], "no such batch", by="mei", why="") is None
