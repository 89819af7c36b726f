"""Messages about runs, by the states that Prefect's server keeps of them.

| a run | message | cause |
|---|---|---|
| failed, or took too long | each time | `run-failed:<state>` |
| lost its process and is started again | once | `run-again:<run>` |
| crashed for the last time, or three minutes ago and was not started again | each time | `run-crashed:<state>` |

States are rows of the database, written with the run: a server that is killed loses no state, as it loses events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, State, StateType

from connectors.foreign import shortened
from connectors.ui_pages import run_page
from deployments.automations import STARTED_AGAIN_AT_MOST
from deployments.run_recovery import AWAITING_RETRY, times_started_again
from domain.messages import Message, MessageKind, alert
from domain.reasons import Reason, ReasonCode, because, run_label

NOBODY_CAME = timedelta(minutes=3)
"""Both restarts of a crashed run have come long before."""
CRASHED_FOR_GOOD = "run-crashed:"
LONGEST_REASON = 500
OF_A_FILE = {ReasonCode.RUN_FILE_FAULTY, ReasonCode.RUN_FILE_UNREADABLE}
NOT_TWICE = "Nothing is bought twice: the ledger knows how far the run came."


def alerts_of(run: FlowRun, states: Sequence[State], *, since: datetime, now: datetime) -> Iterator[Message]:
    """The messages about a run, for what happened `since` then. `states` are all that it had, in any order."""
    state = run.state
    if state is None:
        return
    if state.type is StateType.FAILED and state.timestamp > since:
        why = _why_failed(run, state)
        if run.parent_task_run_id is None or why.code not in OF_A_FILE:  # a night's own message names the file
            yield _about(run, f"run-failed:{state.id}", "failed", why)
    if run.deployment_id is None:
        return  # a batch of a night: it ends with the night's run, which has its message
    seen = {one.id for one in states}
    if any(_was_lost(one, seen) and one.timestamp > since for one in states):
        lost = because(ReasonCode.RUN_LOST)
        yield _about(run, f"run-again:{run.id}", "lost its process", lost, MessageKind.RUN_AGAIN)
    if state.type is StateType.CRASHED and state.timestamp > since:
        is_last = times_started_again(run, states) >= STARTED_AGAIN_AT_MOST
        if is_last or now - state.timestamp > NOBODY_CAME:
            code = ReasonCode.RUN_LOST_TOO_OFTEN if is_last else ReasonCode.RUN_NOT_STARTED_AGAIN
            why = because(code, times=STARTED_AGAIN_AT_MOST)
            yield _about(run, f"{CRASHED_FOR_GOOD}{state.id}", "crashed for good", why)


def _was_lost(state: State, seen: set[UUID]) -> bool:
    """Whether the end of its process was noticed, or found later: recovery names a transition after the state seen."""
    is_found = state.name == AWAITING_RETRY and state.state_details.transition_id in seen
    return state.type is StateType.CRASHED or is_found


def _why_failed(run: FlowRun, state: State) -> Reason:
    """The reason with the code that the run left. Without one the message is Prefect's, which may quote a form."""
    if state.name == "TimedOut":
        return because(ReasonCode.RUN_TOOK_TOO_LONG)
    code = ReasonCode.of(str(run.labels.get(run_label(run.run_count))))
    if code is None:
        return because(ReasonCode.RUN_NOT_BEGUN)
    words = shortened(" ".join((state.message or "").split()), LONGEST_REASON)
    return because(code, failure=None if code is ReasonCode.RUN_FILE_FAULTY else words)  # faults quote cells


def _about(run: FlowRun, cause: str, what: str, why: Reason, kind: MessageKind = MessageKind.RUN_FAILED) -> Message:
    return alert(cause, kind, f"{run.name} {what}", why, NOT_TWICE, link=run_page(run.id))
