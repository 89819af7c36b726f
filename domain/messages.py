"""Notifications of a person away from the terminal: each message once, by its cause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.reasons import Reason

KEPT_FOR = timedelta(days=3)
"""How long a message waits for a sender: over a weekend, and no longer, or it would be old news."""
TRIED_FOR = timedelta(days=1)
"""How long an unreachable recipient is tried again."""
_PAUSES_S = (15, 30, 60, 120, 300, 600, 1200, 1800)


class MessageKind(StrEnum):
    """What a message is about. Those of one kind that are due together go out as one."""

    APPROVAL_WAITS = "approval_waits"
    APPROVAL_ENDS = "approval_ends"
    NOT_APPROVED = "not_approved"
    FAULTS = "faults"
    ORDERS_WAIT = "orders_wait"
    EFFECT_UNKNOWN = "effect_unknown"
    BUDGET_USED = "budget_used"
    PARCEL = "parcel"
    DIFFERS = "differs"
    SERVICE_AWAY = "service_away"
    SERVICE_BACK = "service_back"
    RUN_FAILED = "run_failed"
    RUN_AGAIN = "run_again"
    WORKER_GONE = "worker_gone"
    WORKER_BACK = "worker_back"
    WATCHED = "watched"
    NOTHING_RAN = "nothing_ran"
    BUYING_PAUSED = "buying_paused"
    UNKNOWN_STATE = "unknown_state"
    FIRST_PAYMENT = "first_payment"
    CALLS_USED_UP = "calls_used_up"
    DIGEST = "digest"

    @property
    def several(self) -> str:
        """The word for several of this kind, after their number."""
        return _SEVERAL.get(self, f"messages: {self.replace('_', ' ')}")


_SEVERAL = {
    MessageKind.APPROVAL_WAITS: "plans wait for your yes",
    MessageKind.APPROVAL_ENDS: "plans wait for your yes, not for much longer",
    MessageKind.NOT_APPROVED: "plans were not bought: no answer came",
    MessageKind.FAULTS: "request files have faults",
    MessageKind.ORDERS_WAIT: "batches have orders that wait for a person",
    MessageKind.EFFECT_UNKNOWN: "runs had no answer to what they sent",
    MessageKind.BUDGET_USED: "budgets are used up",
    MessageKind.PARCEL: "parcels need a person",
    MessageKind.DIFFERS: "times the ledger and the service differed",
    MessageKind.RUN_FAILED: "runs failed",
    MessageKind.RUN_AGAIN: "runs lost their process and are started again",
    MessageKind.UNKNOWN_STATE: "marketplaces show states that are not known here",
    MessageKind.FIRST_PAYMENT: "marketplaces were paid at for the first time",
    MessageKind.CALLS_USED_UP: "days had no calls to the service left",
    MessageKind.NOTHING_RAN: "things did not run in time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to send. `cause` names why, and each cause is sent once, ever: `approval:RUN`, `stalled:ORDER`.

    Plain text that holds no address, phone number or name of a parcel's receiver, and no secret. Sent at `due_at`
    (None: now), and not at all once `until` is over (None: three days later): a reminder of what is past is no help.

    `about` are further causes that it covers, such as the orders of a batch: it is sent while one of them is new.
    """

    cause: str
    kind: MessageKind
    subject: str
    body: str
    link: str = ""
    due_at: datetime | None = None
    until: datetime | None = None
    about: tuple[str, ...] = ()


def alert(cause: str, kind: MessageKind, subject: str, why: Reason, *notes: str, link: str = "") -> Message:
    """The message of a reason: its sentence, what to do, and further lines."""
    remedy = [f"What to do: {why.remedy}."] if why.remedy else []
    words = str(why)
    body = "\n".join([f"{words[:1].upper()}{words[1:]}.", *remedy, *notes])
    return Message(cause=cause, kind=kind, subject=subject, body=body, link=link)


def pause_after(tries: int) -> timedelta:
    """The pause before an unreachable recipient is tried again, after so many tries, from 1."""
    return timedelta(seconds=_PAUSES_S[min(tries, len(_PAUSES_S)) - 1])
