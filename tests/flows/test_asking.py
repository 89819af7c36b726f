"""A question in the Prefect UI: until when it is asked, what becomes of an unclear
answer, and who is told of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import ConnectError, Request, Response
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError, TerminationSignal
from prefect.input import RunInput
from prefect.states import AwaitingRetry, Cancelling, Running, Suspended

from connectors.foreign import prefect_errors
from connectors.ledger.outbox import StoredMessage
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.plan import PlannedOrder
from domain.wording import ALL, ALL_BUT
from flows.approval import form, pause
from flows.approval.form import ask_in_the_ui
from flows.approval.pause import CancelledBelow, filled_in
from flows.approval.request import Decision
from tests.flows.plans import planned, request_for
from tests.notified import taken_messages

PLANS = [planned("A-1"), planned("A-2", fen=2500)]
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
LATER = datetime(9999, 1, 1, tzinfo=UTC)
RUN = uuid4()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: NOW, owner="test"
    ) as ledger:
        yield ledger


ENDS_WITH = {
    "dies": KeyboardInterrupt(),
    "is ended": TerminationSignal(15),
    "its child is cancelled": CancelledBelow(),
}


class Kept:
    """What Prefect's server keeps with a run: when it first asked."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.state: State = Running()
        self.states: list[State] = []

    async def __aenter__(self) -> Kept:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def read_flow_run_input(self, _run_id: UUID, key: str) -> str:
        if key in self.values:
            return self.values[key]
        request = Request("GET", "http://server")
        raise PrefectHTTPStatusError(
            "none", request=request, response=Response(404, request=request)
        )

    async def create_flow_run_input(self, _run_id: UUID, key: str, value: str) -> None:
        self.values[key] = value

    async def read_flow_run(self, run_id: UUID) -> FlowRun:
        return FlowRun(id=run_id, flow_id=run_id, state=self.state)

    async def read_flow_run_states(self, _run_id: UUID) -> list[State]:
        return self.states

    async def set_flow_run_state(
        self, _run_id: UUID, state: State, *, force: bool
    ) -> None:
        assert force
        self.state = state

    async def delete_flow_run_input(self, _run_id: UUID, key: str) -> None:
        del self.values[key]


class AskingRun:
    """A run that asks at a Prefect server, hour by hour, and what each of its forms is
    answered.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        ledger: Ledger,
        *answers: dict[str, Any] | str,
    ) -> None:
        self.kept, self.left, self.forms, self.answers = (
            Kept(),
            list[float](),
            list[type[RunInput]](),
            [*answers],
        )
        self.ledger, self.monkeypatch, self.now = ledger, monkeypatch, NOW
        monkeypatch.setenv("PREFECT__FLOW_RUN_ID", str(RUN))
        monkeypatch.setenv("PREFECT_UI_URL", "http://ui")
        monkeypatch.setattr(form, "this_run", lambda: RUN)
        monkeypatch.setattr(pause, "get_client", lambda: self.kept)
        monkeypatch.setattr(form, "filled_in", self.filled_in)

    async def filled_in(
        self, form: type[RunInput], _key: str, deadline: datetime, _no: object
    ) -> RunInput | None:
        self.left.append((deadline - self.now) / timedelta(hours=1))
        self.forms.append(form)
        answer = self.answers.pop(0)
        if isinstance(answer, str) and answer in ENDS_WITH:
            raise ENDS_WITH[answer]
        return (
            None
            if isinstance(answer, str)
            else form(**{"approved_by": "Mei", **answer})
        )

    async def at(
        self, hour: float, plans: list[PlannedOrder] = PLANS
    ) -> Decision | None:
        """The decision; None where the process dies."""
        self.now = NOW + timedelta(hours=hour)
        for module in (form, pause):
            self.monkeypatch.setattr(module, "utc_now", lambda: self.now)
        self.monkeypatch.setattr(form, "APPROVAL_TIMEOUT_S", 86_400)
        question = request_for(
            batch_id="b",
            to_buy=plans,
            to_ship=[],
            why="the run was not approved beforehand.",
        )
        try:
            return await ask_in_the_ui(question, SourcingSettings(), self.ledger)
        except (KeyboardInterrupt, TerminationSignal):
            return None


async def test_the_deadline_counts_from_the_first_question(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    """A run that is lost while it asks and asks anew 20 hours later has four of 24
    left; then nobody is asked.
    """
    asked = AskingRun(monkeypatch, book, "dies", "dies", {"decision": ALL})
    assert [await asked.at(0), await asked.at(20)] == [None, None]
    late = await asked.at(25)
    assert late is not None
    assert str(late.not_bought) == "not bought, no answer within 24 hours"
    said = await asked.at(26)
    assert said is not None
    assert (said.approved, said.by) == (["A-1", "A-2"], "Mei")
    assert (asked.left, asked.kept.values) == ([24, 4, 24], {})


async def test_a_person_s_retry_asks_anew_with_all_the_time(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    """Of a run that was cancelled while it asked, or failed. A crash that the program
    itself mends changes nothing.
    """
    asked = AskingRun(monkeypatch, book, "is ended", "is ended", {"decision": ALL})
    await asked.at(0)
    mended: State = AwaitingRetry(
        scheduled_time=NOW,
        message="Its process is gone; the ledger knows how far it came",
    )
    asked.kept.states = [
        Running(),
        mended.model_copy(update={"timestamp": NOW + timedelta(hours=20)}),
    ]
    await asked.at(20)
    retried: State = AwaitingRetry(scheduled_time=NOW, message="Retry from the UI")
    asked.kept.states += [
        retried.model_copy(update={"timestamp": NOW + timedelta(hours=30)})
    ]
    assert await asked.at(30.1)
    assert (asked.left, asked.kept.values) == ([24, 4, 24], {})


async def test_an_answer_that_is_not_clear_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    """With what was filled in; the run goes on waiting, and what was wrong stands above
    the plan.
    """
    many = [planned(f"A-{n}") for n in range(101)]
    unclear = {
        "decision": ALL_BUT,
        "orders": "A-1\nA-7\nB-9",
        "approved_by": "Mei",
        "note": "dear",
    }
    asked = AskingRun(monkeypatch, book, unclear, {**unclear, "orders": "A-1,A-7"})
    said = await asked.at(0, many)
    assert said is not None
    assert said.approved == [f"A-{n}" for n in range(101) if n not in (1, 7)]
    first, second = asked.forms
    assert "this plan has no order B-9: copy the references from the plan." in str(
        second._description
    )
    properties = second.model_json_schema()["properties"]
    assert {name: properties[name]["default"] for name in unclear} == unclear
    assert {name: about["title"] for name, about in properties.items()} == {
        name: about["title"]
        for name, about in first.model_json_schema()["properties"].items()
    }


def told_at(ledger: Ledger, hour: float) -> list[StoredMessage]:
    """What is due for a recipient by then."""
    with Ledger(
        ledger.url, clock=lambda: NOW + timedelta(hours=hour), owner="sender"
    ) as sender:
        return taken_messages(sender)


def subjects(ledger: Ledger, hour: float) -> list[str]:
    return [message.subject for message in told_at(ledger, hour)]


WAITS = "b waits for your yes: buy 2 orders for 35.00 CNY and ship 2 orders for freight of 10.00 USD"


async def test_who_is_away_is_told_and_told_that_nobody_answered(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    """Each once, also over a death meanwhile. Links lead to the run."""
    asked = AskingRun(monkeypatch, book, "dies", "dies", "silence")
    await asked.at(0)
    (waits,) = told_at(book, 1)
    assert (waits.subject, waits.link) == (WAITS, f"http://ui/v2/runs/flow-run/{RUN}")
    assert waits.body.splitlines()[-2:] == [
        "Why this is asked: the run was not approved beforehand.",
        "Answer by 2026-01-03 03:04 UTC, yes or no: open the run, then Resume at its top right. Without an answer "
        "nothing of this is bought.",
    ]
    await asked.at(2)
    assert subjects(book, 20) == []
    said = await asked.at(21)
    assert said is not None
    (silence,) = told_at(book, 24)
    assert (
        silence.subject
        == "b: not bought, no answer within 24 hours"
        == f"b: {said.not_bought}"
    )
    assert silence.body.startswith(
        "Until 2026-01-03 03:04 UTC no approval came for this: buy 2 orders for 35.00 CNY "
    )


@pytest.mark.parametrize("state", [Suspended(), Cancelling()])
async def test_a_run_that_was_stopped_on_its_page_asks_anew(
    monkeypatch: pytest.MonkeyPatch, book: Ledger, state: State
) -> None:
    """Resumed or retried, it has all the time, and its own message."""
    asked = AskingRun(monkeypatch, book, "is ended", "dies")
    asked.kept.state = state
    await asked.at(0)
    asked.kept.state = Running()
    await asked.at(1)
    assert asked.left == [24, 24]
    assert subjects(book, 1) == [WAITS, WAITS]


async def test_to_cancel_the_run_of_a_nights_batch_is_a_no(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    said = await AskingRun(monkeypatch, book, "its child is cancelled").at(0)
    assert said is not None
    assert (said.approved, str(said.not_bought)) == (
        [],
        "not approved: its run was cancelled",
    )


async def test_the_cancelled_run_of_a_nights_batch_goes_back_to_work(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    """No worker ends it, and it would stay *Cancelling* while the night waits for an
    answer.
    """
    asked = AskingRun(monkeypatch, book)
    asked.kept.state = Cancelling()

    async def for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(pause, "_given", for_ever)
    monkeypatch.setattr(pause, "this_run", uuid4)
    monkeypatch.setattr(pause, "POLL_S", 0)
    with pytest.raises(CancelledBelow):
        await filled_in(RunInput, "key", LATER, {})
    assert asked.kept.state.is_running()


async def test_a_question_is_over_as_a_machine_wakes_that_slept_through_its_deadline(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    """The clock of the loop stands while it sleeps. The pause lasts for days more: only
    so can the run be resumed.
    """
    asked, lasts, clock = (
        AskingRun(monkeypatch, book),
        list[int](),
        iter([NOW, NOW, NOW + timedelta(hours=30)]),
    )

    async def pauses(*, timeout: int, **_: object) -> None:  # noqa: ASYNC109 - Prefect's name
        lasts.append(timeout)
        await asyncio.Event().wait()

    async def resumes(_run_id: UUID, *, run_input: object) -> SimpleNamespace:
        return SimpleNamespace(status=SetStateStatus.ACCEPT, run_input=run_input)

    monkeypatch.setattr(asked.kept, "resume_flow_run", resumes, raising=False)
    monkeypatch.setattr(pause, "apause_flow_run", pauses)
    monkeypatch.setattr(pause, "this_run", lambda: RUN)
    monkeypatch.setattr(pause, "utc_now", lambda: next(clock))
    monkeypatch.setattr(pause, "POLL_S", 0)
    async with asyncio.timeout(5):
        assert await filled_in(RunInput, "key", NOW + timedelta(hours=20), {}) is None
    assert lasts == [(20 + 7 * 24) * 3600]


async def test_another_plan_is_told_again(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    asked = AskingRun(monkeypatch, book, "dies", {"decision": ALL})
    await asked.at(0)
    assert subjects(book, 0) == [WAITS]
    await asked.at(1, [planned("A-1")])
    assert len(subjects(book, 23)) == 1
    again = AskingRun(monkeypatch, book, "dies")
    await again.at(30)
    assert subjects(book, 30) == [WAITS]


async def test_a_plan_that_changed_while_nobody_answered_is_told(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    asked = AskingRun(monkeypatch, book, "dies", "dies")
    await asked.at(0)
    await asked.at(1, [planned("A-1", fen=1001)])
    dearer = "b waits for your yes: buy 1 order for 10.01 CNY and ship 1 order for freight of 5.00 USD"
    assert {*subjects(book, 1)} == {WAITS, dearer}


async def test_the_link_of_a_night_leads_to_whichever_run_asks(
    monkeypatch: pytest.MonkeyPatch, book: Ledger
) -> None:
    """A night asks in a run below it, and after a crash in another one: the link opens
    a page that names the newest.
    """
    pages = list[tuple[str, str]]()

    async def shown_page(*, key: str, markdown: str, description: str) -> None:
        assert markdown.endswith(description)
        pages.append((key, description))

    async def seen(what: str, showing: Coroutine[Any, Any, object]) -> bool:
        if what in ("the plan", "the run's name"):  # for which a server would be needed
            showing.close()
        else:
            await showing
        return True

    asked = AskingRun(monkeypatch, book, "dies", {"decision": ALL})
    monkeypatch.setattr(form, "acreate_markdown_artifact", shown_page)
    monkeypatch.setattr(form, "best_effort", seen)
    links = list[str]()
    for run_id in map(UUID, (f"{1:032x}", f"{2:032x}")):
        monkeypatch.setattr(form, "this_run", lambda run_id=run_id: run_id)
        await asked.at(0)
        links += [message.link for message in told_at(book, 0)]
    assert links == ["http://ui/v2/artifacts/key/approval-b"]
    runs = [f"[Open the run](http://ui/v2/runs/flow-run/{UUID(int=n)})" for n in (1, 2)]
    until = "**Answer by 2026-01-03 03:04 UTC.**"
    assert pages == [
        ("approval-b", f"{until} {runs[0]}, then *Resume* at its top right."),
        ("approval-b", f"{until} {runs[1]}, then *Resume* at its top right."),
        ("approval-b", f"No longer waits: Mei has answered. {runs[1]}"),
    ]


async def test_the_errors_of_prefects_client_are_those_that_a_question_waits_out() -> (
    None
):
    """Else a server that is away would end the run that asks."""
    async with PrefectClient("http://127.0.0.1:9/api") as client:
        with pytest.raises(prefect_errors()):
            await client.read_flow_run(RUN)


async def test_the_question_of_a_deleted_run_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that is away is waited for; one that does not know the run any more is
    not.
    """

    class Forgetful(Kept):
        async def read_flow_run(self, run_id: UUID) -> FlowRun:
            raise ObjectNotFound(KeyError(run_id))

    async def pauses(**_: object) -> None:
        raise ConnectError("away")

    monkeypatch.setattr(pause, "get_client", Forgetful)
    monkeypatch.setattr(pause, "apause_flow_run", pauses)
    monkeypatch.setattr(pause, "this_run", lambda: RUN)
    monkeypatch.setattr(pause, "outermost_run", lambda: RUN)
    with pytest.raises(ConnectError):
        await filled_in(RunInput, "key", LATER, {})
