"""Which states of a run are told, in which words, and that each is told once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

from deployments.run_alerts import alerts_of
from domain.messages import Message, MessageKind
from domain.reason_codes import AGAIN
from domain.reasons import ReasonCode

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=3)


@pytest.fixture(autouse=True)
def _ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_UI_URL", "https://prefect.example.com")


def test_a_failed_run_says_why_what_to_do_and_where() -> None:
    run = _run("FAILED", message="XPORTCN_ACCESS_KEY is wrong", code=ReasonCode.RUN_SETTING_WRONG)
    (told,) = _news(run)
    assert told.cause == f"run-failed:{_id_of(run)}"
    assert told.kind is MessageKind.RUN_FAILED
    assert told.subject == "spring batch failed"
    assert told.body.splitlines() == [
        "XPORTCN_ACCESS_KEY is wrong.",
        f"What to do: correct the setting, {AGAIN}.",
        "Nothing is bought twice: the ledger knows how far the run came.",
    ]
    assert told.link == f"https://prefect.example.com/v2/runs/flow-run/{run.id}"


@pytest.mark.parametrize(
    "message",
    ["Flow run encountered an exception: KeyError: 'Mei Chen'", "String too long [input_value='Mei Chen,138']", None],
)
def test_prefects_own_words_are_not_told(message: str | None) -> None:
    """They may quote a receiver."""
    (news,) = _news(_run("FAILED", message=message))
    assert news.body.startswith("Prefect could not begin or end it; its page says why.")


def test_faults_of_a_file_are_not_quoted() -> None:
    (news,) = _news(_run("FAILED", message="row 2 quantity: Mei Chen is no number", code=ReasonCode.RUN_FILE_FAULTY))
    assert news.body.startswith("The request file has faults; nothing was sent.")
    assert "Mei Chen" not in news.body


def test_a_long_reason_is_cut() -> None:
    (news,) = _news(_run("FAILED", message="x" * 600, code=ReasonCode.RUN_LEDGER_UNUSABLE))
    assert len(news.body.splitlines()[0]) <= 502


def test_the_reason_of_an_earlier_start_is_not_that_of_this_one() -> None:
    run = _run("FAILED", message="no key", code=ReasonCode.RUN_SETTING_WRONG)
    again = run.model_copy(update={"run_count": 2})
    assert [one.body.splitlines()[0] for one in _news(again)] == [
        "Prefect could not begin or end it; its page says why."
    ]


def test_one_that_took_too_long_is_told_as_such() -> None:
    (told,) = _news(_run("FAILED", name="TimedOut"))
    assert told.body.startswith("It took too long and was ended.")


def test_a_run_that_lost_its_process_is_told_of_once_however_often_it_crashes() -> None:
    first = _run("CRASHED")
    again = first.model_copy(update={"state": _state("RUNNING"), "run_count": 2})
    told = [_news(first), _news(again, first.state), _news(again, first.state, _state("CRASHED"))]
    assert {one.cause for news in told for one in news} == {f"run-again:{first.id}"}
    assert [len(news) for news in told] == [1, 1, 1]


def test_one_whose_process_was_found_gone_is_told_of_too() -> None:
    """Killed with its server: no state says that it crashed. Recovery names its transition after the state it saw."""
    run, seen = _run("RUNNING"), _state("RUNNING")
    found = _state("SCHEDULED", name="AwaitingRetry")
    found.state_details.transition_id = seen.id
    assert [one.subject for one in _news(run, seen, found)] == ["spring batch lost its process"]


def test_who_presses_retry_needs_no_message() -> None:
    assert _news(_run("RUNNING"), _state("SCHEDULED", name="AwaitingRetry", message="Retry from the UI")) == []


def test_after_the_last_crash_somebody_has_to_look() -> None:
    run = _run("CRASHED", run_count=6)
    assert [(one.cause, one.subject) for one in _news(run)] == [
        (f"run-again:{run.id}", "spring batch lost its process"),
        (f"run-crashed:{_id_of(run)}", "spring batch crashed for good"),
    ]


@pytest.mark.parametrize(
    ("ago", "words"), [(170, []), (190, ["the automation `sourcing: run again` may be switched off"])]
)
def test_a_crashed_run_that_nobody_starts_again_is_told(ago: float, words: list[str]) -> None:
    run = _run("CRASHED", ago=ago)
    last = [one for one in _news(run) if one.cause.startswith("run-crashed:")]
    assert [word for one in last for word in words if word in one.body] == words
    assert len(last) == len(words)


def test_what_happened_before_the_watch_began_is_nobodys_news() -> None:
    failed, crashed = _run("FAILED", ago=60), _run("CRASHED", ago=60)
    assert _news(failed, since=NOW - timedelta(seconds=59)) == []
    assert _news(crashed, since=NOW - timedelta(seconds=59)) == []


def test_a_batch_of_a_night_has_no_crash_of_its_own() -> None:
    """Its night crashes with it, and is started again; but its failure may be the only one."""
    assert _news(_run("CRASHED", is_batch_of_a_night=True)) == []
    assert len(_news(_run("FAILED", is_batch_of_a_night=True))) == 1


@pytest.mark.parametrize("code", [ReasonCode.RUN_FILE_FAULTY, ReasonCode.RUN_FILE_UNREADABLE])
def test_a_file_with_faults_is_told_by_its_night(code: ReasonCode) -> None:
    faulty = _run("FAILED", message="no CSV", code=code)
    assert len(_news(faulty)) == 1
    assert _news(faulty.model_copy(update={"parent_task_run_id": uuid.uuid4()})) == []


@pytest.mark.parametrize("state", ["COMPLETED", "RUNNING", "PAUSED", "CANCELLED", "PENDING"])
def test_the_rest_is_told_by_nobody(state: str) -> None:
    assert _news(_run(state)) == []


def _run(
    kind: str,
    *,
    name: str | None = None,
    message: str | None = None,
    ago: float = 5,
    run_count: int = 1,
    is_batch_of_a_night: bool = False,
    code: ReasonCode | None = None,
) -> FlowRun:
    return FlowRun(
        name="spring batch",
        flow_id=uuid.uuid4(),
        deployment_id=None if is_batch_of_a_night else uuid.uuid4(),
        run_count=run_count,
        labels={f"sourcing.reason.{run_count}": str(code)} if code else {},
        state=_state(kind, name=name, message=message, ago=ago),
    )


def _state(kind: str, *, name: str | None = None, message: str | None = None, ago: float = 5) -> State:
    return State(
        id=uuid.uuid4(), type=StateType(kind), name=name, message=message, timestamp=NOW - timedelta(seconds=ago)
    )


def _id_of(run: FlowRun) -> uuid.UUID:
    assert run.state
    return run.state.id


def _news(run: FlowRun, *earlier: State | None, since: datetime = LONG_AGO) -> list[Message]:
    states = [one for one in (*earlier, run.state) if one]
    return list(alerts_of(run, states, since=since, now=NOW))
