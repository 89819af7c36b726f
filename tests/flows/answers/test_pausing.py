"""Pausing all buying: what a run does that meets it, what is waited for, and what is
told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from connectors.ledger.records import EffectRecord, OrderChange, Outcome
from connectors.ledger.send_log import SendLog
from domain.effects import Action, EffectStatus
from domain.states import OrderState
from flows.answers.pausing import GO_ON, Leaving, leaving, left_words, pause, resume
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents
from tests.notified import taken_messages
from tests.verdicts import in_these_words

CALL_S = 30.0


def claimed(
    resources: Resources, *refs: str, action: Action = Action.CREATE
) -> list[EffectRecord]:
    return list(
        resources.ledger.claim(
            intents(*refs, action=action), lease=resources.lease
        ).won.values()
    )


def now(resources: Resources) -> Leaving:
    return leaving(resources.ledger, resources.settings, call_s=CALL_S)


def keys(effects: Sequence[EffectRecord]) -> list[str]:
    return [effect.key for effect in effects]


def test_what_a_living_run_has_claimed_may_leave_until_its_lease_and_one_call_are_over(
    resources: Resources, clock: MovableClock
) -> None:
    """Then nothing of it can leave; but it may have, and the service may carry it out
    for the settle time.
    """
    claimed(resources, "A-1")
    claimed(resources, "A-2", action=Action.CANCEL)
    before = now(resources)
    assert (keys(before.to_come), before.by) == (
        ["A-1:create"],
        clock.now + timedelta(seconds=60 + CALL_S),
    )
    assert (
        before.words
        == "1 claimed before may still leave or wait for an answer (1 create), until 12:01:30 UTC"
    )
    clock.advance(60 + CALL_S)
    after = now(resources)
    assert (after.to_come, keys(after.in_doubt)) == ((), ["A-1:create"])
    assert after.doubt.startswith(
        "1 effect sent before the pause got no answer: the service may still carry it out"
    )
    clock.advance(900)
    assert now(resources) == Leaving()


def test_nothing_of_a_run_that_ended_can_leave(resources: Resources) -> None:
    """Its send log says what may have left before: that is in doubt, and the rest is
    not.
    """
    logs = resources.send_logs
    with SendLog(logs) as log:
        resources.ledger.owner = log.owner
        sent, _ = claimed(resources, "A-1", "A-2")
        log.note(sent.claim)
        assert keys(now(resources).to_come) == ["A-1:create", "A-2:create"]
    assert (now(resources).to_come, keys(now(resources).in_doubt)) == (
        (),
        ["A-1:create"],
    )


def test_a_run_elsewhere_counts_as_alive(resources: Resources) -> None:
    """Its lock can't be asked for from here."""
    resources.ledger.owner = "elsewhere-1-0123456789ab"
    claimed(resources, "A-1")
    assert keys(now(resources).to_come) == ["A-1:create"]


def test_what_has_an_outcome_is_not_waited_for(resources: Resources) -> None:
    """Unknown is one: who writes it has heard all that there is to hear."""
    one, other = claimed(resources, "A-1", "A-2")
    outcome = Outcome(claim=one.claim, status=EffectStatus.DONE)
    resources.ledger.record(
        [outcome, replace(outcome, claim=other.claim, status=EffectStatus.UNKNOWN)]
    )
    assert (now(resources).to_come, keys(now(resources).in_doubt)) == (
        (),
        ["A-2:create"],
    )


def test_pause_waits_for_the_last_outcome_and_both_turns_are_told_once(
    resources: Resources, clock: MovableClock
) -> None:
    """Whoever is away hears of the pause and of its end, and of neither twice."""
    ledger, said = resources.ledger, list[str]()
    (record,) = claimed(resources, "A-1")
    clock.advance(1)

    def hear(line: str) -> None:
        said.append(line)
        ledger.record([Outcome(claim=record.claim, status=EffectStatus.DONE)])

    paused = pause(
        ledger, resources.settings, by="mei", why=" prices\nlook  wrong. ", notify=hear
    )
    assert (paused.pause.why, paused.left) == ("prices look wrong", Leaving())
    assert said[0] == paused.pause.words
    assert (
        pause(ledger, resources.settings, by="li", why="", notify=said.append).pause
        == paused.pause
    )
    assert paused.to_json()["may_leave"] == 0
    assert (resume(ledger, by="li"), resume(ledger, by="li")) == (
        (paused.pause, {}),
        (None, {}),
    )
    assert sorted(message.subject for message in taken_messages(ledger)) == [
        "Buying is allowed again, says li",
        "Buying is paused",
    ]


def test_who_pauses_hears_that_buying_was_resumed_meanwhile(
    resources: Resources,
) -> None:
    """Instead of that nothing can leave any more."""
    ledger, said = resources.ledger, list[str]()
    claimed(resources, "A-1")

    def hear(line: str) -> None:
        said.append(line)
        ledger.resume_buying("li")

    paused = pause(ledger, resources.settings, by="mei", why="", notify=hear)
    assert (paused.words, paused.to_json()["paused"]) == (
        "buying was resumed meanwhile, and is not paused",
        None,
    )
    assert paused.lines == [
        "buying was resumed meanwhile, and is not paused; to pause it, say so again"
    ]


def test_resume_names_what_the_pause_has_left(
    resources: Resources, clock: MovableClock
) -> None:
    """Approved orders that were last written of since it began: an old plan that
    somebody forgot is none of them.
    """
    ledger = resources.ledger
    clock.advance(60)
    pause(ledger, resources.settings, by="mei", why="", notify=lambda _: None)
    ledger.change(
        [
            OrderChange(
                order_ref="A-1",
                state=OrderState.PLANNED,
                why=in_these_words("approved, not ordered yet"),
            )
        ]
    )
    ended, left = resume(ledger, by="mei")
    assert (ended and ended.by, left) == ("mei", {"batch": 1})
    words = f"by mei; 1 approved order of batch to go on with. {GO_ON}"
    assert left_words(ended, left).endswith(words)
    assert taken_messages(ledger)[-1].subject == "Buying is allowed again, says mei"
    assert left_words(None, {}) == "Buying was not paused"
