"""Pausing all buying: what a run does that meets it, what is waited for, and what is
told.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connectors.ledger.records import EffectRecord, Outcome
from connectors.ledger.send_log import SendLog
from domain.effects import Action, EffectStatus
from flows.answers.pausing import (
    effects_leaving,
    pause,
    resumed_words,
    waiting_words,
)
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents
from tests.notified import taken_messages

CALL_S = 30.0


def claimed(
    resources: Resources, *refs: str, action: Action = Action.CREATE
) -> list[EffectRecord]:
    return list(
        resources.ledger.claim(
            intents(*refs, action=action), lease=resources.lease
        ).won.values()
    )


def leaving(resources: Resources) -> list[str]:
    effects = effects_leaving(resources.ledger, resources.settings, call_s=CALL_S)
    return [effect.key for effect, _ in effects]


def test_what_a_living_run_has_claimed_may_leave_until_its_lease_and_one_call_are_over(
    resources: Resources, clock: MovableClock
) -> None:
    claimed(resources, "A-1")
    claimed(resources, "A-2", action=Action.CANCEL)
    before = effects_leaving(resources.ledger, resources.settings, call_s=CALL_S)
    assert [(effect.key, until) for effect, until in before] == [
        ("A-1:create", clock.now + timedelta(seconds=60 + CALL_S))
    ]
    assert waiting_words(before) == (
        "1 claimed before may still leave or wait for an answer (1 create), until "
        "12:01:30 UTC; waiting for that"
    )
    clock.advance(60 + CALL_S)
    assert leaving(resources) == []


def test_nothing_of_a_run_that_ended_can_leave(resources: Resources) -> None:
    with SendLog(resources.send_logs) as log:
        resources.ledger.owner = log.owner
        sent, _ = claimed(resources, "A-1", "A-2")
        log.note(sent.claim)
        assert leaving(resources) == ["A-1:create", "A-2:create"]
    assert leaving(resources) == []


def test_a_run_elsewhere_counts_as_alive(resources: Resources) -> None:
    """Its lock can't be asked for from here."""
    resources.ledger.owner = "elsewhere-1-0123456789ab"
    claimed(resources, "A-1")
    assert leaving(resources) == ["A-1:create"]


def test_what_has_an_outcome_is_not_waited_for(resources: Resources) -> None:
    """Unknown is one: who writes it has heard all that there is to hear."""
    effect, effect_record = claimed(resources, "A-1", "A-2")
    outcome = Outcome(claim=effect.claim, status=EffectStatus.DONE)
    resources.ledger.record(
        [
            outcome,
            replace(outcome, claim=effect_record.claim, status=EffectStatus.UNKNOWN),
        ]
    )
    assert leaving(resources) == []


def test_pause_waits_for_the_last_outcome_and_both_turns_are_told_once(
    resources: Resources, clock: MovableClock
) -> None:
    """Whoever is away hears of the pause and of its end, and of neither twice."""
    ledger = resources.ledger
    output = list[str]()
    (record,) = claimed(resources, "A-1")
    clock.advance(1)

    def hear(line: str) -> None:
        output.append(line)
        ledger.record([Outcome(claim=record.claim, status=EffectStatus.DONE)])

    paused = pause(
        ledger, resources.settings, by="mei", why=" prices\nlook  wrong. ", notify=hear
    )
    assert paused
    assert (paused.why, leaving(resources)) == ("prices look wrong", [])
    assert output[0] == paused.words
    assert (
        pause(ledger, resources.settings, by="li", why="", notify=output.append)
        == paused
    )
    assert (ledger.resume_buying("li"), ledger.resume_buying("li")) == (paused, None)
    assert sorted(message.subject for message in taken_messages(ledger)) == [
        "Buying is allowed again, says li",
        "Buying is paused",
    ]


def test_who_pauses_hears_that_buying_was_resumed_meanwhile(
    resources: Resources,
) -> None:
    """Instead of that nothing can leave any more."""
    ledger = resources.ledger
    output = list[str]()
    claimed(resources, "A-1")

    def hear(line: str) -> None:
        output.append(line)
        ledger.resume_buying("li")

    paused = pause(ledger, resources.settings, by="mei", why="", notify=hear)
    assert paused is None


def test_resume_says_who_had_paused_and_since_when(resources: Resources) -> None:
    ledger = resources.ledger
    pause(ledger, resources.settings, by="mei", why="", notify=lambda _: None)
    assert resumed_words(ledger.resume_buying("mei")).startswith(
        "Buying is allowed again; it was paused since 2026-01-01 12:00 UTC by mei. "
    )
    assert taken_messages(ledger)[-1].subject == "Buying is allowed again, says mei"
    assert resumed_words(None) == "Buying was not paused"
