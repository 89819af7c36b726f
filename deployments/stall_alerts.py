"""Alerts when nothing happens: no worker, runs that no worker takes, nothing completed in time.

All of it is read anew from Prefect's server at each poll, so a restart loses none. A cause names what was there last:
one stall makes one message, and the next stall another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.ui_pages import deployment_page, runs_page
from deployments.registration import POOL
from domain.deadline import as_text
from domain.messages import Message, MessageKind
from domain.wording import pluralize, shorten

COMPLETES_WITHIN = {"nightly": timedelta(hours=26), "sync-tracking": timedelta(hours=3)}
WORKER_GONE_AFTER = timedelta(seconds=90)
"""Three missed signs of life of a worker; Prefect itself waits as long."""
LATE_AFTER = timedelta(minutes=10)
ONCE_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRun:
    """A run whose time has come and that no worker has taken."""

    name: str
    run_id: str
    deployment: str
    queue: str
    due: datetime


def worker_gone(last_sign: datetime | None, late: Sequence[LateRun], *, up_since: datetime, now: datetime) -> bool:
    """Whether runs have no worker. One that never was is missed only once a run waits for it.

    Signs of life need the server, so they are awaited only from `up_since`, when it was last seen to come up.
    """
    if last_sign is None and not late:
        return False
    return now - max(last_sign or up_since, up_since) > WORKER_GONE_AFTER


def no_worker(last_sign: datetime | None, late: Sequence[LateRun], *, timezone: str) -> Message:
    since = f"since {as_text(last_sign, timezone)} {timezone}" if last_sign else "and there has been none yet"
    waiting = f"{pluralize(len(late), 'run')} wait{'s' if len(late) == 1 else ''} for one: {shorten(_names(late))}. "
    return Message(
        cause=f"worker-gone:{last_sign.isoformat() if last_sign else 'never'}",
        kind=MessageKind.WORKER_GONE,
        subject="No worker: no run can begin",
        body=f"No worker of the pool {POOL} gives signs of life, {since}. {waiting if late else ''}Runs that are at "
        "work end as they would.\nWhat to do: start `sourcing serve`, or the worker's service, again; its log says why "
        f"it ended. What was missed is started by itself then.",
        link=runs_page(),
    )


def nobody_takes(late: Iterable[LateRun], *, up_since: datetime, now: datetime, timezone: str) -> list[Message]:
    """One message a deployment, however many of its runs are late; none while they had no chance to be taken."""
    first: dict[str, LateRun] = {}
    for run in sorted(late, key=lambda one: one.due):
        if now - max(run.due, up_since) > LATE_AFTER:
            first.setdefault(run.deployment, run)
    return [
        Message(
            cause=f"run-late:{run.run_id}",
            kind=MessageKind.NOTHING_RAN,
            subject=f"{run.deployment} is due and does not begin",
            body=f"The run {run.name} was due at {as_text(run.due, timezone)} {timezone}, and no worker takes it, "
            f"though there is one and its queue {run.queue} has room.\nWhat to do: in the UI, see whether the pool "
            f"{POOL} (Work Pools), its queue {run.queue} or the deployment is paused, and resume it; if none is, start "
            f"the worker again.",
            link=runs_page(),
        )
        for run in first.values()
    ]


def overdue(
    name: str, last: datetime | None, *, awaited_since: datetime, is_scheduled: bool, now: datetime, timezone: str
) -> Message | None:
    """A message that no run of a deployment has completed in time; one a day, unless its schedule is off.

    Before the first completion the wait begins when the deployment was made.
    """
    since = last or awaited_since
    waited = timedelta(seconds=(now - since).total_seconds())  # Prefect's own kind of period can't be divided
    if waited <= COMPLETES_WITHIN[name]:
        return None
    days = (waited - COMPLETES_WITHIN[name]) // ONCE_A_DAY if is_scheduled else 0
    when = f"since {as_text(last, timezone)} {timezone}" if last else "yet"
    why = (
        "Look at Runs: one that waits for an answer, is late or fails again and again says why." if is_scheduled else ""
    )
    off = "" if is_scheduled else "Its schedule is switched off: switch it on, on the deployment's page."
    return Message(
        cause=f"overdue:{name}:{since.isoformat()}:{days}",
        kind=MessageKind.NOTHING_RAN,
        subject=f"{name} has not completed for {waited // timedelta(hours=1)} hours",
        body=f"No run of the deployment {name} has completed {when}. Was the machine off? Then what it missed is "
        f"started by itself.\nWhat to do: nothing is lost, the next run that completes catches up. {why}{off}"
        f"",
        link=deployment_page(name),
    )


def server_gone(since: datetime, *, timezone: str) -> Message:
    """A message that Prefect's server does not answer; one a day."""
    return Message(
        cause=f"server-gone:{since:%Y-%m-%d}",
        kind=MessageKind.WORKER_GONE,
        subject="Prefect's server does not answer: no run can begin",
        body=f"It has not answered since {as_text(since, timezone)} {timezone}.\nWhat to do: start `sourcing serve`, "
        "or the server's service, again; its log says why it ended. Runs that are at work go on without it, and what "
        "was missed is started by itself.",
    )


def at_work_again(gone_at: datetime, now: datetime, *, timezone: str) -> Message:
    return Message(
        cause=f"worker-back:{gone_at.isoformat()}",
        kind=MessageKind.WORKER_BACK,
        subject="Runs begin again",
        body=f"Server and worker are there again, seen at {as_text(now, timezone)} {timezone}. What was missed is "
        "started by itself; nothing is left to do.",
        link=runs_page(),
    )


def _names(late: Sequence[LateRun]) -> list[str]:
    return sorted({run.deployment for run in late})
