"""Polls Prefect's server for `alerts`, and keeps their messages in the ledger.

Polling needs no cursor of its own: the ledger keeps each cause once. Only the beginning is kept: what happened before a
ledger was first watched makes no message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from connectors.foreign import words_of
from connectors.ledger.store import Ledger
from deployments.alerts import ALERTS, COMPLETES_WITHIN, Completion, Polled, PolledRun, left_cause, queue_of
from deployments.registration import HELPERS, POOL
from deployments.run_recovery import AT_WORK, AWAITING_RETRY, ours
from domain.messages import KEPT_FOR, Message, MessageKind

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
WATCHED = Message(cause="watched", kind=MessageKind.WATCHED, subject="Prefect is watched", body="", due_at=NEVER)
"""Never sent: the time of its row is when watching began."""
POLLS_BACK = timedelta(minutes=10)
"""From the poll before: a crashed run is polled until it is clear whether it is started again."""
PAGE = 200
LATE = "Late"


def watched_since(ledger: Ledger) -> datetime:
    """When the runs of this ledger were first watched; a weekend ago at most, what is older is old news."""
    ledger.outbox.put(WATCHED)
    began = ledger.outbox.newest(MessageKind.WATCHED)
    assert began
    return min(max(began[1], ledger.clock() - KEPT_FOR), ledger.clock())


@dataclass(eq=False, kw_only=True)
class ServerWatch:
    """The known state of the server while it answers. None of it has to outlive that."""

    ledger: Ledger
    timezone: str
    since: datetime
    up_since: datetime | None = None
    polled_at: datetime | None = None
    histories: dict[UUID, Sequence[State]] = field(default_factory=dict)
    names: dict[UUID, str] = field(default_factory=dict)
    completed: dict[str, datetime] = field(default_factory=dict)

    async def poll(self, client: PrefectClient) -> list[Message]:
        """Store new messages; answers them. Raises what Prefect's client and the ledger raise."""
        now = datetime.now(UTC)
        self.up_since = self.up_since or now
        runs = await self._runs(client)
        late = [(await self._name(client, run), run) for run in runs if _is_late(run)]
        missed = await asyncio.to_thread(self.ledger.outbox.newest, MessageKind.WORKER_GONE)
        seen = Polled(
            now=now,
            since=self.since,
            up_since=self.up_since,
            timezone=self.timezone,
            runs=await self._with_states(client, runs),
            late=late,
            full={queue for queue in {queue_of(run) for _, run in late} if await _is_full(client, queue)},
            last_sign=await _last_sign(client),
            worker_missed_at=missed[1] if missed else None,
            completions={name: one for name in COMPLETES_WITHIN if (one := await self._completion(client, name, now))},
        )
        self.polled_at = now
        found = {message.cause: message for one in ALERTS for message in one.messages(seen)}
        known = await asyncio.to_thread(self.ledger.outbox.known, found)
        new = [await self._with_what_it_bought(client, seen, found[cause]) for cause in found if cause not in known]
        return [message for message in new if await asyncio.to_thread(self.ledger.outbox.put, message)]

    async def _runs(self, client: PrefectClient) -> list[FlowRun]:
        """The runs that are not over and not just planned, and those that ended since the poll before."""
        ended_since = max(self.since, self.polled_at - POLLS_BACK) if self.polled_at else self.since
        found: list[FlowRun] = []
        for wanted in (ours(*AT_WORK, or_named=[AWAITING_RETRY, LATE]), ours(*ENDED, ended_since=ended_since)):
            offset = 0
            while page := await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=offset):
                found, offset = [*found, *page], offset + PAGE
        return found

    async def _with_states(self, client: PrefectClient, runs: Sequence[FlowRun]) -> list[PolledRun]:
        """The runs whose earlier states can matter: most runs begin once, and end well."""
        found, known, self.histories = list[PolledRun](), self.histories, {}
        for run in runs:
            if (state := run.state) and _may_have_news(run):
                self.histories[state.id] = known.get(state.id) or await client.read_flow_run_states(run.id)
                found.append((run, state, self.histories[state.id]))
        return found

    async def _with_what_it_bought(self, client: PrefectClient, seen: Polled, message: Message) -> Message:
        """A run left alone can't report its purchases any more: they are shown with it, and once in its message."""
        run = next((run for run, state, _ in seen.runs if message.cause == left_cause(state)), None)
        if run is None:
            return message
        from flows.batch.endings import show_stopped  # loads Arrow, which is hardly ever needed here

        try:
            words = await show_stopped(client, run, self.ledger)
        except Exception as error:  # noqa: BLE001 - that it crashed has to be told whatever else is known
            print(f"what {run.name} bought can't be shown: {words_of(error)}", flush=True)
            return message
        return replace(message, body=f"{words}\n{message.body}") if words else message

    async def _name(self, client: PrefectClient, run: FlowRun) -> str:
        """The name of a run's deployment, or its own."""
        its = run.deployment_id
        if its and its not in self.names:
            self.names[its] = (await client.read_deployment(its)).name
        return self.names[its] if its else run.name

    async def _completion(self, client: PrefectClient, name: str, now: datetime) -> Completion | None:
        """The last completion of a deployment; None while that is in time, and for one that is not there."""
        last, within = self.completed.get(name), COMPLETES_WITHIN[name]
        if last is None or now - last > within:
            last = await _last_completion(client, name)
        if last and now - last <= within:
            self.completed[name] = last
            return None
        made = await client.read_deployments(deployment_filter=_named(name), limit=1)
        if not made or made[0].created is None:
            return None
        is_scheduled = not made[0].paused and any(schedule.active for schedule in made[0].schedules)
        return Completion(made[0].created, last, is_scheduled)


ENDED = (StateType.COMPLETED, StateType.FAILED, StateType.CRASHED)


def _named(deployment: str) -> DeploymentFilter:
    return DeploymentFilter(name=DeploymentFilterName(any_=[deployment]))


def _is_late(run: FlowRun) -> bool:
    """A late run of a helper is none: a batch needs no helper."""
    return run.state_name == LATE and run.work_pool_name != HELPERS


def _may_have_news(run: FlowRun) -> bool:
    at_its_end = run.state_type in (StateType.FAILED, StateType.CRASHED)
    return at_its_end or run.run_count > 1 or (run.state_type is not StateType.COMPLETED and run.state_name != LATE)


async def _last_completion(client: PrefectClient, name: str) -> datetime | None:
    runs = await client.read_flow_runs(
        deployment_filter=_named(name),
        flow_run_filter=ours(StateType.COMPLETED),
        sort=FlowRunSort.END_TIME_DESC,
        limit=1,
    )
    return runs[0].end_time if runs else None


async def _last_sign(client: PrefectClient) -> datetime | None:
    """When a worker of the pool last gave a sign of life; None when there never was one."""
    try:
        workers = await client.read_workers_for_work_pool(POOL, limit=1)  # the server answers the latest first
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
