"""The artifact of what waits: links that lead on, a bound, and written only when
something has changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch
from urllib.parse import unquote
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import ArtifactCollection, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from domain.after_sale import RefundKind, RefundState, standing
from domain.reasons import ReasonCode
from domain.states import OrderState
from flows.answers.todo import ToDo
from flows.prefect_ui.todo_artifact import (
    _newest,
    as_markdown,
    links_of,
    refresh,
    row_of,
    summary_of,
)
from tests.clock import MovableClock
from tests.connectors.ledger.plans import plan
from tests.domain.test_after_sale import refund
from tests.verdicts import in_these_words

ID = UUID("0192d9a0-0000-7000-8000-000000000001")
FORMS = dict.fromkeys(
    (
        "buy-from-file",
        "resolve-order",
        "request-refund",
        "return-parcel",
        "cancel-orders",
        "confirm-marketplace",
        "finish-open",
    ),
    ID,
)
AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
REF = "%7B%22order_ref%22%3A%20%22A-1%22%7D"
FORM = f"http://ui/v2/deployments/deployment/{ID}/run"


@pytest.fixture(autouse=True)
def ui() -> Iterator[None]:
    with patch.dict(os.environ, {"PREFECT_UI_URL": "http://ui"}):
        yield


def todo(
    state: str,
    *commands: str,
    reason: str = "why",
    advice: str = "",
    batch_id: str = "b-1",
) -> ToDo:
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
    ("one", "told"),
    [
        (
            replace(todo("held", "sourcing run a.csv"), file="a.csv"),
            f"held · [run it again]({FORM}?parameters=%7B%22requests%22%3A%20%7B%22file%22%3A%20%22a.csv%22%7D%7D)"
            "<br>why · `sourcing run a.csv`",
        ),
        (
            todo(
                "unknown",
                "sourcing resolve A-1 paid AMOUNT_CNY",
                "sourcing resolve A-1 not-paid",
            ),
            f"unknown · [answer]({FORM}?parameters={REF}) · "
            f"[read its batch again]({FORM}?parameters=%7B%22batch%22%3A%20%22b-1%22%7D)"
            "<br>why · `sourcing resolve A-1 paid AMOUNT_CNY` · `sourcing resolve A-1 not-paid`",
        ),
        (
            todo("refunding", "sourcing return A-1 --company CODE --number NUMBER"),
            f"refunding · [name the parcel]({FORM}?parameters={REF})"
            "<br>why · `sourcing return A-1 --company CODE --number NUMBER`",
        ),
        (
            todo("faulty file", advice="mend it", batch_id=""),
            "faulty file<br>why · mend it",
        ),
    ],
)
def test_each_item_leads_to_the_form_first_and_has_its_command_behind_the_reason(
    one: ToDo, told: str
) -> None:
    """What only a person can tell is never filled in."""
    item = row_of([one], one.reason, FORMS, "Asia/Shanghai")
    assert item == f"- **A-1** · {told} · since 2026-03-20 20:00"


def test_the_code_of_a_reason_brings_its_form_and_the_words_stay_in_their_item() -> (
    None
):
    to_do = replace(
        todo("held", reason="paid | closed"), reason_code=ReasonCode.PAID_BEFORE_CLOSED
    )
    reason = "paid ｜ closed"
    item = row_of([to_do], to_do.reason, FORMS, "UTC")
    assert item.startswith("- **A-1** · held · [ask for the money](")
    assert f"<br>{reason} · " in item


def test_the_form_that_asks_again_is_filled_in_with_what_was_refused() -> None:
    refused = standing(
        refund(RefundState.REFUSED, kind=RefundKind.RETURN, part="2", lines=(2,))
    )
    to_do = replace(
        todo("refunding"), reason_code=refused.code, reason_facts=refused.facts
    )
    [(_, address)] = links_of([to_do], FORMS)
    assert json.loads(unquote(address.partition("parameters=")[2])) == {
        "order_ref": "A-1",
        "kind": "return",
        "lines": [2],
        "amount_cny": "30.00",
    }


@pytest.mark.parametrize(
    ("one", "named"),
    [
        (todo("held", "sourcing confirm taobao"), ["confirm the marketplace"]),
        (
            replace(todo("held"), reason_code=ReasonCode.PRICE_FAR_BELOW_LIMIT),
            ["confirm the marketplace"],
        ),
        (
            replace(todo("held"), reason_code=ReasonCode.MAY_BE_THERE),
            ["answer", "confirm the marketplace"],
        ),
    ],
)
def test_what_is_to_be_confirmed_of_a_marketplace_leads_to_its_form(
    one: ToDo, named: list[str]
) -> None:
    links = links_of([one], FORMS)
    assert [name for name, _ in links] == named
    assert unquote(links[-1][1]).endswith('?parameters={"marketplace": "taobao"}')


def test_without_a_ui_there_are_commands_and_no_dead_links() -> None:
    with patch.dict(os.environ, {"PREFECT_UI_URL": "", "PREFECT_API_URL": ""}):
        row = row_of([todo("held", "sourcing run a.csv")], "why", FORMS, "UTC")
    assert (
        row == "- **A-1** · held<br>why · `sourcing run a.csv` · since 2026-03-20 12:00"
    )


def test_what_is_held_of_a_batch_for_one_reason_is_one_row_that_lays_it_aside() -> None:
    """With the commands that help all of them; by name while the link stays short, else
    by the batch.
    """
    forms = {**FORMS, "drop-orders": ID}
    to_dos = [
        replace(
            todo("held", "sourcing run a.csv", f"sourcing x A-{n}"), order_ref=f"A-{n}"
        )
        for n in range(1, 5)
    ]
    row = row_of(to_dos, "why", forms, "UTC")
    assert row.startswith(
        "- **A-1, A-2, A-3 and 1 more of b-1** · held · [not wanted]("
    )
    named = "%7B%22order_refs%22%3A%20%5B%22A-1%22%2C%20%22A-2%22%2C%20%22A-3%22%2C%20%22A-4%22%5D%7D"
    assert (
        f"[not wanted]({FORM}?parameters={named})<br>why · `sourcing run a.csv` · since"
        in row
    )
    assert (
        f"[not wanted]({FORM}?parameters=%7B%22batch%22%3A%20%22b-1%22%7D)"
        in row_of(to_dos * 6, "why", forms, "UTC")
    )
    assert "not wanted" not in row_of([todo("unknown")], "why", forms, "UTC")


def test_a_table_says_how_many_more_there_are() -> None:
    message = as_markdown(["| row |"] * 1_000, ["held"] * 1_200, 200, "UTC")
    assert message.startswith(
        "**1,200 things wait for you: 1,200 held.** The most urgent first, then the oldest"
    )
    assert message.endswith(
        "**And 200 more**, which can wait longer. All of them: `sourcing todo --json`"
    )
    assert (
        summary_of(["held", "waits for approval"])
        == "2 things wait for you: 1 held, 1 waits for approval"
    )


@pytest.fixture
def ledger(tmp_path: Path, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock, owner="test"
    ) as ledger:
        ledger.start_batch("b-1", "a.csv")
        put_rows(ledger, [plan("A-1", batch_id="b-1"), plan("A-2", batch_id="b-1")])
        yield ledger


def held(ledger: Ledger, ref: str) -> None:
    ledger.change(
        [
            OrderChange(
                order_ref=ref, state=OrderState.HELD, why=in_these_words("too dear")
            )
        ]
    )


async def _end_what_waits(client: PrefectClient) -> None:
    """What a test before has left on the server."""
    paused = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
    )
    for run in await client.read_flow_runs(flow_run_filter=paused):
        await client.set_flow_run_state(run.id, Cancelled(), force=True)


async def test_it_is_written_when_what_waits_has_changed_and_only_then(
    ledger: Ledger, prefect_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One artifact that is written over; one that was deleted comes back."""
    with temporary_settings({PREFECT_API_URL: prefect_url}):
        async with get_client() as client:

            async def newest() -> ArtifactCollection:
                artifact_collection = await _newest(client, "what-waits")
                assert artifact_collection
                return artifact_collection

            await _end_what_waits(client)
            assert await refresh(client, ledger)
            first = await newest()
            assert str(first.description).startswith("Nothing waits for you")
            assert not await refresh(client, ledger)
            held(ledger, "A-1")
            assert await refresh(client, ledger)
            second = await newest()
            assert (second.latest_id, second.description) == (
                first.latest_id,
                "1 thing waits for you: 1 held",
            )
            assert "- **A-1** · held<br>too dear · " in str(second.data)
            await client.delete_artifact(second.latest_id)
            held(ledger, "A-2")
            assert await refresh(client, ledger)
            assert (await newest()).description == "2 things wait for you: 2 held"
