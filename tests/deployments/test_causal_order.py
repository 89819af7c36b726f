"""After a restart of Prefect's server an event waits for none that came before it;
otherwise as Prefect has it.

Prefect's server is imported by the tests, not with them: it takes each process of `make
test` a second and more.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

import pytest

if TYPE_CHECKING:
    from prefect.server.events.ordering.memory import CausalOrdering
    from prefect.server.events.schemas.events import ReceivedEvent

MINUTE = timedelta(minutes=1)


@pytest.fixture
def kinds(
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[type[CausalOrdering], type[CausalOrdering]]:
    """Prefect's order and ours, of a server that began a minute ago and has heard
    nothing yet.
    """
    from prefect.server.events.ordering.memory import CausalOrdering

    from deployments import causal_order

    monkeypatch.setattr(
        causal_order, "STARTED_MS", (datetime.now(UTC) - MINUTE).timestamp() * 1000
    )
    CausalOrdering.clear_all_scopes()
    return CausalOrdering, causal_order.CausalOrdering


@pytest.mark.parametrize(
    ("age", "ours_waits", "prefect_waits"),
    [
        pytest.param(
            0.5 * MINUTE,
            True,
            True,
            id="the state before is of this server's time and was not heard yet",
        ),
        pytest.param(4.9 * MINUTE, False, True, id="it is of before the restart"),
        pytest.param(
            5.1 * MINUTE, False, False, id="it is so old that the event follows nothing"
        ),
    ],
)
async def test_a_crash_is_heard_at_any_age_of_the_run(
    kinds: tuple[type[CausalOrdering], type[CausalOrdering]],
    age: timedelta,
    ours_waits: bool,  # noqa: FBT001
    prefect_waits: bool,  # noqa: FBT001
) -> None:
    """A run that began `age` ago is said to have crashed now."""
    crash = await _crash(running_since=datetime.now(UTC) - age)
    assert [await _waits(kind(scope=str(uuid4())), crash) for kind in kinds] == [
        prefect_waits,
        ours_waits,
    ]


async def test_of_an_id_that_tells_no_time_the_event_is_awaited(
    kinds: tuple[type[CausalOrdering], type[CausalOrdering]],
) -> None:
    crash = (await _crash(running_since=datetime.now(UTC))).model_copy(
        update={"follows": uuid4()}
    )
    assert await _waits(kinds[1](scope=str(uuid4())), crash)


async def _crash(*, running_since: datetime) -> ReceivedEvent:
    """As Prefect's server makes it."""
    from prefect.server.models import events as state_events
    from prefect.server.schemas.states import State, StateType

    run = SimpleNamespace(id=uuid4(), name="a run", run_count=1, created_by=None)
    state_events._flow_run_resource_data_cache[run.id] = {"flow-run": {}}
    running = State(
        id=_made_at(running_since),
        type=StateType.RUNNING,
        timestamp=cast(Any, running_since),
    )
    crashed = State(type=StateType.CRASHED)
    event = await state_events.flow_run_state_change_event(
        session=cast(Any, None),
        occurred=datetime.now(UTC),
        flow_run=cast(Any, run),
        initial_state_id=running.id,
        initial_state=running,
        validated_state_id=crashed.id,
        validated_state=crashed,
    )
    return event.receive()


def _made_at(moment: datetime) -> UUID:
    return UUID(
        int=(int(moment.timestamp() * 1000) << 80)
        | (7 << 76)
        | (2 << 62)
        | uuid4().int & 0xFFFF
    )


async def _waits(order: CausalOrdering, event: ReceivedEvent) -> bool:
    from prefect.server.events.ordering import EventArrivedEarly

    async def handler(event: ReceivedEvent, depth: int = 0) -> None: ...

    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(
                order.preceding_event_confirmed(handler, event)
            )
    except EventArrivedEarly:
        return True
    return False
