"""Notifications of a person away from the terminal: each message once, by its cause;
unknown words too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from domain.marketplace import Marketplace
from domain.reasons import Reason, ReasonCode, because
from domain.wording import Worded, pluralize, shorten

KEPT_FOR = timedelta(days=3)
"""How long a message waits for a sender: over a weekend, and no longer, or it would be
old news.
"""
TRIED_FOR = timedelta(days=1)
"""How long an unreachable recipient is tried again."""
_PAUSES_S = (15, 30, 60, 120, 300, 600, 1200, 1800)


class MessageKind(Worded):
    """What a message is about. Those of one kind that are due together go out as one:
    `several`, after their number.
    """

    @property
    def several(self) -> str:
        return self.words or f"messages: {self.replace('_', ' ')}"

    APPROVAL_WAITS = "approval_waits", "plans wait for your yes"
    FAULTS = "faults", "request files have faults"
    ORDERS_WAIT = "orders_wait", "batches have orders that wait for a person"
    EFFECT_UNKNOWN = "effect_unknown", "runs had no answer to what they sent"
    BUDGET_USED = "budget_used", "budgets are used up"
    PARCEL = "parcel", "parcels need a person"
    REFUND = "refund", "refunds need a person"
    RETURN_ENDS = "return_ends", "times to send goods back are nearly over"
    DIFFERS = "differs", "times the ledger and the service differed"
    SERVICE_AWAY = "service_away"
    SERVICE_BACK = "service_back"
    RUN_FAILED = "run_failed", "runs failed"
    RUN_AGAIN = "run_again", "runs lost their process and are started again"
    WORKER_GONE = "worker_gone"
    WORKER_BACK = "worker_back"
    WATCHED = "watched"
    NOTHING_RAN = "nothing_ran", "things did not run in time"
    BUYING_PAUSED = "buying_paused"
    UNKNOWN_STATE = "unknown_state", "marketplaces show states that are not known here"
    FIRST_PAYMENT = "first_payment", "marketplaces were paid at for the first time"
    CALLS_USED_UP = "calls_used_up", "days had no calls to the service left"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to send. `cause` names why, and each cause is sent once, ever:
    `approval:RUN`, `stalled:ORDER`.

    Plain text that holds no address, phone number or name of a parcel's receiver, and
    no secret. Sent at `due_at` (None: now), and not at all once `until` is over (None:
    three days later): a reminder of what is past is no help.

    `about` are further causes that it covers, such as the orders of a batch: it is sent
    while one of them is new.
    """

    cause: str
    kind: MessageKind
    subject: str
    body: str
    link: str = ""
    due_at: datetime | None = None
    until: datetime | None = None
    about: tuple[str, ...] = ()


def alert(
    cause: str,
    kind: MessageKind,
    subject: str,
    why: Reason,
    *notes: str,
    link: str = "",
) -> Message:
    """The message of a reason, with further lines."""
    return Message(
        cause=cause,
        kind=kind,
        subject=subject,
        body="\n".join([*sentences(why), *notes]),
        link=link,
    )


def parcel_silent(days: int) -> Reason:
    """The reason of a parcel that no carrier has scanned for so many days."""
    return because(ReasonCode.PARCEL_SILENT, days=days)


def sentences(why: Reason) -> list[str]:
    """The sentence of a reason, and what to do."""
    words = str(why)
    return [
        f"{words[:1].upper()}{words[1:]}.",
        *([f"What to do: {why.remedy}."] if why.remedy else []),
    ]


def pause_after(tries: int) -> timedelta:
    """The pause before an unreachable recipient is tried again, after so many tries,
    from 1.
    """
    return timedelta(seconds=_PAUSES_S[min(tries, len(_PAUSES_S)) - 1])


NOTHING_GUESSED = (
    "Nothing is guessed from it: what this program has paid counts as paid, and orders, parcels and refunds stay as "
    "they were until a known word follows. Ask the service's support what it means. This is sent once a word; "
    "`sourcing doctor` lists all."
)
CAUSE = "unknown-word:"


class Place(StrEnum):
    """The place of a word in the service's answers."""

    ORDER = "order state"
    PARCEL = "parcel stage"
    REFUND = "refund state"


def counted(unknown: Mapping[UnknownWord, Collection[str]]) -> dict[str, int]:
    """The number of orders of each word."""
    return {str(word): len(order_refs) for word, order_refs in sorted(unknown.items())}


class UnknownWord(NamedTuple):
    """A marketplace's word. Its text ends the cause of its message."""

    marketplace: Marketplace
    place: Place
    word: str

    def __str__(self) -> str:
        return f"{self.marketplace} {self.place} {self.word or 'none told'}"

    def message(self, order_refs: set[str]) -> Message:
        return Message(
            cause=f"{CAUSE}{self}",
            kind=MessageKind.UNKNOWN_STATE,
            subject=f"{self.marketplace} shows {pluralize(len(order_refs), 'order')} whose {self.place} this program "
            f"does not know: {self.word or 'none told'}",
            body=f"{shorten(sorted(order_refs), 20)}. {NOTHING_GUESSED}",
        )
