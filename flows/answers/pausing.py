"""Pausing all buying: what was claimed before may still leave, and until when."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.ledger.overview import every_open_effect
from connectors.ledger.records import EffectRecord
from connectors.ledger.send_log import is_dead, never_sent
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from domain.effects import SPENDING, EffectStatus
from domain.holds import GOES_ON, Pause
from domain.states import BEGUN, OrderState
from domain.wording import counted, pluralize, shorten

RESUMED = "buying was resumed meanwhile, and is not paused"
POLL_EVERY_S = 0.5
SAY_EVERY_S = 15.0
NOTHING_LEAVES = "Nothing that was begun before can leave any more: nothing is created, paid or booked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Effects that buy, claimed before the pause. `to_come` may leave or be on the
    wire, at the latest until `by`.

    `in_doubt` left, or may have, without a known outcome: the service may carry them
    out until `clear_at`. Times are UTC; None where there is none.
    """

    to_come: Sequence[EffectRecord] = ()
    by: datetime | None = None
    in_doubt: Sequence[EffectRecord] = ()
    clear_at: datetime | None = None

    @property
    def words(self) -> str:
        """`3 claimed before may still leave or wait for an answer (2 pay, 1 book),
        until 10:02:30 UTC`.
        """
        if self.by is None:
            return NOTHING_LEAVES
        kinds = counted(str(effect.action) for effect in self.to_come)
        return (
            f"{len(self.to_come):,} claimed before may still leave or wait for an answer ({kinds}), until "
            f"{self.by:%H:%M:%S} UTC"
        )

    @property
    def doubt(self) -> str:
        """The sentence about effects without an answer; empty for none."""
        if self.clear_at is None:
            return ""
        return (
            f"{pluralize(len(self.in_doubt), 'effect')} sent before the pause got no answer: the service may still "
            f"carry it out until {self.clear_at:%H:%M:%S} UTC; runs and follow-ups go on asking what became of it"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """The pause in force, and what was left of claims made before it when none of them
    could leave any more.

    Or it was `resumed` meanwhile, or before that was noticed.
    """

    pause: Pause
    left: Leaving
    resumed: bool = False

    @property
    def words(self) -> str:
        return RESUMED if self.resumed else self.pause.words

    @property
    def lines(self) -> list[str]:
        """The lines to print when `pause` has returned."""
        if self.resumed:
            return [f"{RESUMED}; to pause it, say so again"]
        doubt = (
            [f"{self.left.doubt[:1].upper()}{self.left.doubt[1:]}."]
            if self.left.doubt
            else []
        )
        return [f"{NOTHING_LEAVES}. {GOES_ON}", *doubt]

    def to_json(self) -> dict[str, Any]:
        """The form for `--json`."""
        return {
            "paused": None
            if self.resumed
            else {**asdict(self.pause), "at": self.pause.at.isoformat()},
            "may_leave": len(self.left.to_come),
            "may_leave_until": self.left.by and self.left.by.isoformat(),
            "in_doubt": [effect.key for effect in self.left.in_doubt],
            "in_doubt_until": self.left.clear_at and self.left.clear_at.isoformat(),
        }


def pause(
    ledger: Ledger,
    settings: SourcingSettings,
    *,
    by: str,
    why: str,
    notify: Callable[[str], None],
    requested_at: datetime | None = None,
) -> Paused:
    """Stop all buying, and return when nothing that was claimed before can leave any
    more; `notify` gets the waiting.

    That is a matter of seconds while runs get on, and at most of a lease and one call.
    Raises `LedgerUnusable`.
    """
    standing = ledger.pause_buying(by, why, requested_at)
    if ledger.buying_paused():
        notify(standing.words)
    said = 0.0
    while (left := leaving(ledger, settings)).to_come and ledger.buying_paused():
        if time.monotonic() - said > SAY_EVERY_S:
            said = time.monotonic()
            notify(f"{left.words}; waiting for that")
        time.sleep(POLL_EVERY_S)
    return Paused(pause=standing, left=left, resumed=ledger.buying_paused() is None)


def left_by(ledger: Ledger, pause: Pause) -> dict[str, int]:
    """The orders that were approved and have not moved since the pause began, by
    batch.
    """
    waiting = ledger.orders_in((OrderState.PLANNED, *BEGUN)).values()
    return Counter(
        order.batch_id
        for order in waiting
        if order.plan_hash
        and order.shipment_order_id is None
        and order.updated_at >= pause.at
    )


def resume(
    ledger: Ledger, *, by: str, requested_at: datetime | None = None
) -> tuple[Pause | None, dict[str, int]]:
    """Allow buying again; the pause that has ended, and what it has left (see
    `left_by`). Raises `LedgerUnusable`.
    """
    ended = ledger.resume_buying(by, requested_at)
    left = left_by(ledger, ended) if ended else {}
    return ended, left


def leaving(
    ledger: Ledger, settings: SourcingSettings, *, call_s: float | None = None
) -> Leaving:
    """Effects that were claimed and have no outcome, as the ledger and the send logs of
    this machine show them now.

    A process elsewhere counts as alive. A call takes at most `call_s` seconds from its
    first byte.
    """
    now, logs = ledger.clock(), settings.data_dir / "sends"
    call = timedelta(seconds=XportcnSettings().timeout_s if call_s is None else call_s)
    ends, clear = dict[str, datetime](), dict[str, datetime]()
    begun = {
        one.key: one for one in every_open_effect(ledger) if one.action in SPENDING
    }
    for key, effect in begun.items():
        leaves_by = effect.leaves_by
        if _may_be_at_it(effect, logs) and leaves_by + call > now:
            ends[key] = leaves_by + call
        elif not never_sent(logs, effect.sender, key):
            clear[key] = leaves_by + timedelta(seconds=settings.settle_s)
    clear = {key: until for key, until in clear.items() if until > now}
    return Leaving(
        to_come=tuple(begun[key] for key in ends),
        by=max(ends.values(), default=None),
        in_doubt=tuple(begun[key] for key in clear),
        clear_at=max(clear.values(), default=None),
    )


def _may_be_at_it(effect: EffectRecord, logs: Path) -> bool:
    """Whether a process may be about to send it, or wait for its answer; an outcome is
    the end of both.
    """
    return effect.status is EffectStatus.SENDING and not is_dead(logs, effect.sender)


def _left(left: Mapping[str, int]) -> str:
    return f"{pluralize(sum(left.values()), 'approved order')} of {shorten(list(left))} to go on with"


def left_words(
    ended: Pause | None, left: Mapping[str, int], begun_runs: Sequence[str]
) -> str:
    """The result of resuming: orders `left` by batch, and the follow-ups that begin now
    (`begun_runs`).
    """
    if ended is None:
        return "Buying was not paused"
    since = f"it was paused since {ended.at:%Y-%m-%d %H:%M} UTC by {ended.by}"
    orders = _left(left) if left else ""
    begun = f"begun now: {shorten(list(begun_runs))}" if begun_runs else ""
    alone = [
        batch
        for batch in left
        if not any(look.partition(": ")[0] == f"finish {batch}" for look in begun_runs)
    ]
    otherwise = (
        f"for {shorten(alone)} run the file again, or start finish-batch"
        if alone
        else ""
    )
    return "; ".join(
        part
        for part in (f"Buying is allowed again; {since}", orders, begun, otherwise)
        if part
    )
