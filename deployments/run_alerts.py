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

from prefect.client.schemas.objects import FlowRun, State, StateType

from connectors.ui_pages import run_page
from deployments.automations import STARTED_AGAIN_AT_MOST
from deployments.run_recovery import AWAITING_RETRY, GOES_ON, times_started_again
from domain.messages import Message, MessageKind

NOBODY_CAME = timedelta(minutes=3)
"""Both restarts of a crashed run have come long before."""
CRASHED_FOR_GOOD = "run-crashed:"
UNEXPECTED = "Flow run encountered an exception"
LONGEST_REASON = 500


def alerts_of(run: FlowRun, states: Sequence[State], *, since: datetime, now: datetime) -> Iterator[Message]:
    """The messages about a run, for what happened `since` then. `states` are all that it had, in any order."""
    state, name = run.state, run.name
    if state is None:
        return
    if state.type is StateType.FAILED and state.timestamp > since and not _is_faulty_file_of_a_night(run, state):
        what = "took too long and was ended" if state.name == "TimedOut" else "failed"
        remedy = MEND if run.deployment_id else WAIT_FOR_THE_NIGHT
        yield _about(run, f"run-failed:{state.id}", MessageKind.RUN_FAILED, f"{name} {what}", _why(state), remedy)
    if run.deployment_id is None:
        return  # a batch of a night: it ends with the night's run, which has its message
    if any(_was_lost(one) and one.timestamp > since for one in states):
        yield _about(run, f"run-again:{run.id}", MessageKind.RUN_AGAIN, f"{name} lost its process", LOST, WAIT)
    if state.type is StateType.CRASHED and state.timestamp > since:
        is_last = times_started_again(run, states) >= STARTED_AGAIN_AT_MOST
        if is_last or now - state.timestamp > NOBODY_CAME:
            why = LAST if is_last else NOT_AGAIN
            yield _about(
                run, f"{CRASHED_FOR_GOOD}{state.id}", MessageKind.RUN_FAILED, f"{name} crashed for good", why, RETRY
            )


def _is_faulty_file_of_a_night(run: FlowRun, state: State) -> bool:
    """The night's own message names the file."""
    return run.parent_task_run_id is not None and (state.message or "").startswith("the request file has")


LOST = (
    "Its process or machine is gone: it was killed, had no memory left, or the machine was switched off. It is started "
    "again by itself and goes on where it was."
)
WAIT = "nothing, unless this comes again and again; then look at the memory of the machine, and at the log of the run."
LAST = f"It was started again {STARTED_AGAIN_AT_MOST} times and lost its process each time, so it is left alone now."
NOT_AGAIN = (
    "Its process is gone, and nobody has started it again: the automation `sourcing: run again` may be switched off."
)
RETRY = "find out why in the log of the run, then press Retry on its page."
WAIT_FOR_THE_NIGHT = "mend what the reason says; the next night takes the file again if it lies in the folder open."
MEND = "mend what the reason says, then press Retry on the run's page, or wait for the next schedule."


def _was_lost(state: State) -> bool:
    """Whether the end of its process was noticed, or found later."""
    by_whom_found = state.name == AWAITING_RETRY and (state.message or "").endswith(GOES_ON)
    return state.type is StateType.CRASHED or by_whom_found


def _why(state: State) -> str:
    """The run's own last words. An unforeseen error may quote personal data: only its kind is taken."""
    told = (state.message or "").partition(":\n  ")[0]  # behind that stand the faults of a file, which quote its cells
    words = " ".join(told.split()).split(" [type=")[0]  # behind that pydantic quotes the input
    if words.startswith(UNEXPECTED):
        kind = words.removeprefix(UNEXPECTED).strip(": ").split(":")[0].split(" ")[0]
        return f"An error that nobody foresaw{f' ({kind})' if kind else ''}; the log of the run has all of it."
    return (words[:LONGEST_REASON] + ("…" if len(words) > LONGEST_REASON else "")) or "It says no reason."


def _about(run: FlowRun, cause: str, kind: MessageKind, subject: str, why: str, remedy: str) -> Message:
    body = f"{why}\nWhat to do: {remedy}\nNothing is bought twice: the ledger knows how far the run came."
    return Message(cause=cause, kind=kind, subject=subject, body=body, link=run_page(run.id))
