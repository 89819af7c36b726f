"""Pausing all buying: what was claimed before may still leave, and until when."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from connectors.ledger.overview import every_open_effect
from connectors.ledger.records import EffectRecord
from connectors.ledger.send_log import is_dead
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from domain.effects import SPENDING, EffectStatus
from domain.holds import GOES_ON, Pause
from domain.wording import counted

POLL_EVERY_S = 0.5
NOTIFY_EVERY_S = 15.0
NOTHING_LEAVES = (
    "Nothing that was begun before can leave any more: nothing is created, paid or "
    f"booked. {GOES_ON}"
)
RESUMED = "buying was resumed meanwhile, and is not paused; to pause it, say so again"


def pause(
    ledger: Ledger,
    settings: SourcingSettings,
    *,
    by: str,
    why: str,
    notify: Callable[[str], None],
    requested_at: datetime | None = None,
) -> Pause | None:
    """Stop all buying, and return the pause once nothing that was claimed before can
    leave any more; `notify` gets the waiting. None where buying was resumed meanwhile.

    That is a matter of seconds while runs get on, and at most of a lease and one call.
    Raises `LedgerUnusable`.
    """
    standing = ledger.pause_buying(by, why, requested_at)
    if ledger.buying_paused():
        notify(standing.words)
    notified_at = 0.0
    while (leaving := effects_leaving(ledger, settings)) and ledger.buying_paused():
        if time.monotonic() - notified_at > NOTIFY_EVERY_S:
            notified_at = time.monotonic()
            notify(waiting_words(leaving))
        time.sleep(POLL_EVERY_S)
    return standing if ledger.buying_paused() else None


def effects_leaving(
    ledger: Ledger, settings: SourcingSettings, *, call_s: float | None = None
) -> list[tuple[EffectRecord, datetime]]:
    """Effects that buy and may be about to leave or wait for their answer, as the
    ledger and the send logs of this machine show them now; each until a time (UTC).

    An outcome is the end of both. A process elsewhere counts as alive. A call takes at
    most `call_s` seconds from its first byte.
    """
    moment = ledger.clock()
    logs = settings.data_dir / "sends"
    call = timedelta(seconds=XportcnSettings().timeout_s if call_s is None else call_s)
    return [
        (effect, effect.leaves_by + call)
        for effect in every_open_effect(ledger)
        if effect.action in SPENDING
        and effect.status is EffectStatus.SENDING
        and effect.leaves_by + call > moment
        and not is_dead(logs, effect.sender)
    ]


def waiting_words(leaving: Sequence[tuple[EffectRecord, datetime]]) -> str:
    """`3 claimed before may still leave or wait for an answer (2 pay, 1 book), until
    10:02:30 UTC; waiting for that`.
    """
    kinds = counted(str(effect.action) for effect, _ in leaving)
    last = max(until for _, until in leaving)
    return (
        f"{len(leaving):,} claimed before may still leave or wait for an answer "
        f"({kinds}), until {last:%H:%M:%S} UTC; waiting for that"
    )


def resumed_words(ended: Pause | None) -> str:
    """The result of resuming."""
    if ended is None:
        return "Buying was not paused"
    return (
        f"Buying is allowed again; it was paused since {ended.at:%Y-%m-%d %H:%M} UTC by "
        f"{ended.by}. The sweep (finish-open) goes on with what it left, or: sourcing "
        "finish"
    )
