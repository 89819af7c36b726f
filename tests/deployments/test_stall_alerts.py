"""When it is told that nothing happens: no worker, runs that nobody takes, nothing completed in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect.types._datetime import DateTime

from deployments.stall_alerts import (
    LateRun,
    at_work_again,
    no_worker,
    nobody_takes,
    overdue,
    server_gone,
    worker_gone,
)
from domain.messages import Message

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
HERE = "Asia/Shanghai"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("sign_s", "up_s", "is_gone"),
    [
        pytest.param(89, 1000, False, id="it owes no more than two signs of life"),
        pytest.param(91, 1000, True, id="it owes three"),
        pytest.param(9000, 89, False, id="the server was away, and so no sign could come"),
        pytest.param(9000, 91, True, id="it is back for long enough"),
        pytest.param(None, 1000, False, id="there never was one, and nobody waits for one"),
    ],
)
def test_a_worker_is_missed_after_three_signs_of_life(sign_s: float | None, up_s: float, *, is_gone: bool) -> None:
    sign = None if sign_s is None else ago(sign_s)
    assert worker_gone(sign, [], up_since=ago(up_s), now=NOW) is is_gone


def test_one_that_never_was_is_missed_once_a_run_waits_for_it() -> None:
    assert worker_gone(None, [_late()], up_since=ago(100), now=NOW)
    told = no_worker(None, [_late(), _late("sync-tracking")], timezone=HERE)
    assert "and there has been none yet. Waiting for one: nightly, sync-tracking." in told.body


def test_one_outage_of_the_worker_is_told_once() -> None:
    told = no_worker(ago(120), [], timezone=HERE)
    assert told.cause == "worker-gone:2026-01-02T02:58:00+00:00"
    assert told.subject == "No worker: no run can begin"
    assert "since 2026-01-02 10:58 Asia/Shanghai" in told.body
    assert "start `sourcing serve`, or the worker's service, again" in told.body


def test_of_runs_that_nobody_takes_the_first_of_each_deployment_is_told() -> None:
    late = [_late(due_s=700), _late(due_s=4300), _late("sync-tracking", due_s=650), _late("costs", due_s=590)]
    told = nobody_takes(late, up_since=ago(9000), now=NOW, timezone=HERE)
    assert [one.subject for one in told] == [
        "nightly is due and does not begin",
        "sync-tracking is due and does not begin",
    ]
    assert told[0].cause == "run-late:nightly-4300"
    assert "was due at 2026-01-02 09:48 Asia/Shanghai" in told[0].body


def test_after_an_outage_runs_have_time_to_begin() -> None:
    assert nobody_takes([_late(due_s=90_000)], up_since=ago(599), now=NOW, timezone=HERE) == []


@pytest.mark.parametrize(
    ("name", "hours", "told"),
    [
        ("nightly", 25.9, ""),
        ("nightly", 26.1, "nightly has not completed for 26 hours"),
        ("sync-tracking", 2.9, ""),
        ("sync-tracking", 31.5, "sync-tracking has not completed for 31 hours"),
    ],
)
def test_what_has_not_completed_in_time_is_told(name: str, hours: float, told: str) -> None:
    found = _overdue(name, hours)
    assert (found.subject if found else "") == told


def test_each_further_day_tells_it_once_more() -> None:
    causes = [_cause(hours) for hours in (26.1, 40, 49.9, 50.1, 74.1)]
    assert [cause.rpartition(":")[2] for cause in causes] == ["0", "0", "0", "1", "2"]


def test_a_schedule_that_is_off_is_told_once() -> None:
    told = _overdue("nightly", 2000, is_scheduled=False)
    assert told
    assert told.cause.endswith(":0")
    assert "Its schedule is switched off: switch it on, on the deployment's page." in told.body


def test_before_the_first_completion_the_wait_begins_with_the_deployment() -> None:
    told = overdue("nightly", None, awaited_since=ago(100_000), is_scheduled=True, now=NOW, timezone=HERE)
    assert told
    assert told.body.startswith("No run of the deployment nightly has completed yet.")
    assert overdue("nightly", None, awaited_since=ago(60), is_scheduled=True, now=NOW, timezone=HERE) is None


def test_a_server_that_is_gone_is_told_once_a_day_and_that_all_is_back_once_an_outage() -> None:
    assert server_gone(ago(300), timezone=HERE).cause == "server-gone:2026-01-02"
    assert at_work_again(ago(600), NOW, timezone=HERE).cause == "worker-back:2026-01-02T02:50:00+00:00"


def _late(deployment: str = "nightly", *, due_s: float = 700) -> LateRun:
    return LateRun(
        name="inbox", run_id=f"{deployment}-{due_s:.0f}", deployment=deployment, queue="nightly", due=ago(due_s)
    )


def _overdue(name: str, hours: float, *, is_scheduled: bool = True) -> Message | None:
    last = DateTime.instance(ago(hours * 3600))  # as Prefect's client answers it
    return overdue(name, last, awaited_since=last, is_scheduled=is_scheduled, now=NOW, timezone=HERE)


def _cause(hours: float) -> str:
    last = datetime(2026, 1, 1, tzinfo=UTC)
    now = last + timedelta(hours=hours)
    told = overdue("nightly", last, awaited_since=last, is_scheduled=True, now=now, timezone=HERE)
    assert told
    return told.cause
