"""The artifact of what waits: links that lead on, a bound, and written only when something has changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ArtifactCollection
from prefect.settings import PREFECT_API_URL, temporary_settings

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from domain.reasons import ReasonCode, earlier
from domain.states import OrderState
from flows.answers.todo import ToDo
from flows.prefect_ui import todo_artifact
from flows.prefect_ui.todo_artifact import _newest, as_markdown, refresh, row_of, summary_of
from tests.clock import MovableClock
from tests.connectors.ledger.plans import plan

ID = UUID("0192d9a0-0000-7000-8000-000000000001")
FORMS = dict.fromkeys(
    (
        "buy-from-file",
        "resolve-order",
        "follow-after-sale",
        "request-refund",
        "return-parcel",
        "cancel-orders",
        "finish-batch",
    ),
    ID,
)
AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
FORM = f"http://ui/v2/deployments/deployment/{ID}/run"


@pytest.fixture(autouse=True)
def ui() -> Iterator[None]:
    with patch.dict(os.environ, {"PREFECT_UI_URL": "http://ui"}):
        yield


def todo(state: str, *commands: str, reason: str = "why", advice: str = "", batch_id: str = "b-1") -> ToDo:
    return ToDo(
        order_ref="A-1",
        batch_id=batch_id,
        marketplace="taobao",
        state=state,
        since=AT,
        reason=reason,
        commands=commands,
        advice=advice,
    )


@pytest.mark.parametrize(
    ("one", "what_to_do"),
    [
        (todo("held", "sourcing run a.csv"), f"[run it again]({FORM}) · `sourcing run a.csv`"),
        (todo("held", advice="paste again"), f"[run it again]({FORM}) · paste again"),
        (
            todo("unknown", "sourcing resolve A-1 --paid AMOUNT_CNY", "sourcing resolve A-1 --not-paid"),
            f"[answer]({FORM}) · [read its batch again]({FORM}?parameters=%7B%22batch%22%3A%20%22b-1%22%7D) · "
            "`sourcing resolve A-1 --paid AMOUNT_CNY` · `sourcing resolve A-1 --not-paid`",
        ),
        (
            todo("refunding", "sourcing return A-1 --company CODE --number NUMBER"),
            f"[name the parcel]({FORM}?parameters=%7B%22order_ref%22%3A%20%22A-1%22%7D) · "
            "`sourcing return A-1 --company CODE --number NUMBER`",
        ),
        (todo("faulty file", advice="mend it", batch_id=""), "mend it"),
    ],
)
def test_each_row_has_the_form_that_leads_on_and_the_command(one: ToDo, what_to_do: str) -> None:
    """What only a person can tell is never filled in."""
    assert (
        row_of([one], one.reason, FORMS, "Asia/Shanghai")
        == f"| 2026\u201103\u201120\u00a020:00 | A-1 | {one.state} | why | {what_to_do} |"
    )


def test_the_code_of_a_reason_brings_its_form_and_the_words_stay_in_their_cell() -> None:
    one = replace(todo("held", reason="paid | closed"), reason_code=ReasonCode.PAID_BEFORE_CLOSED)
    reason = "paid ｜ closed"
    assert f"| A-1 | held | {reason} | [ask for the money](" in row_of([one], one.reason, FORMS, "UTC")


def test_without_a_ui_there_are_commands_and_no_dead_links() -> None:
    with patch.dict(os.environ, {"PREFECT_UI_URL": "", "PREFECT_API_URL": ""}):
        row = row_of([todo("held", "sourcing run a.csv")], "why", FORMS, "UTC")
    assert row.endswith("| why | `sourcing run a.csv` |")


def test_what_is_held_of_a_batch_for_one_reason_is_one_row_that_lays_it_aside() -> None:
    """With the commands that help all of them; by name while the link stays short, else by the batch."""
    forms = {**FORMS, "drop-orders": ID}
    some = [replace(todo("held", "sourcing run a.csv", f"sourcing x A-{n}"), order_ref=f"A-{n}") for n in range(1, 5)]
    row = row_of(some, "why", forms, "UTC")
    assert "| A-1, A-2, A-3 and 1 more of b-1 | held | why | [run it again](" in row
    named = "%7B%22order_refs%22%3A%20%5B%22A-1%22%2C%20%22A-2%22%2C%20%22A-3%22%2C%20%22A-4%22%5D%7D"
    assert f"[not wanted]({FORM}?parameters={named}) · `sourcing run a.csv` |" in row
    assert f"[not wanted]({FORM}?parameters=%7B%22batch%22%3A%20%22b-1%22%7D)" in row_of(some * 6, "why", forms, "UTC")
    assert "not wanted" not in row_of([todo("unknown")], "why", forms, "UTC")


def test_a_table_says_how_many_more_there_are() -> None:
    told = as_markdown(["| row |"] * 1_000, ["held"] * 1_200, 200, "UTC")
    assert told.startswith("**1,200 things wait for you: 1,200 held.** The most urgent first, then the oldest")
    assert told.endswith("**And 200 more**, which can wait longer. All of them: `sourcing todo --json`")
    assert summary_of(["held", "waits for approval"]) == "2 things wait for you: 1 held, 1 waits for approval"


@pytest.fixture
def ledger(tmp_path: Path, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock, owner="test") as ledger:
        ledger.start_batch("b-1", "a.csv")
        put_rows(ledger, [plan("A-1", batch_id="b-1"), plan("A-2", batch_id="b-1")])
        yield ledger


def held(ledger: Ledger, ref: str) -> None:
    ledger.change([OrderChange(order_ref=ref, state=OrderState.HELD, why=earlier("too dear"))])


async def test_it_is_written_when_what_waits_has_changed_and_only_then(
    ledger: Ledger, prefect_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One artifact that is written over; one that was deleted comes back."""
    monkeypatch.setattr(todo_artifact, "LEAST_PAUSE_S", 0.0)
    monkeypatch.setattr(todo_artifact, "_seen", todo_artifact._Seen())
    with temporary_settings({PREFECT_API_URL: prefect_url}):
        async with get_client() as client:

            async def newest() -> ArtifactCollection:
                found = await _newest(client, "what-waits")
                assert found
                return found

            assert await refresh(client, ledger)
            first = await newest()
            assert str(first.description).startswith("Nothing waits for you")
            assert not await refresh(client, ledger)
            held(ledger, "A-1")
            assert await refresh(client, ledger)
            assert not await refresh(None, ledger)
            second = await newest()
            assert (second.latest_id, second.description) == (first.latest_id, "1 thing waits for you: 1 held")
            assert "| A-1 | held | too dear |" in str(second.data)
            await client.delete_artifact(second.latest_id)
            held(ledger, "A-2")
            assert await refresh(client, ledger)
            assert (await newest()).description == "2 things wait for you: 2 held"
