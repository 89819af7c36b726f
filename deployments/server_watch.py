"""Polls Prefect's server for what a dead worker can't report, and keeps it as messages in the ledger.

Polling needs no cursor of its own: each message names its cause, and the ledger keeps each cause once. Only the
beginning is kept: what happened before a ledger was first watched makes no message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    Operator,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from connectors.foreign import words_of
from connectors.ledger.store import Ledger
from deployments.automations import TAG
from deployments.registration import HELPERS, POOL
from deployments.run_alerts import CRASHED_FOR_GOOD, alerts_of
from deployments.run_recovery import AT_WORK, AWAITING_RETRY
from deployments.stall_alerts import (
    COMPLETES_WITHIN,
    WORKER_GONE_AFTER,
    LateRun,
    at_work_again,
    no_worker,
    nobody_takes,
    overdue,
    worker_gone,
)
from domain.messages import KEPT_FOR, Message, MessageKind

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

WATCHED = Message(
    cause="watched",
    kind=MessageKind.WATCHED,
    subject="From here on Prefect's server is watched",
    body="",
    due_at=datetime(9999, 1, 1, tzinfo=UTC),
)
"""Never sent: the time of its row is when watching began."""
POLLS_BACK = timedelta(minutes=10)
"""From the poll before: a crashed run is polled until it is clear whether it is started again."""
PAGE = 200
LATE = "Late"


def watched_since(ledger: Ledger) -> datetime:
    """When the runs of this ledger were first watched; a weekend ago at most, what is older is old news."""
    ledger.outbox.put(WATCHED)
    ledger.outbox.withdraw(WATCHED.cause)
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
    notified: set[str] = field(default_factory=set)
    histories: dict[UUID, list[State]] = field(default_factory=dict)
    names: dict[UUID, str] = field(default_factory=dict)
    completed: dict[str, datetime] = field(default_factory=dict)
    may_be_back: bool = True

    async def poll(self, client: PrefectClient) -> list[Message]:
        """Store new messages; answers them. Raises what Prefect's client and the ledger raise."""
        now = datetime.now(UTC)
        self.up_since = self.up_since or now
        runs = await self._runs(client)
        found = [*await self._of_runs(client, runs, now), *await self._of_standstill(client, runs, now)]
        self.polled_at = now
        fresh = [message for message in found if message.cause not in self.notified]
        new = [message for message in fresh if await asyncio.to_thread(self.ledger.outbox.put, message)]
        self.notified = {message.cause for message in found}
        return new

    async def _runs(self, client: PrefectClient) -> list[FlowRun]:
        """The runs that are not over and not just planned, and those that ended since the poll before."""
        ended_since = max(self.since, self.polled_at - POLLS_BACK) if self.polled_at else self.since
        not_over = _in(*AT_WORK).model_copy(update={"operator": Operator.or_, "name": NOT_JUST_PLANNED})
        over = FlowRunFilterEndTime(after_=ended_since)
        return [*await _all(client, state=not_over), *await _all(client, state=_in(*ENDED), end_time=over)]

    async def _of_runs(self, client: PrefectClient, runs: Sequence[FlowRun], now: datetime) -> list[Message]:
        known, self.histories = self.histories, {}
        found: list[Message] = []
        for run in runs:
            if run.state is None or not _may_have_news(run):
                continue
            states = known.get(run.state.id) or await client.read_flow_run_states(run.id)
            self.histories[run.state.id] = states
            for message in alerts_of(run, states, since=self.since, now=now):
                found.append(await self._with_what_it_bought(client, run, message))
        return found

    async def _with_what_it_bought(self, client: PrefectClient, run: FlowRun, message: Message) -> Message:
        """A run left alone can't report its purchases any more: they are shown with it, and once in its message."""
        if not message.cause.startswith(CRASHED_FOR_GOOD) or message.cause in self.notified:
            return message
        from flows.batch.endings import show_stopped  # loads Arrow, which is hardly ever needed here

        try:
            words = await show_stopped(client, run, self.ledger)
        except Exception as error:  # noqa: BLE001 - that it crashed has to be told whatever else is known
            print(f"what {run.name} bought can't be shown: {words_of(error)}", flush=True)
            return message
        return replace(message, body=f"{words}\n{message.body}") if words else message

    async def _of_standstill(self, client: PrefectClient, runs: Sequence[FlowRun], now: datetime) -> list[Message]:
        assert self.up_since
        found = [one for name in COMPLETES_WITHIN if (one := await self._overdue(client, name, now))]
        waits = [run for run in runs if run.state_name == LATE and run.work_pool_name != HELPERS]  # a batch needs none
        late = [await self._late(client, run, now) for run in waits]
        last_sign = await _last_sign(client)
        if worker_gone(last_sign, late, up_since=self.up_since, now=now):
            self.may_be_back = True
            return [*found, no_worker(last_sign, late, timezone=self.timezone)]
        if self.may_be_back and last_sign and now - last_sign < WORKER_GONE_AFTER:  # not merely given time
            found += await asyncio.to_thread(self._back, now)
            self.may_be_back = False
        full = {queue for queue in {one.queue for one in late} if await _is_full(client, queue)}
        waiting = [one for one in late if one.queue not in full]
        return [*found, *nobody_takes(waiting, up_since=self.up_since, now=now, timezone=self.timezone)]

    async def _late(self, client: PrefectClient, run: FlowRun, now: datetime) -> LateRun:
        its = run.deployment_id
        if its and its not in self.names:
            self.names[its] = (await client.read_deployment(its)).name
        return LateRun(
            name=run.name,
            run_id=str(run.id),
            deployment=self.names[its] if its else run.name,
            queue=run.work_queue_name or "default",
            due=run.expected_start_time or now,
        )

    def _back(self, now: datetime) -> list[Message]:
        """A message that a worker is back, where its absence had one; its cause lets it be sent once."""
        gone = self.ledger.outbox.newest(MessageKind.WORKER_GONE)
        return [at_work_again(gone[1], now, timezone=self.timezone)] if gone and gone[1] >= self.since else []

    async def _overdue(self, client: PrefectClient, name: str, now: datetime) -> Message | None:
        last = self.completed.get(name)
        if last is None or now - last > COMPLETES_WITHIN[name]:
            last = await _last_completion(client, name)
        if last and now - last <= COMPLETES_WITHIN[name]:
            self.completed[name] = last
            return None
        made = await client.read_deployments(deployment_filter=_named(name), limit=1)
        if not made or made[0].created is None:
            return None
        is_scheduled = not made[0].paused and any(schedule.active for schedule in made[0].schedules)
        return overdue(
            name, last, awaited_since=made[0].created, is_scheduled=is_scheduled, now=now, timezone=self.timezone
        )


NOT_JUST_PLANNED = FlowRunFilterStateName(any_=[AWAITING_RETRY, LATE])
ENDED = (StateType.COMPLETED, StateType.FAILED, StateType.CRASHED)


def _in(*types: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=[*types]))


def _named(deployment: str) -> DeploymentFilter:
    return DeploymentFilter(name=DeploymentFilterName(any_=[deployment]))


def _may_have_news(run: FlowRun) -> bool:
    """Whether its earlier states can matter: most runs begin once, and end well."""
    at_its_end = run.state_type in (StateType.FAILED, StateType.CRASHED)
    return at_its_end or run.run_count > 1 or (run.state_type is not StateType.COMPLETED and run.state_name != LATE)


async def _all(
    client: PrefectClient, *, state: FlowRunFilterState, end_time: FlowRunFilterEndTime | None = None
) -> list[FlowRun]:
    wanted = FlowRunFilter(state=state, end_time=end_time, tags=FlowRunFilterTags(all_=[TAG]))
    found: list[FlowRun] = []
    while page := await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found += page
        if len(page) < PAGE:
            break
    return found


async def _last_completion(client: PrefectClient, name: str) -> datetime | None:
    runs = await client.read_flow_runs(
        deployment_filter=_named(name),
        flow_run_filter=FlowRunFilter(state=_in(StateType.COMPLETED), tags=FlowRunFilterTags(all_=[TAG])),
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
