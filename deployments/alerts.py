"""Alerts of what a dead worker can't report, one class each: `ALERTS` has all, each poll of Prefect's server asks them.

A cause names the state, run or time that it is about: so one event makes one message, and no restart repeats or loses
it. States are rows of the database, written with the run: a server that is killed loses none, as it loses events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from prefect.client.schemas.objects import FlowRun, State, StateType

from connectors.foreign import shortened
from connectors.ui_pages import deployment_page, run_page, runs_page
from deployments.automations import STARTED_AGAIN_AT_MOST
from deployments.registration import POOL
from deployments.run_recovery import AWAITING_RETRY, times_started_again
from domain.follow_ups import as_text
from domain.messages import Message, MessageKind, alert
from domain.reasons import Reason, ReasonCode, because, run_label
from domain.wording import shorten

COMPLETES_WITHIN = {"buy-from-inbox": timedelta(hours=26), "sync-tracking": timedelta(hours=3)}
NOT_STARTED_AGAIN_AFTER = timedelta(minutes=3)
"""Both restarts of a crashed run have come long before."""
SERVER_AWAY_AFTER = timedelta(minutes=5)
WORKER_GONE_AFTER = timedelta(seconds=90)
"""Three missed signs of life of a worker; Prefect itself waits as long."""
LATE_AFTER = timedelta(minutes=10)
ONCE_A_DAY = timedelta(days=1)
LONGEST_REASON = 500
OF_A_FILE = {ReasonCode.RUN_FILE_FAULTY, ReasonCode.RUN_FILE_UNREADABLE}
SLIPS = {*OF_A_FILE, ReasonCode.RUN_INPUT_WRONG}
NOT_TWICE = "Nothing is bought twice: the ledger knows how far the run came."


PolledRun = tuple[FlowRun, State, Sequence[State]]
"""A run, its present state, and all that it had, in any order."""


class Completion(NamedTuple):
    """When a deployment was made, when a run of it last completed, and whether a schedule starts it."""

    made: datetime
    last: datetime | None
    is_scheduled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What a poll has read. What happened before `since` makes no message.

    The server has answered since `up_since`, or has been away since `away_since`. `late` are runs whose time has come
    and that no worker has taken, each with its deployment; in `full` queues they wait as they should.
    """

    now: datetime
    since: datetime
    up_since: datetime
    timezone: str
    away_since: datetime | None = None
    runs: Sequence[PolledRun] = ()
    late: Sequence[tuple[str, FlowRun]] = ()
    full: Collection[str] = ()
    last_sign: datetime | None = None
    worker_missed_at: datetime | None = None
    completions: Mapping[str, Completion] = field(default_factory=dict)

    def time(self, moment: datetime) -> str:
        return f"{as_text(moment, self.timezone)} {self.timezone}"

    def since_or_never(self, last: datetime | None) -> dict[str, object]:
        return {"since": self.time(last)} if last else {"never": True}

    @property
    def is_without_worker(self) -> bool:
        """One that never was is missed only once a run waits for it; signs of life need the server."""
        if self.last_sign is None and not self.late:
            return False
        return self.now - max(self.last_sign or self.up_since, self.up_since) > WORKER_GONE_AFTER


class Alert(Protocol):
    def messages(self, seen: Polled) -> Iterator[Message]: ...


class RunFailed:
    """A run failed, or took too long: each time.

    A file with faults has the message of its night. A slip in a form is answered by the run's page.
    """

    def messages(self, seen: Polled) -> Iterator[Message]:
        for run, state, _ in seen.runs:
            if state.type is StateType.FAILED and state.timestamp > seen.since:
                why = _why_failed(run, state)
                is_told = why.code in (SLIPS if _by_hand(run) else OF_A_FILE if run.parent_task_run_id else ())
                if not is_told:
                    yield _of_run(run, f"run-failed:{state.id}", "failed", why)


class RunAgain:
    """A run lost its process and is started again: once a run. A batch of a night ends with its night's run."""

    def messages(self, seen: Polled) -> Iterator[Message]:
        for run, _, states in seen.runs:
            if run.deployment_id and any(_was_lost(one, states) and one.timestamp > seen.since for one in states):
                why = because(ReasonCode.RUN_LOST)
                yield _of_run(run, f"run-again:{run.id}", "lost its process", why, MessageKind.RUN_AGAIN)


class RunLeft:
    """A run crashed for the last time, or three minutes ago and was not started again: each time."""

    def messages(self, seen: Polled) -> Iterator[Message]:
        for run, state, states in seen.runs:
            if run.deployment_id and state.type is StateType.CRASHED and state.timestamp > seen.since:
                is_last = times_started_again(run, states) >= STARTED_AGAIN_AT_MOST
                if is_last or seen.now - state.timestamp > NOT_STARTED_AGAIN_AFTER:
                    code = ReasonCode.RUN_LOST_TOO_OFTEN if is_last else ReasonCode.RUN_NOT_STARTED_AGAIN
                    why = because(code, times=STARTED_AGAIN_AT_MOST)
                    yield _of_run(run, left_cause(state), "crashed for good", why)


class ServerAway:
    """Prefect's server does not answer: once a day."""

    def messages(self, seen: Polled) -> Iterator[Message]:
        if seen.away_since and seen.now - seen.away_since > SERVER_AWAY_AFTER:
            why = because(ReasonCode.SERVER_AWAY, since=seen.time(seen.away_since))
            subject = "Prefect's server does not answer: no run can begin"
            yield alert(f"server-gone:{seen.away_since:%Y-%m-%d}", MessageKind.WORKER_GONE, subject, why)


class NoWorker:
    """No worker gives signs of life: once an outage."""

    def messages(self, seen: Polled) -> Iterator[Message]:
        if seen.is_without_worker:
            waiting, last = shorten(sorted({deployment for deployment, _ in seen.late})), seen.last_sign
            why = because(ReasonCode.NO_WORKER, pool=POOL, waiting=waiting, **seen.since_or_never(last))
            cause, subject = f"worker-gone:{last.isoformat() if last else 'never'}", "No worker: no run can begin"
            yield alert(cause, MessageKind.WORKER_GONE, subject, why, link=runs_page())


class WorkerBack:
    """A worker gives signs of life again, and is not merely given time: once after each outage."""

    def messages(self, seen: Polled) -> Iterator[Message]:
        is_back = seen.last_sign is not None and seen.now - seen.last_sign < WORKER_GONE_AFTER
        if is_back and seen.worker_missed_at and seen.worker_missed_at >= seen.since:
            why = because(ReasonCode.RUNS_BEGIN_AGAIN, at=seen.time(seen.now))
            cause, subject = f"worker-back:{seen.worker_missed_at.isoformat()}", "Runs begin again"
            yield alert(cause, MessageKind.WORKER_BACK, subject, why, link=runs_page())


class NotTaken:
    """Runs that no worker takes, though there is one: one message a deployment, however many of its runs are late."""

    def messages(self, seen: Polled) -> Iterator[Message]:
        first: dict[str, FlowRun] = {}
        for deployment, run in sorted(seen.late, key=lambda one: one[1].expected_start_time or seen.now):
            due = run.expected_start_time or seen.now
            if queue_of(run) not in seen.full and seen.now - max(due, seen.up_since) > LATE_AFTER:
                first.setdefault(deployment, run)
        for deployment, run in () if seen.is_without_worker else first.items():
            time = seen.time(run.expected_start_time or seen.now)
            why = because(ReasonCode.RUN_NOT_TAKEN, run=run.name, due=time, queue=queue_of(run), pool=POOL)
            subject = f"{deployment} is due and does not begin"
            yield alert(f"run-late:{run.id}", MessageKind.NOTHING_RAN, subject, why, link=runs_page())


@dataclass(frozen=True, slots=True)
class Overdue:
    """No run of a deployment has completed in time: once a day, or once where no schedule starts it.

    Before the first completion the wait begins when the deployment was made.
    """

    name: str
    within: timedelta

    def messages(self, seen: Polled) -> Iterator[Message]:
        known = seen.completions.get(self.name)
        if known is None:
            return
        since = known.last or known.made
        waited = timedelta(seconds=(seen.now - since).total_seconds())  # Prefect's own kind of period can't be divided
        if waited > self.within:
            days = (waited - self.within) // ONCE_A_DAY if known.is_scheduled else 0
            facts = {"scheduled": known.is_scheduled, "off": not known.is_scheduled, **seen.since_or_never(known.last)}
            why = because(ReasonCode.OVERDUE, deployment=self.name, **facts)
            cause = f"overdue:{self.name}:{since.isoformat()}:{days}"
            subject = f"{self.name} has not completed for {waited // timedelta(hours=1)} hours"
            yield alert(cause, MessageKind.NOTHING_RAN, subject, why, link=deployment_page(self.name))


ALERTS: tuple[Alert, ...] = (
    *(RunFailed(), RunAgain(), RunLeft(), ServerAway(), NoWorker(), WorkerBack(), NotTaken()),
    *(Overdue(name, within) for name, within in COMPLETES_WITHIN.items()),
)


def queue_of(run: FlowRun) -> str:
    return run.work_queue_name or "default"


def left_cause(state: State) -> str:
    """The cause of the message of a run that was left alone in this state."""
    return f"run-crashed:{state.id}"


def _was_lost(state: State, states: Sequence[State]) -> bool:
    """Whether the end of its process was noticed, or found later: recovery names a transition after the state seen."""
    seen = state.state_details.transition_id
    is_found = state.name == AWAITING_RETRY and any(seen == one.id for one in states)
    return state.type is StateType.CRASHED or is_found


def _by_hand(run: FlowRun) -> bool:
    """Whether a person started it: what the program starts has a key."""
    return not (run.auto_scheduled or run.idempotency_key or run.parent_task_run_id)


def _why_failed(run: FlowRun, state: State) -> Reason:
    """The reason with the code that the run left. Without one the message is Prefect's, which may quote a form."""
    is_deployed = bool(run.deployment_id or run.parent_task_run_id)
    again = {"deployed": is_deployed, "typed": not is_deployed, "scheduled": run.auto_scheduled}
    if state.name == "TimedOut":
        return because(ReasonCode.RUN_TOOK_TOO_LONG, **again)
    code = ReasonCode.of(str(run.labels.get(run_label(run.run_count))))
    if code is None:
        return because(ReasonCode.RUN_NOT_BEGUN, **again)
    words = shortened(" ".join((state.message or "").split()), LONGEST_REASON)
    return because(code, failure=None if code is ReasonCode.RUN_FILE_FAULTY else words, **again)  # faults quote cells


def _of_run(run: FlowRun, cause: str, what: str, why: Reason, kind: MessageKind = MessageKind.RUN_FAILED) -> Message:
    notes = [NOT_TWICE] if "buy" in run.tags else []
    return alert(cause, kind, f"{run.name} {what}", why, *notes, link=run_page(run.id))
