"""A pause of the flow run that ends with an answer or at a deadline, also where the
server is away for a while.

The time of the first question is kept with the deployment's run: a run that is lost
while it asks then asks anew with the same deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from http.client import NOT_FOUND
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.flow_runs import apause_flow_run
from prefect.input import RunInput, keyset_from_paused_state
from prefect.states import Paused, Running

from connectors.foreign import prefect_errors
from connectors.process_locks import deployed_run
from domain.wording import GOES_ON
from flows.prefect_ui.expected_errors import ASKING, run_logger
from flows.prefect_ui.runs import current_run
from tasks.engine.resources import utc_now

POLL_S = 3
SPARE_S = 7 * 86_400
"""The pause outlives the deadline, so that this process can still resume the run, also
once its machine has slept.
"""


class CancelledBelow(Exception):
    """The run of a night's batch was cancelled. It has no process of its own that a
    worker would end.
    """


def outermost_run() -> UUID:
    """The run of the deployment; a night asks in a run below it, which differs between
    attempts.
    """
    return UUID(run_id) if (run_id := deployed_run()) else this_run()


def this_run() -> UUID:
    run = current_run()
    assert run is not None
    return run.id


async def retried_at() -> datetime | None:
    """When a person last pressed *Retry* for this deployment's run: what counts from
    its start counts from then.

    A run that is taken up after a crash is still the same run.
    """
    if not (run_id := deployed_run()):
        return None
    with suppress(*prefect_errors()):
        async with get_client() as client:
            states = await client.read_flow_run_states(UUID(run_id))
        again = [
            one
            for one in states
            if one.name == "AwaitingRetry" and GOES_ON not in (one.message or "")
        ]
        return max((one.timestamp for one in again), default=None)
    return None


@asynccontextmanager
async def asked_since(key: str) -> AsyncIterator[datetime]:
    """When this question was first asked, by this process or one before it died; an
    answered question is forgotten.
    """
    yield await _first_asked(outermost_run(), key)
    await forget(key)


async def forget(key: str) -> None:
    """Let a question that is asked again count from then."""
    with suppress(*prefect_errors()):
        async with get_client() as client:
            await client.delete_flow_run_input(outermost_run(), key)


async def _first_asked(run_id: UUID, key: str) -> datetime:
    again = await retried_at()
    async with get_client() as client:
        try:
            first = datetime.fromisoformat(
                await client.read_flow_run_input(run_id, key)
            )
            if again is None or again < first:
                return first
            await client.delete_flow_run_input(run_id, key)
        except PrefectHTTPStatusError as error:
            if error.response.status_code != NOT_FOUND:
                raise
        now = utc_now()
        await client.create_flow_run_input(run_id, key, now.isoformat())
        return now


async def filled_in(
    form: type[RunInput], key: str, deadline: datetime, nothing: Mapping[str, Any]
) -> RunInput | None:
    """The answer of a pause under a key that no other attempt has; None for silence.
    `nothing` is the form with a no.

    Raises pydantic's `ValidationError` for an answer that the server took and the form
    does not allow. Raises `CancelledBelow` once the cancelled run is at work again.
    """
    ASKING.add(this_run())
    try:
        return await _given_or_cancelled(form, key, deadline)
    except TimeoutError:
        if await _ended(nothing):
            return None
        return await form.aload(
            keyset_from_paused_state(Paused(pause_key=key))
        )  # a person answered at the last moment
    finally:
        ASKING.discard(this_run())


async def _given_or_cancelled(
    form: type[RunInput], key: str, deadline: datetime
) -> RunInput:
    given = asyncio.create_task(_given(form, key, deadline))
    cancelled, over = (
        asyncio.create_task(_cancelled_below()),
        asyncio.create_task(_over(deadline)),
    )
    tasks = (given, cancelled, over)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if cancelled.done():
            raise CancelledBelow
        if not given.done():
            raise TimeoutError
        return await given
    finally:
        for task in tasks:
            task.cancel()


async def _over(deadline: datetime) -> None:
    """Wait for a moment of the clock: the loop's own stands still while the machine
    sleeps.
    """
    while (left := (deadline - utc_now()).total_seconds()) > 0:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(min(left, POLL_S))


async def _cancelled_below() -> None:
    """Wait until the run of a night's batch is cancelled, and set it running again: it
    has to report what is held.
    """
    while True:
        await asyncio.sleep(POLL_S)
        if this_run() != outermost_run() and await is_cancelled(this_run()):
            with suppress(*prefect_errors()):
                async with get_client() as client:
                    await client.set_flow_run_state(this_run(), Running(), force=True)
                return


async def is_cancelled(run_id: UUID) -> bool:
    """Whether a person cancelled or paused this run on its page, as far as the server
    can say.
    """
    with suppress(*prefect_errors()):
        async with get_client() as client:
            state = (await client.read_flow_run(run_id)).state
            stopped = state and (
                state.is_cancelling()
                or state.is_cancelled()
                or state.name == "Suspended"
            )
            return bool(stopped)
    return False


async def _given(form: type[RunInput], key: str, deadline: datetime) -> RunInput:
    """The filled-in form. A server that is away for a while takes no answers and keeps
    the question.
    """
    lasts_s = int((deadline - utc_now()).total_seconds()) + SPARE_S
    try:
        return await apause_flow_run(
            wait_for_input=form, timeout=lasts_s, poll_interval=POLL_S, key=key
        )
    except prefect_errors() as error:
        if not await _is_paused(key):
            raise
        run_logger().warning(
            "The Prefect server was away (%s); still waiting for approval",
            type(error).__name__,
        )
        while await _is_paused(key):  # noqa: ASYNC110 - only the server knows
            await asyncio.sleep(POLL_S)
        return await form.aload(keyset_from_paused_state(Paused(pause_key=key)))


async def _is_paused(key: str) -> bool:
    """Whether the run still waits for this answer; waits for the server if need be."""
    async with get_client() as client:
        while True:
            try:
                state = (await client.read_flow_run(this_run())).state
                return (
                    state is not None
                    and state.is_paused()
                    and state.state_details.pause_key == key
                )
            except ObjectNotFound:
                return False
            except prefect_errors():
                await asyncio.sleep(POLL_S)


async def _ended(nothing: Mapping[str, Any]) -> bool:
    """Answer this question with a no, to end the pause; false where a person has
    answered already.
    """
    async with get_client() as client:
        result = await client.resume_flow_run(this_run(), run_input=dict(nothing))
        return result.status is SetStateStatus.ACCEPT
