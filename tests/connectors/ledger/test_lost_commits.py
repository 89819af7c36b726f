"""A commit that succeeded without our hearing of it, as when the database server goes
away in that moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from connectors.ledger.engine import unusable
from connectors.ledger.records import Outcome, SpendLimits
from connectors.ledger.store import Ledger
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.matching import Match
from domain.money import Money
from domain.states import OrderState
from tests.clock import MovableClock
from tests.connectors.ledger.plans import NEVER_LEFT, intents

LEASE = timedelta(seconds=60)


def lose_the_next_commit(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next transaction is committed, and then the connection is found broken."""
    real = ledger.transaction

    @contextmanager
    def unheard(*of: Any) -> Iterator[Connection]:
        with real(*of) as connection:
            yield connection
        monkeypatch.setattr(ledger, "transaction", real)
        error = OperationalError(
            "COMMIT", {}, psycopg.OperationalError("server closed the connection")
        )
        raise unusable(ledger.url, error) from error

    monkeypatch.setattr(ledger, "transaction", unheard)


def test_a_claim_is_known_as_ours(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its effects would wait for the next run, although nobody else may send
    them.
    """
    lose_the_next_commit(ledger, monkeypatch)
    claimed = ledger.claim(intents("A-1", "A-2"), lease=LEASE)
    assert {ref: (e.fence, e.status) for ref, e in claimed.won.items()} == {
        "A-1": (1, EffectStatus.SENDING),
        "A-2": (1, EffectStatus.SENDING),
    }
    assert claimed.open == {}


def test_a_claim_is_not_counted_twice_in_the_budget(
    ledger: Ledger, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it took of the budget is its own: the order is not held for want of room."""
    limits = SpendLimits(batch_id="batch", batch=Money(250), day=None)
    lose_the_next_commit(ledger, monkeypatch)
    assert set(ledger.claim(intents("A-1", "A-2"), lease=LEASE, limits=limits).won) == {
        "A-1",
        "A-2",
    }
    assert [order.state for order in ledger.orders(["A-1", "A-2"]).values()] == [
        OrderState.PLANNED
    ] * 2


def test_kept_matches_are_kept(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search costs a minute of looking: it is not lost with the connection."""
    lose_the_next_commit(ledger, monkeypatch)
    match = Match(
        marketplace=Marketplace.TAOBAO,
        words="canvas bag",
        item_id="600001",
        note="the only one",
    )
    ledger.matches.keep({("A-1", "canvas bag"): match})
    assert ledger.matches.of(["A-1"]) == {("A-1", "canvas bag"): match}


def test_what_another_run_holds_is_not_ours(
    ledger: Ledger, other: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lost commit won one order; the other one was taken before."""
    other.claim(intents("A-1"), lease=LEASE)
    lose_the_next_commit(ledger, monkeypatch)
    claimed = ledger.claim(intents("A-1", "A-2"), lease=LEASE)
    assert (set(claimed.won), set(claimed.open)) == ({"A-2"}, {"A-1"})


def test_a_second_claim_of_the_same_moment_wins_nothing(ledger: Ledger) -> None:
    """Only a repetition of the very same call may find its rows again."""
    assert set(ledger.claim(intents("A-1"), lease=LEASE).won) == {"A-1"}
    assert ledger.claim(intents("A-1"), lease=LEASE).won == {}


def test_what_was_taken_over_is_still_read_about(
    ledger: Ledger, other: Ledger, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what became of it would be read by the next run only; the fence grows once
    more, which harms nobody.
    """
    ledger.claim(intents("A-1"), lease=LEASE)
    clock.advance(61)
    lose_the_next_commit(other, monkeypatch)
    effects = other.take_over(
        ["A-1"], action=Action.CREATE, lease=LEASE, dead_owners=[]
    )
    assert [(e.key, e.owner, e.fence) for e in effects] == [("A-1:create", "second", 3)]
    assert other.record(
        [Outcome(claim=effects[0].claim, status=EffectStatus.UNSENT, proof=NEVER_LEFT)]
    ) == [True]


def test_an_outcome_is_written_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try changes nothing; what the first wrote stands."""
    record = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    lose_the_next_commit(ledger, monkeypatch)
    ledger.record([Outcome(claim=record.claim, status=EffectStatus.DONE)])
    assert ledger.effects_of(["A-1"])[0].status is EffectStatus.DONE
