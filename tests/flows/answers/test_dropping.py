"""Laying aside what is not wanted: named orders, or what is left of a batch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from domain import decisions
from domain.after_sale import RefundState
from domain.effects import EffectStatus
from domain.reasons import ReasonCode, because
from domain.request_remarks import BadInput
from domain.states import OrderState
from flows.answers.dropping import dropped
from flows.answers.todo import to_do
from flows.prefect_ui.todo_artifact import what_waits
from tasks.engine.resources import Resources
from tests.connectors.ledger.plans import intents, plan
from tests.flows.answers.test_todo import WEEK
from tests.flows.plans import planned
from tests.tasks.test_callback_handling import REFUND, ordered
from tests.verdicts import in_these_words

TOMORROW = datetime(2026, 3, 21, tzinfo=UTC)


def held(resources: Resources, *refs: str) -> None:
    resources.ledger.start_batch("b-1", "a.csv")
    put_rows(resources.ledger, [plan(ref, batch_id="b-1") for ref in refs])
    reason = because(ReasonCode.NOT_APPROVED, by="mei")
    resources.ledger.change(
        [OrderChange(order_ref=ref, state=OrderState.HELD, why=reason) for ref in refs]
    )


async def test_the_rest_of_a_batch_waits_no_longer_and_what_is_begun_is_passed_over(
    resources: Resources,
) -> None:
    refs = [f"A-{n}" for n in range(1, 1_201)]
    held(resources, *refs)
    resources.ledger.claim(intents("A-7"), lease=resources.lease)
    done = await dropped(
        resources, [], "b-1", by=" Mei  Lin ", why="too dear\nfor now."
    )
    assert done
    assert (done.words, done.stay) == ("1,199 orders dropped", {})
    assert [entry.order_ref for entry in to_do(resources.ledger, refused_for=WEEK)] == [
        "A-7"
    ]
    message = "not wanted any more, says Mei Lin: too dear for now; a later run that asks, and names it, plans it anew"
    assert resources.ledger.orders(["A-1"])["A-1"].reason == message


async def test_a_named_order_that_stays_says_why(resources: Resources) -> None:
    held(resources, "A-1", "A-2")
    resources.ledger.claim(intents("A-2"), lease=resources.lease)
    done = await dropped(resources, [" A-1", "A-2", ""], "", by="", why="")
    assert done
    assert (done.words, [*done.stay]) == ("1 order dropped, 1 stays", ["A-2"])


async def test_nothing_named_is_nothing_done(resources: Resources) -> None:
    with pytest.raises(BadInput, match="name an order, or a batch"):
        await dropped(resources, ["", " "], "no such batch", by="mei", why="")


class Forms:
    """Prefect's server with the forms that a page links to."""

    forms = (
        "approve-batch",
        "drop-orders",
        "resolve-order",
        "return-parcel",
        "finish-open",
    )

    async def read_deployments(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name, id=uuid4()) for name in self.forms]


@pytest.mark.parametrize(
    "count", [300, pytest.param(5_000, marks=pytest.mark.endurance)]
)
async def test_what_is_urgent_is_seen_first_and_alone_once_the_rest_is_laid_aside(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Thousands held, six unknown, a return that is due and an approval: each with its
    link before its reason.
    """
    monkeypatch.setenv("PREFECT_UI_URL", "http://ui")
    refs = [f"A-{n}" for n in range(count)]
    held(resources, *refs)
    put_rows(
        resources.ledger,
        [plan(ref, batch_id="b-1") for ref in ("R-1", *(f"U-{n}" for n in range(6)))],
    )
    for n in range(6):
        record = resources.ledger.claim(intents(f"U-{n}"), lease=resources.lease).won[
            f"U-{n}"
        ]
        change = OrderChange(
            order_ref=f"U-{n}",
            state=OrderState.UNKNOWN,
            why=in_these_words("no answer"),
        )
        resources.ledger.record(
            [Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=change)]
        )
    ordered(
        resources, "R-1", "71", OrderState.PAID, OrderState.BOOKED, OrderState.REFUNDING
    )
    resources.ledger.refunds.put(
        replace(REFUND, order_ref="R-1", state=RefundState.TO_RETURN, deadline=TOMORROW)
    )

    waits = because(ReasonCode.WAITS_FOR_APPROVAL)
    resources.ledger.start_batch("b-2", "file.csv")
    resources.ledger.put_plans(
        [planned("P-1").with_verdict(decisions.held(waits))], "b-2"
    )

    async def seen() -> tuple[list[str], str]:
        text, summary = await what_waits(cast(Any, Forms()), resources.ledger)
        return [
            line.partition("<br>")[0]
            for line in text.splitlines()
            if line.startswith("- ")
        ], summary

    items, summary = await seen()
    names = [item.split("**")[1] for item in items]
    assert (sorted(names[:6]), names[6:8]) == (
        [f"U-{n}" for n in range(6)],
        ["R-1", "P-1"],
    )
    assert len(items) == 9
    assert items[8].startswith(
        f"- **A-0, A-1, A-10 and {count - 3:,} more of b-1** · held · [not wanted](http://ui/"
    )
    leads = [
        *["[answer]("] * 6,
        "[name the parcel](",
        "[approve or refuse](",
        "[not wanted](",
    ]
    assert [lead in item for lead, item in zip(leads, items, strict=True)] == [True] * 9
    assert summary.startswith(
        f"{count + 8:,} things wait for you: {count:,} held, 6 unknown"
    )

    assert await dropped(resources, [], "b-1", by="mei", why="") is not None
    assert [item.split("**")[1] for item in (await seen())[0]] == names[:8]
