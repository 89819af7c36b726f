"""Alerts about runs, workers and schedules: polls Prefect's server for it, and keeps
the messages in the ledger.

Polling needs no cursor of its own: the ledger keeps each cause once. Only the beginning
is kept: what happened before a ledger was first watched makes no message.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import DeploymentSchedule, FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.server.schemas.schedules import SCHEDULE_TYPES
from prefect.settings import PREFECT_API_URL
from pydantic import TypeAdapter

from connectors.foreign import shortened, words_of
from connectors.ledger.store import Ledger
from connectors.settings import is_loopback
from connectors.ui_pages import deployment_page, run_page, runs_page
from deployments.registration import POOL, STARTED_AGAIN_AT_MOST
from deployments.retention import RUNS
from deployments.run_recovery import (
    AT_WORK,
    AWAITING_RETRY,
    SUSPENDED,
    ours,
    times_started_again,
)
from domain.follow_ups import as_text
from domain.messages import KEPT_FOR, Message, MessageKind, alert
from domain.reasons import Reason, ReasonCode, because, run_label
from domain.wording import shorten
from flows.notify.outbox import Outage, newest_outage

REGULAR = ("buy-from-inbox", "sync-tracking")
COMPLETES_WITHIN = timedelta(hours=2)
"""After it was due by a schedule, as that is now."""
NOT_STARTED_AGAIN_AFTER = timedelta(minutes=3)
"""Both restarts of a crashed run have come long before."""
SERVER_AWAY_AFTER = timedelta(minutes=5)
WORKER_GONE_AFTER = timedelta(seconds=90)
"""Three missed signs of life of a worker; Prefect itself waits as long."""
LATE_AFTER = timedelta(minutes=10)
SLEPT = timedelta(minutes=2)
"""Between polls, which follow each other in seconds."""
ONCE_A_DAY = timedelta(days=1)
LONGEST_REASON = 500
OF_A_FILE = {ReasonCode.RUN_FILE_FAULTY, ReasonCode.RUN_FILE_UNREADABLE}
SLIPS = {*OF_A_FILE, ReasonCode.RUN_INPUT_WRONG}
NOT_TWICE = "Nothing is bought twice: the ledger knows how far the run came."


PolledRun = tuple[FlowRun, State, Sequence[State]]
"""A run, its present state, and all that it had, in any order."""


class Completion(NamedTuple):
    """When a deployment was made, a run of it last completed, and one at work began;
    whether a schedule starts it.

    `due` are the two times at which one was to begin after that.
    """

    made: datetime
    last: datetime | None
    is_scheduled: bool
    due: Sequence[datetime]
    begun: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What a poll has read. What happened before `since` makes no message.

    The server has answered, and the machine been awake, since `up_since`; or it has
    been away since `away_since`. `late` are runs whose time has come and that no worker
    has taken, each with its deployment; in `full` queues they wait as they should.
    `outage` is the newest of the service.
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
    outage: Outage | None = None
    completions: Mapping[str, Completion] = field(default_factory=dict)

    def time(self, moment: datetime) -> str:
        return f"{as_text(moment, self.timezone)} {self.timezone}"

    def since_or_never(self, last: datetime | None) -> dict[str, object]:
        return {"since": self.time(last)} if last else {"never": True}

    @property
    def is_without_worker(self) -> bool:
        """One that never was is missed only once a run waits for it; signs of life need
        the server.
        """
        if self.last_sign is None and not self.late:
            return False
        return (
            self.now - max(self.last_sign or self.up_since, self.up_since)
            > WORKER_GONE_AFTER
        )


def run_failed(seen: Polled) -> Iterator[Message]:
    """A run failed, or took too long: each time.

    A file with faults has the message of its night, an outage of the service one for
    all its runs. A slip in a form is answered by the run's page.
    """
    for run, state, states in seen.runs:
        if state.type is StateType.FAILED and state.timestamp > seen.since:
            why, by_hand = _why_failed(run, state, states), _by_hand(run)
            is_told = why.code in (
                SLIPS if by_hand else OF_A_FILE if run.parent_task_run_id else ()
            )
            of_service = why.code is ReasonCode.RUN_SERVICE_FAILED and not by_hand
            if not is_told and not (
                of_service and seen.outage and seen.outage.has(state.timestamp)
            ):
                yield _of_run(run, f"run-failed:{state.id}", "failed", why)


def run_again(seen: Polled) -> Iterator[Message]:
    """A run lost its process and is started again: once a run. A batch of a night ends
    with its night's run.
    """
    for run, _, states in seen.runs:
        if run.deployment_id and any(
            _was_lost(one, states) and one.timestamp > seen.since for one in states
        ):
            why = because(ReasonCode.RUN_LOST)
            yield _of_run(
                run,
                f"run-again:{run.id}",
                "lost its process",
                why,
                MessageKind.RUN_AGAIN,
            )


def run_left(seen: Polled) -> Iterator[Message]:
    """A run crashed for the last time, or three minutes ago and was not started again:
    each time.
    """
    for run, state, states in seen.runs:
        if (
            run.deployment_id
            and state.type is StateType.CRASHED
            and state.timestamp > seen.since
        ):
            is_last = times_started_again(run, states) >= STARTED_AGAIN_AT_MOST
            if is_last or seen.now - state.timestamp > NOT_STARTED_AGAIN_AFTER:
                code = (
                    ReasonCode.RUN_LOST_TOO_OFTEN
                    if is_last
                    else ReasonCode.RUN_NOT_STARTED_AGAIN
                )
                why = because(code, times=STARTED_AGAIN_AT_MOST)
                yield _of_run(run, left_cause(state), "crashed for good", why)


def server_away(seen: Polled) -> Iterator[Message]:
    """Prefect's server does not answer: once an outage, and again each further day of
    it.
    """
    if seen.away_since and seen.now - seen.away_since > SERVER_AWAY_AFTER:
        why = because(ReasonCode.SERVER_AWAY, since=seen.time(seen.away_since))
        cause = f"server-gone:{site()}{seen.away_since:%Y-%m-%dT%H:%M}:{(seen.now - seen.away_since) // ONCE_A_DAY}"
        subject = "Prefect's server does not answer: no run can begin"
        yield alert(cause, MessageKind.WORKER_GONE, subject, why)


def no_worker(seen: Polled) -> Iterator[Message]:
    """No worker gives signs of life: once an outage."""
    if seen.is_without_worker:
        waiting, last = (
            shorten(sorted({deployment for deployment, _ in seen.late})),
            seen.last_sign,
        )
        why = because(
            ReasonCode.NO_WORKER,
            pool=POOL,
            waiting=waiting,
            **seen.since_or_never(last),
        )
        cause, subject = (
            f"worker-gone:{site()}{last.isoformat() if last else 'never'}",
            "No worker: no run can begin",
        )
        yield alert(cause, MessageKind.WORKER_GONE, subject, why, link=runs_page())


def worker_back(seen: Polled) -> Iterator[Message]:
    """A worker gives signs of life again, and is not merely given time: once after each
    outage.
    """
    is_back = (
        seen.last_sign is not None and seen.now - seen.last_sign < WORKER_GONE_AFTER
    )
    if is_back and seen.worker_missed_at and seen.worker_missed_at >= seen.since:
        why = because(ReasonCode.RUNS_BEGIN_AGAIN, at=seen.time(seen.now))
        cause, subject = (
            f"worker-back:{site()}{seen.worker_missed_at.isoformat()}",
            "Runs begin again",
        )
        yield alert(cause, MessageKind.WORKER_BACK, subject, why, link=runs_page())


def not_taken(seen: Polled) -> Iterator[Message]:
    """Runs that no worker takes, though there is one: one message a deployment, however
    many of its runs are late.
    """
    first: dict[str, FlowRun] = {}
    for deployment, run in sorted(
        seen.late, key=lambda one: one[1].expected_start_time or seen.now
    ):
        due = run.expected_start_time or seen.now
        if (
            queue_of(run) not in seen.full
            and seen.now - max(due, seen.up_since) > LATE_AFTER
        ):
            first.setdefault(deployment, run)
    for deployment, run in () if seen.is_without_worker else first.items():
        time = seen.time(run.expected_start_time or seen.now)
        why = because(
            ReasonCode.RUN_NOT_TAKEN,
            run=run.name,
            due=time,
            queue=queue_of(run),
            pool=POOL,
        )
        subject = f"{deployment} is due and does not begin"
        yield alert(
            f"run-late:{run.id}",
            MessageKind.NOTHING_RAN,
            subject,
            why,
            link=runs_page(),
        )


def overdue(seen: Polled) -> Iterator[Message]:
    """No run of a deployment that was due has completed in time: once a day, or once
    where no schedule starts it.

    Before the first completion the wait begins when the deployment was made. What was
    missed has time to be made up. A run at work, such as a night that waits for an
    approval, has time until two hours after the next is due. Without the service none
    completes: that has a message of its own for a day, and its end gives two hours.
    """
    is_told = (outage := seen.outage) and (
        seen.now - outage.ended < COMPLETES_WITHIN
        if outage.ended
        else seen.now - outage.began < ONCE_A_DAY
    )
    for name, known in (
        seen.completions.items()
        if seen.now - seen.up_since > LATE_AFTER and not is_told
        else ()
    ):
        since, due = known.last or known.made, known.due[0]
        waited = timedelta(
            seconds=(seen.now - since).total_seconds()
        )  # Prefect's own kind of period can't be divided
        late, own = (
            seen.now - due - COMPLETES_WITHIN,
            known.due[-1] - due + COMPLETES_WITHIN,
        )
        is_forgotten = (
            not (known.is_scheduled or known.last) and seen.now - known.made > RUNS
        )  # its last run, if any
        if (
            late > timedelta()
            and not is_forgotten
            and not (known.begun and seen.now - known.begun <= own)
        ):
            days = late // ONCE_A_DAY if known.is_scheduled else 0
            facts = {
                "scheduled": known.is_scheduled,
                "off": not known.is_scheduled,
                **seen.since_or_never(known.last),
            }
            why = because(ReasonCode.OVERDUE, deployment=name, **facts)
            cause = f"overdue:{name}:{since.isoformat()}:{days}"
            subject = (
                f"{name} has not completed for {waited // timedelta(hours=1)} hours"
            )
            yield alert(
                cause, MessageKind.NOTHING_RAN, subject, why, link=deployment_page(name)
            )


ALERTS = (
    run_failed,
    run_again,
    run_left,
    server_away,
    no_worker,
    worker_back,
    not_taken,
    overdue,
)


def site() -> str:
    """The server that is watched, for causes: others may have the same ledger. A local
    address is one of a machine.
    """
    api = PREFECT_API_URL.value() or ""
    return f"{platform.node() if is_loopback(api) else ''}<{api}>" if api else ""


def queue_of(run: FlowRun) -> str:
    return run.work_queue_name or "default"


def left_cause(state: State) -> str:
    """The cause of the message of a run that was left alone in this state."""
    return f"run-crashed:{state.id}"


def _was_lost(state: State, states: Sequence[State]) -> bool:
    """Whether the end of its process was noticed, or found later: recovery names a
    transition after the state seen.
    """
    seen = state.state_details.transition_id
    is_found = state.name == AWAITING_RETRY and any(seen == one.id for one in states)
    return state.type is StateType.CRASHED or is_found


def _by_hand(run: FlowRun) -> bool:
    """Whether a person started it: what the program starts has a key."""
    return not (run.auto_scheduled or run.idempotency_key or run.parent_task_run_id)


def _why_failed(run: FlowRun, state: State, states: Sequence[State]) -> Reason:
    """The reason with the code that the run left. Without one the message is Prefect's,
    which may quote a form.
    """
    before = max(
        (one for one in states if one.id != state.id),
        key=lambda one: one.timestamp,
        default=state,
    )
    if before.name == SUSPENDED:
        return because(ReasonCode.RUN_NOT_RESUMED)
    is_deployed = bool(run.deployment_id or run.parent_task_run_id)
    again = {
        "deployed": is_deployed,
        "typed": not is_deployed,
        "scheduled": run.auto_scheduled,
    }
    if state.name == "TimedOut":
        return because(ReasonCode.RUN_TOOK_TOO_LONG, **again)
    code = ReasonCode.of(str(run.labels.get(run_label(run.run_count))))
    if code is None:
        return because(ReasonCode.RUN_NOT_BEGUN, **again)
    words = shortened(" ".join((state.message or "").split()), LONGEST_REASON)
    return because(
        code, failure=None if code is ReasonCode.RUN_FILE_FAULTY else words, **again
    )  # faults quote cells


def _of_run(
    run: FlowRun,
    cause: str,
    what: str,
    why: Reason,
    kind: MessageKind = MessageKind.RUN_FAILED,
) -> Message:
    notes = [NOT_TWICE] if "buy" in run.tags else []
    return alert(cause, kind, f"{run.name} {what}", why, *notes, link=run_page(run.id))


NEVER = datetime(9999, 1, 1, tzinfo=UTC)
WATCHED = Message(
    cause="watched",
    kind=MessageKind.WATCHED,
    subject="Prefect is watched",
    body="",
    due_at=NEVER,
)
"""Never sent: the time of its row is when watching began."""
POLLS_BACK = timedelta(minutes=10)
"""From the poll before: a crashed run is polled until it is clear whether it is started
again.
"""
PAGE = 200
LATE = "Late"


def watched_since(ledger: Ledger) -> datetime:
    """When the runs of this ledger were first watched; a weekend ago at most, what is
    older is old news.
    """
    ledger.outbox.put(WATCHED)
    began, now = ledger.outbox.newest(MessageKind.WATCHED), ledger.clock()
    return min(max(began[1], now - KEPT_FOR), now) if began else now


def awake_since(
    known: datetime | None, polled_at: datetime | None, now: datetime
) -> datetime:
    """Since when polls have followed each other: everything has time again after a
    sleep of the machine.

    And after its clock was set back.
    """
    return known if known and not (polled_at and abs(now - polled_at) > SLEPT) else now


@dataclass(eq=False, kw_only=True)
class ServerWatch:
    """The known state of the server while it answers. None of it has to outlive
    that.
    """

    ledger: Ledger
    timezone: str
    since: datetime
    up_since: datetime | None = None
    polled_at: datetime | None = None
    histories: dict[UUID, Sequence[State]] = field(default_factory=dict)
    names: dict[UUID, str] = field(default_factory=dict)
    in_time: dict[str, datetime] = field(default_factory=dict)

    async def poll(self, client: PrefectClient) -> list[Message]:
        """Store new messages; answers them. Raises what Prefect's client and the ledger
        raise.
        """
        now = datetime.now(UTC)
        self.up_since, self.since = (
            awake_since(self.up_since, self.polled_at, now),
            min(self.since, now),
        )
        if self.up_since == now:
            self.in_time.clear()
        runs = await self._runs(client)
        late = [
            (await self._name(client, run), run)
            for run in runs
            if run.state_name == LATE
        ]
        missed = await asyncio.to_thread(
            self.ledger.outbox.newest, MessageKind.WORKER_GONE, of=f"-gone:{site()}"
        )
        seen = Polled(
            now=now,
            since=self.since,
            up_since=self.up_since,
            timezone=self.timezone,
            runs=await self._with_states(client, runs),
            late=late,
            full={
                queue
                for queue in {queue_of(run) for _, run in late}
                if await _is_full(client, queue)
            },
            last_sign=await _last_sign(client),
            worker_missed_at=missed[1] if missed else None,
            outage=await asyncio.to_thread(newest_outage, self.ledger),
            completions={
                name: one
                for name in REGULAR
                if (one := await self._completion(client, name, now, runs))
            },
        )
        found = {
            message.cause: message for alerts in ALERTS for message in alerts(seen)
        }
        known = await asyncio.to_thread(self.ledger.outbox.known, found)
        new = [
            await self._with_what_it_bought(client, seen, found[cause])
            for cause in found
            if cause not in known
        ]
        stored = [
            message
            for message in new
            if await asyncio.to_thread(self.ledger.outbox.put, message)
        ]
        self.polled_at = now  # what could not be stored is found again
        return stored

    async def _runs(self, client: PrefectClient) -> list[FlowRun]:
        """The runs that are not over and not just planned, and those that ended since
        the poll before.
        """
        ended_since = (
            max(self.since, self.polled_at - POLLS_BACK)
            if self.polled_at
            else self.since
        )
        found: list[FlowRun] = []
        for wanted in (
            ours(*AT_WORK, or_named=[AWAITING_RETRY, LATE]),
            ours(*ENDED, ended_since=ended_since),
        ):
            offset = 0
            while page := await client.read_flow_runs(
                flow_run_filter=wanted, limit=PAGE, offset=offset
            ):
                found, offset = [*found, *page], offset + PAGE
        return found

    async def _with_states(
        self, client: PrefectClient, runs: Sequence[FlowRun]
    ) -> list[PolledRun]:
        """The runs whose earlier states can matter: most runs begin once, and end
        well.
        """
        found, known, self.histories = list[PolledRun](), self.histories, {}
        for run in runs:
            if (state := run.state) and _may_have_news(run):
                self.histories[state.id] = known.get(
                    state.id
                ) or await client.read_flow_run_states(run.id)
                found.append((run, state, self.histories[state.id]))
        return found

    async def _with_what_it_bought(
        self, client: PrefectClient, seen: Polled, message: Message
    ) -> Message:
        """A run left alone can't report its purchases any more: they are shown with it,
        and once in its message.
        """
        run = next(
            (run for run, state, _ in seen.runs if message.cause == left_cause(state)),
            None,
        )
        if run is None:
            return message
        from flows.batch.reporting import (
            show_stopped,
        )  # loads Arrow, which is hardly ever needed here

        try:
            words = await show_stopped(client, run, self.ledger)
        except Exception as error:  # noqa: BLE001 - that it crashed has to be told whatever else is known
            print(
                f"what {run.name} bought can't be shown: {words_of(error)}", flush=True
            )
            return message
        return replace(message, body=f"{words}\n{message.body}") if words else message

    async def _name(self, client: PrefectClient, run: FlowRun) -> str:
        """The name of a run's deployment, or its own."""
        its = run.deployment_id
        if its and its not in self.names:
            self.names[its] = (await client.read_deployment(its)).name
        return self.names[its] if its else run.name

    async def _completion(
        self, client: PrefectClient, name: str, now: datetime, runs: Sequence[FlowRun]
    ) -> Completion | None:
        """The last completion of a deployment; None while that is in time, and for one
        without a schedule.
        """
        if now < self.in_time.get(name, now):
            return None
        made = await client.read_deployments(deployment_filter=_named(name), limit=1)
        if not made or made[0].created is None:
            return None
        last = await _last_completion(client, name)
        active = (
            []
            if made[0].paused
            else [schedule for schedule in made[0].schedules if schedule.active]
        )
        if not (
            due := await due_after(last or made[0].created, active or made[0].schedules)
        ):
            return None
        if (ends := due[0] + COMPLETES_WITHIN) >= now:
            self.in_time[name] = min(
                ends, now + timedelta(hours=1)
            )  # a person may change the schedule meanwhile
            return None
        its = (
            run
            for run in runs
            if run.deployment_id == made[0].id and run.state_type in AT_WORK
        )
        begun = max((run.start_time for run in its if run.start_time), default=None)
        return Completion(made[0].created, last, bool(active), due, begun)


SCHEDULE = TypeAdapter[SCHEDULE_TYPES](SCHEDULE_TYPES)


async def due_after(
    since: datetime, schedules: Iterable[DeploymentSchedule]
) -> Sequence[datetime]:
    """The first two times at which a run was to begin; what a schedule said before it
    was changed is no more asked.
    """
    found = list[datetime]()
    for one in schedules:
        schedule = SCHEDULE.validate_python(one.schedule.model_dump())
        times = await schedule.get_dates(2, start=max(since, one.updated or since))
        found += [datetime.fromtimestamp(time.timestamp(), UTC) for time in times]
    return sorted(found)[:2]


ENDED = (StateType.COMPLETED, StateType.FAILED, StateType.CRASHED)


def _named(deployment: str) -> DeploymentFilter:
    return DeploymentFilter(name=DeploymentFilterName(any_=[deployment]))


def _may_have_news(run: FlowRun) -> bool:
    at_its_end = run.state_type in (StateType.FAILED, StateType.CRASHED)
    return (
        at_its_end
        or run.run_count > 1
        or (run.state_type is not StateType.COMPLETED and run.state_name != LATE)
    )


async def _last_completion(client: PrefectClient, name: str) -> datetime | None:
    runs = await client.read_flow_runs(
        deployment_filter=_named(name),
        flow_run_filter=ours(StateType.COMPLETED),
        sort=FlowRunSort.END_TIME_DESC,
        limit=1,
    )
    return runs[0].end_time if runs else None


async def _last_sign(client: PrefectClient) -> datetime | None:
    """When a worker of the pool last gave a sign of life; None when there never was
    one.
    """
    try:
        workers = await client.read_workers_for_work_pool(
            POOL, limit=1
        )  # the server answers the latest first
    except ObjectNotFound:
        return None
    return workers[0].last_heartbeat_time if workers else None


async def _is_full(client: PrefectClient, queue: str) -> bool:
    """Whether runs of a work queue wait for their turn, as they should."""
    try:
        found = await client.read_work_queue_by_name(queue, work_pool_name=POOL)
    except ObjectNotFound:
        return False
    limit, used = found.concurrency_limit, found.active_slots or 0
    return limit is not None and used >= limit and not found.is_paused
