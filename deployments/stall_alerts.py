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
from domain.follow_ups import as_text
from domain.messages import Message, MessageKind, alert
from domain.reasons import ReasonCode, because
from domain.wording import shorten

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
    waiting = shorten(sorted({run.deployment for run in late}))
    why = because(ReasonCode.NO_WORKER, pool=POOL, waiting=waiting, **_since(last_sign, timezone))
    cause = f"worker-gone:{last_sign.isoformat() if last_sign else 'never'}"
    return alert(cause, MessageKind.WORKER_GONE, "No worker: no run can begin", why, link=runs_page())


def nobody_takes(late: Iterable[LateRun], *, up_since: datetime, now: datetime, timezone: str) -> list[Message]:
    """One message a deployment, however many of its runs are late; none while they had no chance to be taken."""
    first: dict[str, LateRun] = {}
    for run in sorted(late, key=lambda one: one.due):
        if now - max(run.due, up_since) > LATE_AFTER:
            first.setdefault(run.deployment, run)
    return [_not_taken(run, timezone) for run in first.values()]


def _not_taken(run: LateRun, timezone: str) -> Message:
    due = f"{as_text(run.due, timezone)} {timezone}"
    why = because(ReasonCode.RUN_NOT_TAKEN, run=run.name, due=due, queue=run.queue, pool=POOL)
    subject = f"{run.deployment} is due and does not begin"
    return alert(f"run-late:{run.run_id}", MessageKind.NOTHING_RAN, subject, why, link=runs_page())


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
    facts = {"scheduled": is_scheduled, "off": not is_scheduled, **_since(last, timezone)}
    cause = f"overdue:{name}:{since.isoformat()}:{days}"
    subject = f"{name} has not completed for {waited // timedelta(hours=1)} hours"
    why = because(ReasonCode.OVERDUE, deployment=name, **facts)
    return alert(cause, MessageKind.NOTHING_RAN, subject, why, link=deployment_page(name))


def server_gone(since: datetime, *, timezone: str) -> Message:
    """A message that Prefect's server does not answer; one a day."""
    why = because(ReasonCode.SERVER_AWAY, since=f"{as_text(since, timezone)} {timezone}")
    subject = "Prefect's server does not answer: no run can begin"
    return alert(f"server-gone:{since:%Y-%m-%d}", MessageKind.WORKER_GONE, subject, why)


def at_work_again(gone_at: datetime, now: datetime, *, timezone: str) -> Message:
    why = because(ReasonCode.RUNS_BEGIN_AGAIN, at=f"{as_text(now, timezone)} {timezone}")
    return alert(
        f"worker-back:{gone_at.isoformat()}", MessageKind.WORKER_BACK, "Runs begin again", why, link=runs_page()
    )


def _since(last: datetime | None, timezone: str) -> dict[str, object]:
    return {"since": f"{as_text(last, timezone)} {timezone}"} if last else {"never": True}
