"""Which states of runs, workers and the server make a message, in which words, and that
each makes one.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import DeploymentSchedule, FlowRun, State, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.types._datetime import DateTime

from deployments.server_watch import ALERTS, Completion, Polled, awake_since, due_after
from domain.messages import Message, MessageKind
from domain.reasons import ReasonCode
from flows.notify.outbox import Outage

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=3)
HERE = "Asia/Shanghai"


@pytest.fixture(autouse=True)
def _ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_UI_URL", "https://prefect.example.com")


def test_a_failed_run_says_why_what_to_do_and_where() -> None:
    run = _run(
        "FAILED",
        message="XPORTCN_ACCESS_KEY is wrong",
        code=ReasonCode.RUN_SETTING_WRONG,
    )
    (told,) = _news(run)
    assert told.cause == f"run-failed:{_id_of(run)}"
    assert told.kind is MessageKind.RUN_FAILED
    assert told.subject == "spring batch failed"
    assert told.body.splitlines() == [
        "XPORTCN_ACCESS_KEY is wrong.",
        "What to do: correct the setting, then press Retry on the run's page.",
    ]
    assert told.link == f"https://prefect.example.com/v2/runs/flow-run/{run.id}"


@pytest.mark.parametrize(
    "message",
    [
        "Flow run encountered an exception: KeyError: 'Mei Chen'",
        "String too long [input_value='Mei Chen,138']",
        None,
    ],
)
def test_prefects_own_words_are_not_told(message: str | None) -> None:
    """They may quote a receiver."""
    (news,) = _news(_run("FAILED", message=message))
    assert news.body.startswith("Prefect could not begin or end it; its page says why.")


def test_faults_of_a_file_are_not_quoted() -> None:
    faulty = _run(
        "FAILED",
        message="row 2 quantity: Mei Chen is no number",
        code=ReasonCode.RUN_FILE_FAULTY,
    )
    (news,) = _news(faulty.model_copy(update={"auto_scheduled": True}))
    assert news.body.startswith("The file has faults; nothing was sent.")
    assert "Mei Chen" not in news.body


def test_a_long_reason_is_cut() -> None:
    (news,) = _news(
        _run("FAILED", message="x" * 600, code=ReasonCode.RUN_LEDGER_UNUSABLE)
    )
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


def test_one_that_was_paused_and_not_resumed_is_told_as_such() -> None:
    """The button of its page promises that it goes on by itself."""
    earlier = [_state("PAUSED", name="Suspended", ago=300), _state("RUNNING", ago=900)]
    (told,) = _news(
        _run("FAILED", message="The flow was paused and never resumed."), *earlier
    )
    assert told.body.startswith(
        "It was paused on its page and not resumed in time; it does not go on by itself."
    )


def test_a_run_that_lost_its_process_is_told_of_once_however_often_it_crashes() -> None:
    first = _run("CRASHED")
    again = first.model_copy(update={"state": _state("RUNNING"), "run_count": 2})
    told = [
        _news(first),
        _news(again, first.state),
        _news(again, first.state, _state("CRASHED")),
    ]
    assert {one.cause for news in told for one in news} == {f"run-again:{first.id}"}
    assert [len(news) for news in told] == [1, 1, 1]


def test_one_whose_process_was_found_gone_is_told_of_too() -> None:
    """Killed with its server: no state says that it crashed. Recovery names its
    transition after the state it saw.
    """
    run, seen = _run("RUNNING"), _state("RUNNING")
    found = _state("SCHEDULED", name="AwaitingRetry")
    found.state_details.transition_id = seen.id
    assert [one.subject for one in _news(run, seen, found)] == [
        "spring batch lost its process"
    ]


def test_who_presses_retry_needs_no_message() -> None:
    assert (
        _news(
            _run("RUNNING"),
            _state("SCHEDULED", name="AwaitingRetry", message="Retry from the UI"),
        )
        == []
    )


def test_after_the_last_crash_somebody_has_to_look() -> None:
    run = _run("CRASHED", run_count=6)
    assert [(one.cause, one.subject) for one in _news(run)] == [
        (f"run-again:{run.id}", "spring batch lost its process"),
        (f"run-crashed:{_id_of(run)}", "spring batch crashed for good"),
    ]


@pytest.mark.parametrize(
    ("ago", "words"),
    [(170, []), (190, ["the automation `sourcing: run again` may be switched off"])],
)
def test_a_crashed_run_that_nobody_starts_again_is_told(
    ago: float, words: list[str]
) -> None:
    run = _run("CRASHED", ago=ago)
    last = [one for one in _news(run) if one.cause.startswith("run-crashed:")]
    assert [word for one in last for word in words if word in one.body] == words
    assert len(last) == len(words)


def test_what_happened_before_the_watch_began_is_nobodys_news() -> None:
    failed, crashed = _run("FAILED", ago=60), _run("CRASHED", ago=60)
    assert _news(failed, since=NOW - timedelta(seconds=59)) == []
    assert _news(crashed, since=NOW - timedelta(seconds=59)) == []


def test_a_batch_of_a_night_has_no_crash_of_its_own() -> None:
    """Its night crashes with it, and is started again; but its failure may be the only
    one.
    """
    assert _news(_run("CRASHED", is_batch_of_a_night=True)) == []
    assert len(_news(_run("FAILED", is_batch_of_a_night=True))) == 1


@pytest.mark.parametrize(
    "code", [ReasonCode.RUN_FILE_FAULTY, ReasonCode.RUN_FILE_UNREADABLE]
)
def test_a_file_with_faults_is_told_by_its_night(code: ReasonCode) -> None:
    faulty = _run("FAILED", message="no CSV", code=code)
    assert len(_news(faulty.model_copy(update={"auto_scheduled": True}))) == 1
    assert _news(faulty.model_copy(update={"parent_task_run_id": uuid.uuid4()})) == []


@pytest.mark.parametrize(
    "code",
    [
        ReasonCode.RUN_INPUT_WRONG,
        ReasonCode.RUN_FILE_FAULTY,
        ReasonCode.RUN_FILE_UNREADABLE,
    ],
)
def test_a_slip_in_a_form_is_answered_by_its_page_alone(code: ReasonCode) -> None:
    """What a schedule or the program itself started has nobody before its page."""
    slip = _run("FAILED", message="'abc' is not an amount", code=code)
    started: list[dict[str, Any]] = [
        {"auto_scheduled": True},
        {"idempotency_key": "finish b-1"},
    ]
    assert [len(_news(slip.model_copy(update=one))) for one in ({}, *started)] == [
        0,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("started", "words"),
    [
        ({}, "then press Retry on the run's page."),
        (
            {"auto_scheduled": True},
            "then press Retry on the run's page, or wait for the next run of its schedule.",
        ),
        ({"deployment_id": None}, "then run the command again."),
    ],
)
def test_the_advice_fits_how_the_run_was_started(
    started: dict[str, Any], words: str
) -> None:
    failed = _run(
        "FAILED", message="no answer", code=ReasonCode.RUN_SERVICE_FAILED
    ).model_copy(update=started)
    (told,) = _news(failed)
    assert (
        told.body.splitlines()[1]
        == f"What to do: see whether the service answers, {words}"
    )


def test_only_a_run_that_buys_says_that_nothing_is_bought_twice() -> None:
    failed = _run("FAILED", code=ReasonCode.RUN_SERVICE_FAILED)
    told = [
        _news(failed.model_copy(update={"tags": tags}))
        for tags in (["sourcing"], ["sourcing", "buy"])
    ]
    assert ["Nothing is bought twice" in one.body for (one,) in told] == [False, True]


@pytest.mark.parametrize(
    ("started", "code", "ended", "count"),
    [
        ({"auto_scheduled": True}, ReasonCode.RUN_SERVICE_FAILED, None, 0),
        ({"idempotency_key": "finish b-1"}, ReasonCode.RUN_SERVICE_FAILED, 3, 0),
        ({"auto_scheduled": True}, ReasonCode.RUN_SERVICE_FAILED, 60, 1),
        ({"auto_scheduled": True}, ReasonCode.RUN_DEFECT, None, 1),
        ({}, ReasonCode.RUN_SERVICE_FAILED, None, 1),
    ],
)
def test_an_outage_of_the_service_has_one_message_for_all_its_runs_but_those_of_a_person(
    started: dict[str, Any], code: ReasonCode, ended: float | None, count: int
) -> None:
    """A day without it were forty to a hundred: between them the question of a plan is
    not seen.
    """
    run = _run("FAILED", message="the service is away", code=code).model_copy(
        update=started
    )
    assert run.state
    outage = Outage(
        "service-away:2026-01-02T02:00",
        ago(3600),
        None if ended is None else ago(ended),
    )
    assert len(_messages(runs=[(run, run.state, [run.state])], outage=outage)) == count


@pytest.mark.parametrize(
    "state", ["COMPLETED", "RUNNING", "PAUSED", "CANCELLED", "PENDING"]
)
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


def _state(
    kind: str, *, name: str | None = None, message: str | None = None, ago: float = 5
) -> State:
    return State(
        id=uuid.uuid4(),
        type=StateType(kind),
        name=name,
        message=message,
        timestamp=NOW - timedelta(seconds=ago),
    )


def _id_of(run: FlowRun) -> uuid.UUID:
    assert run.state
    return run.state.id


def _news(
    run: FlowRun, *earlier: State | None, since: datetime = LONG_AGO
) -> list[Message]:
    assert run.state
    states = [one for one in (*earlier, run.state) if one]
    return _messages(runs=[(run, run.state, states)], since=since)


def _messages(**given: Any) -> list[Message]:
    """The messages of all alerts about what a poll has read."""
    polled = {
        "now": NOW,
        "since": LONG_AGO,
        "up_since": ago(9000),
        "timezone": HERE,
        **given,
    }
    return [message for alerts in ALERTS for message in alerts(Polled(**polled))]


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("sign_s", "up_s", "is_gone"),
    [
        pytest.param(89, 1000, False, id="it owes no more than two signs of life"),
        pytest.param(91, 1000, True, id="it owes three"),
        pytest.param(
            9000, 89, False, id="the server was away, and so no sign could come"
        ),
        pytest.param(9000, 91, True, id="it is back for long enough"),
        pytest.param(
            None, 1000, False, id="there never was one, and no run waits for one"
        ),
    ],
)
def test_a_worker_is_missed_after_three_signs_of_life(
    sign_s: float | None, up_s: float, *, is_gone: bool
) -> None:
    sign = None if sign_s is None else ago(sign_s)
    assert len(_messages(last_sign=sign, up_since=ago(up_s))) == is_gone


def test_one_that_never_was_is_missed_once_a_run_waits_for_it() -> None:
    """Then it is the reason that no run begins: none of them has a message of its
    own.
    """
    [missed] = _messages(late=[_late(), _late("sync-tracking")])
    assert (
        "and there has been none yet. Waiting for one: buy-from-inbox, sync-tracking."
        in missed.body
    )


def test_one_outage_of_the_worker_has_one_cause() -> None:
    [missed] = _messages(last_sign=ago(120))
    assert missed.cause == "worker-gone:2026-01-02T02:58:00+00:00"
    assert missed.subject == "No worker: no run can begin"
    assert "since 2026-01-02 10:58 Asia/Shanghai" in missed.body
    assert "start `sourcing serve`, or the worker's service, again" in missed.body


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("http://127.0.0.1:4200/api", "office<http://127.0.0.1:4200/api>"),
        ("https://prefect.example/api", "<https://prefect.example/api>"),
    ],
)
def test_machines_that_share_a_ledger_have_outages_of_their_own(
    monkeypatch: pytest.MonkeyPatch, address: str, site: str
) -> None:
    """The worker of one was called back by the other, whose own had not been away."""
    monkeypatch.setattr("platform.node", lambda: "office")
    with temporary_settings({PREFECT_API_URL: address}):
        [missed], [back] = (
            _messages(last_sign=ago(120)),
            _messages(last_sign=ago(30), worker_missed_at=ago(600)),
        )
    assert missed.cause == f"worker-gone:{site}2026-01-02T02:58:00+00:00"
    assert back.cause == f"worker-back:{site}2026-01-02T02:50:00+00:00"


def test_a_worker_is_back_by_a_new_sign_of_life_alone() -> None:
    [back] = _messages(last_sign=ago(30), worker_missed_at=ago(600))
    assert (back.cause, back.subject) == (
        "worker-back:2026-01-02T02:50:00+00:00",
        "Runs begin again",
    )
    assert (
        _messages(last_sign=ago(91), worker_missed_at=ago(600), up_since=ago(60)) == []
    )
    assert _messages(last_sign=ago(30), worker_missed_at=ago(600), since=ago(599)) == []


def test_of_runs_that_no_worker_takes_the_first_of_each_deployment_has_a_message() -> (
    None
):
    late = [
        _late(due_s=700),
        _late(due_s=4300),
        _late("sync-tracking", due_s=650),
        _late("costs", due_s=590),
    ]
    found = _messages(late=late, last_sign=NOW)
    assert [one.subject for one in found] == [
        "buy-from-inbox is due and does not begin",
        "sync-tracking is due and does not begin",
    ]
    assert found[0].cause == f"run-late:{late[1][1].id}"
    assert "was due at 2026-01-02 09:48 Asia/Shanghai" in found[0].body
    assert (
        _messages(late=late, last_sign=NOW, full={"nightly"}) == []
    )  # they wait for their turn


def test_after_an_outage_runs_have_time_to_begin() -> None:
    assert _messages(late=[_late(due_s=90_000)], last_sign=NOW, up_since=ago(599)) == []


def test_after_a_sleep_of_the_machine_everything_has_time_again() -> None:
    """Each morning of a laptop would begin with false alarms, and who gets three reads
    no true one.
    """
    last = NOW - timedelta(hours=8)
    completions = {"sync-tracking": _completion(last, due_s=7.5 * 3600)}
    seen = {"last_sign": last, "completions": completions, "late": [_late(due_s=9000)]}
    assert len(_messages(**seen)) == 2
    assert _messages(**seen, up_since=awake_since(ago(40_000), last, NOW)) == []
    assert awake_since(ago(40_000), ago(119), NOW) == ago(40_000)
    assert awake_since(None, None, NOW) == NOW


def test_a_clock_that_was_ahead_mutes_no_alert() -> None:
    """What a watch knows of that time would lie ahead for as long."""
    assert awake_since(NOW + timedelta(hours=8), NOW + timedelta(hours=8), NOW) == NOW


@pytest.mark.parametrize(
    ("hours", "due", "subjects"),
    [
        (25.9, 1.9, []),
        (26.1, 2.1, ["buy-from-inbox has not completed for 26 hours"]),
        (70, 1.9, []),
        (31.5, 6, ["buy-from-inbox has not completed for 31 hours"]),
    ],
)
def test_what_has_not_completed_two_hours_after_it_was_due_has_a_message(
    hours: float, due: float, subjects: list[str]
) -> None:
    assert [one.subject for one in _overdue(hours, due)] == subjects


@pytest.mark.parametrize(
    ("cron", "due"),
    [
        ("0 2 * * *", ["Sat 03 02:00", "Sun 04 02:00"]),
        ("0 2 * * 1-5", ["Mon 05 02:00", "Tue 06 02:00"]),
        ("10 */6 * * *", ["Fri 02 06:10", "Fri 02 12:10"]),
    ],
)
async def test_what_was_due_is_asked_of_the_schedules_as_a_person_has_set_them(
    cron: str, due: list[str]
) -> None:
    """Nights on weekdays alone are missed on no Saturday, and what goes every six hours
    not after three.
    """
    completed = datetime(2026, 1, 2, 2, 30, tzinfo=UTC)
    found = await due_after(completed, [_schedule(cron)])
    assert [f"{one:%a %d %H:%M}" for one in found] == due


async def test_the_first_of_several_schedules_counts_and_none_before_it_was_changed() -> (
    None
):
    """Moved in the morning from the evening to the night that is past by then."""
    completed, changed = (
        datetime(2026, 1, 1, 20, 30, tzinfo=UTC),
        datetime(2026, 1, 2, 10, 0, tzinfo=UTC),
    )
    found = await due_after(
        completed, [_schedule("0 2 * * *", changed), _schedule("0 6 * * 0", changed)]
    )
    assert [f"{one:%a %d %H:%M}" for one in found] == ["Sat 03 02:00", "Sun 04 02:00"]
    assert await due_after(completed, []) == []


@pytest.mark.parametrize(
    ("hours", "count"), [(None, 1), (2.2, 0), (25.9, 0), (26.1, 1)]
)
def test_a_night_that_is_at_work_or_waits_for_its_answer_has_its_own_time(
    hours: float | None, count: int
) -> None:
    """The night before asked nobody and was short: this one has waited for two hours,
    as it should.
    """
    last, begun = ago(26.1 * 3600), None if hours is None else ago(hours * 3600)
    night = _completion(last, due_s=2.1 * 3600)._replace(begun=begun)
    assert len(_messages(completions={"buy-from-inbox": night})) == count


@pytest.mark.parametrize(
    ("began", "ended", "count"),
    [(23, None, 0), (25, None, 1), (23, 1.9, 0), (23, 2.1, 1)],
)
def test_what_does_not_complete_without_the_service_has_no_message_for_a_day(
    began: float, ended: float | None, count: int
) -> None:
    """A night that it ended is told two hours after it is back: it buys on the next
    day, or begun by hand.
    """
    outage = Outage(
        "service-away:…", ago(began * 3600), ago(ended * 3600) if ended else None
    )
    late = {"buy-from-inbox": _completion(ago(40 * 3600), due_s=16 * 3600)}
    assert len(_messages(completions=late, outage=outage)) == count


def test_each_further_day_without_completion_has_a_message_more() -> None:
    last, day = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)
    completions = {
        "buy-from-inbox": Completion(
            last, last, is_scheduled=True, due=(last + day, last + 2 * day)
        )
    }
    found = [
        _messages(now=last + timedelta(hours=h), completions=completions)
        for h in (26.1, 40, 49.9, 50.1, 74.1)
    ]
    assert [one.cause.rpartition(":")[2] for messages in found for one in messages] == [
        "0",
        "0",
        "0",
        "1",
        "2",
    ]


def test_a_schedule_that_is_off_has_one_message() -> None:
    [overdue] = _overdue(2000, 1980, is_scheduled=False)
    assert overdue.cause.endswith(":0")
    assert (
        "Its schedule is switched off: switch it on, on the deployment's page."
        in overdue.body
    )


@pytest.mark.parametrize(("days", "count"), [(89, 1), (91, 0)])
def test_a_schedule_that_is_off_has_no_second_message_once_its_last_run_is_forgotten(
    days: int, count: int
) -> None:
    known = _completion(None, due_s=80 * 86_400)._replace(
        made=ago(days * 86_400), is_scheduled=False
    )
    assert len(_messages(completions={"buy-from-inbox": known})) == count


def test_before_the_first_completion_the_wait_begins_with_the_deployment() -> None:
    [overdue] = _messages(completions={"buy-from-inbox": _completion(None, due_s=8000)})
    assert overdue.body.startswith(
        "No run of the deployment buy-from-inbox has completed yet."
    )


def test_a_server_that_is_away_has_a_message_a_day_after_five_minutes() -> None:
    found = [
        _messages(away_since=ago(seconds)) for seconds in (300, 301, 86_399, 86_401)
    ]
    assert [
        [one.cause.rpartition(":")[2] for one in messages] for messages in found
    ] == [[], ["0"], ["0"], ["1"]]


def test_a_second_outage_of_a_day_has_a_message_of_its_own() -> None:
    [first], [second] = (
        _messages(away_since=ago(20_000)),
        _messages(away_since=ago(400)),
    )
    assert first.cause != second.cause


def test_each_alert_is_asked_once() -> None:
    names = "run_failed run_again run_left server_away no_worker worker_back not_taken overdue"
    assert [alerts.__name__ for alerts in ALERTS] == names.split()


def _late(
    deployment: str = "buy-from-inbox", *, due_s: float = 700
) -> tuple[str, FlowRun]:
    run = FlowRun(
        name="inbox",
        flow_id=uuid.uuid4(),
        work_queue_name="nightly",
        expected_start_time=ago(due_s),
    )
    return deployment, run


def _overdue(hours: float, due: float, *, is_scheduled: bool = True) -> list[Message]:
    last = DateTime.fromisoformat(
        ago(hours * 3600).isoformat()
    )  # as Prefect's client answers it
    night = _completion(last, due_s=due * 3600)._replace(is_scheduled=is_scheduled)
    return _messages(completions={"buy-from-inbox": night})


def _completion(last: datetime | None, *, due_s: float) -> Completion:
    due = ago(due_s)
    return Completion(
        last or ago(100_000),
        last,
        is_scheduled=True,
        due=(due, due + timedelta(days=1)),
    )


def _schedule(cron: str, changed: datetime | None = None) -> DeploymentSchedule:
    schedule = CronSchedule(cron=cron, timezone="UTC")
    return DeploymentSchedule(schedule=schedule, updated=changed)
