"""What the sweep would go on with now, by the ledger alone."""

from __future__ import annotations

from functools import partial

from connectors.callbacks import CallbackStore, are_received
from connectors.ledger.batches import IsDead, OpenBatch
from connectors.ledger.send_log import is_dead
from connectors.ledger.store import Ledger
from connectors.ledger.transactions import Clock
from connectors.settings import SourcingSettings

SWEEP = "sweep"
"""The lease of the process that sweeps."""


def is_anything_due(settings: SourcingSettings, *, clock: Clock) -> bool:
    """Whether a sweep would find something to do, and none is at it. Makes no ledger.

    Raises `LedgerUnusable`.
    """
    url = settings.ledger_url
    with Ledger(url, clock=clock, owner="serve", only_reads=True) as ledger:
        moment = ledger.clock()
        if ledger.batches.is_leased(SWEEP, death_on(settings)):
            return False
        return (
            ledger.is_message_due(moment)
            or bool(due_batches(ledger, settings))
            or has_due_callbacks(url, clock=clock)
        )


def due_batches(ledger: Ledger, settings: SourcingSettings) -> list[OpenBatch]:
    """Return the batches that the sweep goes on with now, the oldest first."""
    moment = ledger.clock()
    is_paused = ledger.buying_paused() is not None
    dead = death_on(settings)
    return [
        batch
        for batch in ledger.batches.open()
        if batch.is_due(moment, dead, is_paused=is_paused)
    ]


def has_due_callbacks(ledger_url: str, *, clock: Clock) -> bool:
    """Return whether the service has posted what is to be read now."""
    if not are_received(ledger_url):
        return False
    with CallbackStore(ledger_url, clock=clock) as store:
        return store.is_reading_due()


def death_on(settings: SourcingSettings) -> IsDead:
    """Return what this machine can tell of its dead processes."""
    return partial(is_dead, settings.data_dir / "sends")
