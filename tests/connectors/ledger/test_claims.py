"""Who may send an effect, and whose outcome counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import CompileError

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.resolutions import ResolutionRecord
from connectors.ledger.store import Ledger
from domain.absence import Absent, NotHappened, OwnRecord
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.states import OrderState
from domain.witnessed import RefusedForGood
from tests.clock import MovableClock
from tests.connectors.ledger.plans import (
    FOR_GOOD,
    NEVER_LEFT,
    PROOFS,
    Columns,
    intents,
    plan,
)
from tests.history import all_orders
from tests.postgres import Postgres
from tests.verdicts import in_these_words

LEASE = timedelta(seconds=60)


def claim_one(ledger: Ledger, order_ref: str = "A-1") -> Outcome:
    """Claim a create and make its outcome."""
    record = ledger.claim(intents(order_ref), lease=LEASE).won[order_ref]
    change = OrderChange(
        order_ref=order_ref,
        state=OrderState.ORDERED,
        writes=Columns({"order_id": "77" if order_ref == "A-1" else order_ref}),
    )
    return Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)


def test_one_claim_wins(ledger: Ledger, other: Ledger) -> None:
    """The second run sees that the effect may be on its way, and gets nothing to
    send.
    """
    assert set(ledger.claim(intents("A-1", "A-2"), lease=LEASE).won) == {"A-1", "A-2"}
    repeated = other.claim(intents("A-1", "A-2"), lease=LEASE)
    assert (repeated.won, set(repeated.open)) == ({}, {"A-1", "A-2"})


def test_an_effect_that_is_asked_for_twice_is_claimed_once(
    postgres: Postgres, clock: MovableClock
) -> None:
    """All rows of a claim are one statement, and PostgreSQL refuses one that meets a
    row twice: the run would end.
    """
    with Ledger(postgres.new_ledger(), clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2")])
        assert ledger.claim(intents("A-1", "A-2", "A-1"), lease=LEASE).won.keys() == {
            "A-1",
            "A-2",
        }


def test_a_key_is_made_from_the_action(ledger: Ledger) -> None:
    """The key names order and action, never a run."""
    assert ledger.claim(intents("A-1"), lease=LEASE).won["A-1"].key == "A-1:create"


def test_an_intent_is_there_before_anything_is_sent(
    ledger: Ledger, other: Ledger
) -> None:
    """Another process sees the intent as soon as `claim` returns."""
    ledger.claim(intents("A-1"), lease=LEASE)
    effect = other.effects_of(["A-1"])[0]
    assert (effect.status, effect.amount_minor, effect.sender) == (
        EffectStatus.SENDING,
        100,
        "first",
    )


def test_a_done_effect_is_never_claimed_again(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    """Not after any time, and by nobody."""
    assert ledger.record([claim_one(ledger)]) == [True]
    clock.advance(10**6)
    repeated = other.claim(intents("A-1"), lease=LEASE)
    assert (repeated.won, repeated.open, other.effects_of(["A-1"])[-1].status) == (
        {},
        {},
        EffectStatus.DONE,
    )


def test_an_expired_lease_is_taken_over_for_reading_only(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    """After the lease the other run may read about the effect; a claim to send it stays
    impossible.
    """
    ledger.claim(intents("A-1"), lease=LEASE)
    assert (
        other.take_over(["A-1"], action=Action.CREATE, lease=LEASE, dead_owners=[])
        == []
    )
    clock.advance(61)
    assert other.claim(intents("A-1"), lease=LEASE).won == {}
    effects = other.take_over(
        ["A-1"], action=Action.CREATE, lease=LEASE, dead_owners=[]
    )
    assert [(e.fence, e.owner, e.sender) for e in effects] == [(2, "second", "first")]


def test_a_dead_owner_needs_no_waiting(ledger: Ledger, other: Ledger) -> None:
    """A lease ends with the process that held it, where its death is proven."""
    ledger.claim(intents("A-1"), lease=LEASE)
    effects = other.take_over(
        ["A-1"], action=Action.CREATE, lease=LEASE, dead_owners=["first"]
    )
    assert [e.key for e in effects] == ["A-1:create"]


def test_what_is_read_of_a_batch_is_more_than_a_statement_of_postgresql_has_parameters(
    postgres: Postgres, clock: MovableClock
) -> None:
    """It takes 65,535, and a request file may have 100,000 orders: no batch of them
    would begin.
    """
    refs = [f"A-{number}" for number in range(65_536)]
    with Ledger(postgres.new_ledger(), clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1")])
        ledger.claim(intents("A-1"), lease=LEASE)
        assert (ledger.refunds.of_orders(refs), ledger.matches.of(refs)) == ([], {})
        effects = ledger.take_over(
            refs, action=Action.CREATE, lease=LEASE, dead_owners=["first"]
        )
    assert [e.key for e in effects] == ["A-1:create"]


def test_an_old_fence_writes_nothing(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    """A run that comes back after its lease was taken can't overrule the new holder."""
    outcome = claim_one(ledger)
    clock.advance(61)
    other.take_over(["A-1"], action=Action.CREATE, lease=LEASE, dead_owners=[])
    assert ledger.record([outcome]) == [False]
    assert other.orders(["A-1"])["A-1"].order_id is None


def test_what_was_never_sent_can_be_claimed_again(
    ledger: Ledger, other: Ledger
) -> None:
    """An unsent effect starts anew, with the new run as its sender."""
    outcome = claim_one(ledger)
    ledger.record(
        [Outcome(claim=outcome.claim, status=EffectStatus.UNSENT, proof=NEVER_LEFT)]
    )
    won = other.claim(intents("A-1"), lease=LEASE).won["A-1"]
    assert (won.key, won.fence, won.sender, won.status) == (
        "A-1:create",
        2,
        "second",
        EffectStatus.SENDING,
    )


def test_what_was_sent_twice_in_doubt_is_claimed_no_more(
    ledger: Ledger, other: Ledger
) -> None:
    """Whatever is said of its absence: a third send is a person's to allow, by a no,
    and that is one send.
    """
    for _ in range(2):
        won = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
        ledger.record([Outcome(claim=won.claim, status=EffectStatus.UNKNOWN)])
        ledger.record(
            [Outcome(claim=won.claim, status=EffectStatus.UNSENT, proof=NEVER_LEFT)]
        )
    assert [run.claim(intents("A-1"), lease=LEASE).won for run in (ledger, other)] == [
        {},
        {},
    ]
    said(ledger, EffectStatus.UNSENT)
    won = other.claim(intents("A-1"), lease=LEASE).won["A-1"]
    assert won.doubtful_sends == 2


def test_what_provably_came_to_nothing_is_not_counted(
    ledger: Ledger, other: Ledger
) -> None:
    """Turned away, refused, never left, any number of times; what is in doubt counts
    over all attempts.
    """
    for run in (ledger, other, ledger, other):
        for _ in range(3):
            won = run.claim(intents("A-1"), lease=LEASE).won["A-1"]
            run.record(
                [
                    Outcome(
                        claim=won.claim,
                        status=EffectStatus.UNSENT,
                        proof=NEVER_LEFT,
                        came_to_nothing=True,
                    )
                ]
            )
        won = run.claim(intents("A-1"), lease=LEASE).won["A-1"]
        run.record(
            [Outcome(claim=won.claim, status=EffectStatus.REFUSED, proof=FOR_GOOD)]
        )
    won = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    assert (won.key, won.doubtful_sends) == ("A-1:create:5", 1)
    ledger.record(
        [Outcome(claim=won.claim, status=EffectStatus.UNSENT, proof=NEVER_LEFT)]
    )
    won = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    ledger.record(
        [Outcome(claim=won.claim, status=EffectStatus.REFUSED, proof=FOR_GOOD)]
    )
    assert other.claim(intents("A-1"), lease=LEASE).won["A-1"].doubtful_sends == 2


def test_what_was_refused_in_unknown_words_stays_counted_when_it_is_absent(
    ledger: Ledger, other: Ledger
) -> None:
    """Each absence is proven; two such sends are the most."""
    moment = ledger.clock()
    absent = Absent(
        unseen=OwnRecord(shown=FOR_GOOD.read_after), asked_at=moment, clear_at=moment
    )
    for run in (ledger, other):
        won = run.claim(intents("A-1"), lease=LEASE).won["A-1"]
        run.record(
            [Outcome(claim=won.claim, status=EffectStatus.REFUSED, proof=absent)]
        )
    assert ledger.claim(intents("A-1"), lease=LEASE).won == {}


def test_an_outcome_is_refused_or_not_sent_only_with_the_proof(ledger: Ledger) -> None:
    """Neither without its witnesses, nor with a proof for another outcome."""
    won = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    refused = EffectStatus.REFUSED
    unsent = EffectStatus.UNSENT
    wrong: list[tuple[EffectStatus, RefusedForGood | NotHappened | None]] = [
        *(
            (refused, NEVER_LEFT),
            (refused, None),
            (unsent, FOR_GOOD),
            (unsent, None),
            (EffectStatus.DONE, FOR_GOOD),
        )
    ]
    for status, proof in wrong:
        with pytest.raises(ValueError, match="A-1:create can't be"):
            Outcome(claim=won.claim, status=status, proof=proof)


def test_what_a_dead_run_may_have_sent_counts(ledger: Ledger, other: Ledger) -> None:
    """Its row is still *sending*: whoever finds that it did not happen sends it once,
    and no oftener.
    """
    ledger.claim(intents("A-1"), lease=LEASE)
    for dead in ("first", "second"):
        (effect,) = other.take_over(
            ["A-1"], action=Action.CREATE, lease=LEASE, dead_owners=[dead]
        )
        other.record(
            [Outcome(claim=effect.claim, status=EffectStatus.UNSENT, proof=NEVER_LEFT)]
        )
        won = other.claim(intents("A-1"), lease=LEASE).won
    assert won == {}


def said(ledger: Ledger, status: EffectStatus) -> None:
    """A person's answer about the last effect of A-1."""
    (effect,) = ledger.effects_of(["A-1"])
    change = OrderChange(order_ref="A-1")
    resolution_record = ResolutionRecord(
        by="ann",
        question="?",
        answer="no",
        status=status,
        effect=effect,
        change=change,
    )
    assert ledger.resolutions.record(resolution_record)


def test_a_refused_effect_gets_a_second_attempt_by_another_run(
    ledger: Ledger, other: Ledger
) -> None:
    """A refusal is final for its attempt, and for the run that heard it; the next
    attempt has a key of its own.
    """
    for run, key in (
        (ledger, "A-1:create"),
        (other, "A-1:create:2"),
        (ledger, "A-1:create:3"),
    ):
        record = run.claim(intents("A-1"), lease=LEASE).won["A-1"]
        assert record.key == key
        run.record(
            [
                Outcome(
                    claim=record.claim,
                    status=EffectStatus.REFUSED,
                    why=in_these_words("no stock"),
                    proof=FOR_GOOD,
                )
            ]
        )
        repeated = run.claim(intents("A-1"), lease=LEASE)
        assert (repeated.won, repeated.open, run.effects_of(["A-1"])[-1].key) == (
            {},
            {},
            key,
        )


def test_an_outcome_and_its_order_change_together(ledger: Ledger) -> None:
    """A change that can't be written leaves the outcome unwritten too."""
    record = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    wrong = OrderChange(
        order_ref="A-1", state=OrderState.ORDERED, writes=Columns({"no_such_column": 1})
    )
    with pytest.raises(CompileError):
        ledger.record(
            [Outcome(claim=record.claim, status=EffectStatus.DONE, change=wrong)]
        )
    assert ledger.effects_of(["A-1"])[0].status is EffectStatus.SENDING


def test_a_fact_that_fits_no_move_waits_for_a_person(
    ledger: Ledger, other: Ledger
) -> None:
    """A cancellation is accepted for an order that somebody paid meanwhile: held, and
    nobody else's outcome is lost.
    """
    ledger.record([claim_one(ledger), claim_one(ledger, "A-2")])
    cancels = [
        replace(intent, amount=None)
        for intent in intents("A-1", "A-2", action=Action.CANCEL)
    ]
    won = ledger.claim(cancels, lease=LEASE).won
    other.change(
        [
            OrderChange(
                order_ref="A-1",
                state=OrderState.PAID,
                writes=Columns({"paid_minor": 100}),
            )
        ]
    )
    outcomes = [
        Outcome(
            claim=record.claim,
            status=EffectStatus.DONE,
            change=OrderChange(
                order_ref=ref,
                state=OrderState.CANCELLED,
                why=in_these_words("the service took it"),
            ),
        )
        for ref, record in won.items()
    ]
    assert ledger.record(outcomes) == [True, True]
    first, second = ledger.orders(["A-1", "A-2"]).values()
    assert (first.state, first.reason, first.paid_minor) == (
        OrderState.HELD,
        "the service took it (came when the order was paid): look it up in the console",
        100,
    )
    assert second.state is OrderState.CANCELLED


def test_an_order_id_is_given_to_one_order_only(ledger: Ledger, other: Ledger) -> None:
    """Two people name one order of the service for two orders of the file: the second
    answer is not taken.
    """

    def named(order_ref: str) -> ResolutionRecord:
        (intent,) = intents(order_ref)
        change = OrderChange(
            order_ref=order_ref,
            state=OrderState.ORDERED,
            writes=Columns({"order_id": "77"}),
        )
        return ResolutionRecord(
            by="ann", question="?", answer="ordered 77", status=EffectStatus.DONE,
            intent=intent, change=change,
        )  # fmt: skip

    assert ledger.resolutions.record(named("A-1"))
    assert not other.resolutions.record(named("A-2"))
    assert ledger.orders(["A-2"])["A-2"].order_id is None


def test_a_plan_never_replaces_an_order_with_a_live_effect(ledger: Ledger) -> None:
    """Once an order may exist at the service, planning it again changes nothing."""
    ledger.claim(intents("A-1"), lease=LEASE)
    put_rows(ledger, [plan("A-1", approved_minor=999), plan("A-2", approved_minor=999)])
    assert {
        ref: order.approved_minor
        for ref, order in ledger.orders(["A-1", "A-2"]).items()
    } == {
        "A-1": 100,
        "A-2": 999,
    }


@pytest.mark.parametrize(
    ("status", "spent"),
    [
        (EffectStatus.SENDING, 100),
        (EffectStatus.UNKNOWN, 100),
        (EffectStatus.DONE, 100),
        (EffectStatus.REFUSED, 0),
        (EffectStatus.UNSENT, 0),
    ],
)
def test_what_may_have_cost_money_counts_as_spent(
    ledger: Ledger, clock: MovableClock, status: EffectStatus, spent: int
) -> None:
    """In flight and unknown count like done; refused and unsent cost nothing."""
    record = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    if status is not EffectStatus.SENDING:
        ledger.record(
            [Outcome(claim=record.claim, status=status, proof=PROOFS.get(status))]
        )
    assert ledger.spent_since(clock() - timedelta(hours=1)) == spent
    clock.advance(7200)
    assert ledger.spent_since(clock() - timedelta(hours=1)) == 0


def test_every_move_is_kept_with_its_author(ledger: Ledger) -> None:
    """The trail tells when, from where to where, why and by whom."""
    ledger.change(
        [
            OrderChange(
                order_ref="A-1",
                state=OrderState.HELD,
                why=in_these_words("over budget"),
            )
        ]
    )
    trail = [
        (m["old_state"], m["new_state"], m["reason"], m["by"])
        for m in ledger.moves_of("A-1")
    ]
    assert trail == [
        (None, "planned", "", "first"),
        ("planned", "held", "over budget", "first"),
    ]


def test_an_order_that_moved_since_it_was_seen_is_not_claimed(ledger: Ledger) -> None:
    """Another run held, cancelled or refused it meanwhile (simulation, seed 1675)."""
    ledger.change(
        [
            OrderChange(
                order_ref="A-1",
                state=OrderState.REFUSED,
                why=in_these_words("sold out"),
            )
        ]
    )
    observed = [
        replace(intent, seen_in=OrderState.PLANNED) for intent in intents("A-1", "A-2")
    ]
    assert list(ledger.claim(observed, lease=LEASE).won) == ["A-2"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Action.PAY, Action.CANCEL),
        (Action.BOOK, Action.REFUND),
        (Action.CANCEL, Action.PAY),
    ],
)
def test_nobody_takes_back_what_another_is_about_to_spend(
    ledger: Ledger, first: Action, second: Action
) -> None:
    """Of two opposed effects of an order the later one is not claimed while the first
    may be under way (seed 2558).
    """
    won = ledger.claim(intents("A-1", action=first), lease=LEASE).won["A-1"]
    against = intents("A-1", "A-2", action=second)
    assert list(ledger.claim(against, lease=LEASE).won) == ["A-2"]
    ledger.record(
        [Outcome(claim=won.claim, status=EffectStatus.UNSENT, proof=NEVER_LEFT)]
    )
    assert list(ledger.claim(against[:1], lease=LEASE).won) == ["A-1"]


def test_what_an_effect_did_is_kept_when_the_order_was_cancelled_meanwhile(
    ledger: Ledger,
) -> None:
    """The payment is written down, the order stays cancelled, and the history says so
    (seed 2733).
    """
    won = ledger.claim(intents("A-1", action=Action.PAY), lease=LEASE)
    ledger.change(
        [
            OrderChange(
                order_ref="A-1",
                state=OrderState.CANCELLED,
                why=in_these_words("closed"),
            )
        ]
    )
    paid = OrderChange(
        order_ref="A-1",
        state=OrderState.PAID,
        why=in_these_words("paid"),
        writes=Columns({"paid_minor": 100}),
    )
    ledger.record(
        [Outcome(claim=won.won["A-1"].claim, status=EffectStatus.DONE, change=paid)]
    )
    order = ledger.orders(["A-1"])["A-1"]
    assert (order.state, order.reason, order.paid_minor) == (
        OrderState.CANCELLED,
        "closed",
        100,
    )
    assert (
        ledger.moves_of("A-1")[-1]["reason"]
        == "paid (came when the order was cancelled)"
    )


def test_a_doubt_does_not_take_back_what_another_run_has_seen(ledger: Ledger) -> None:
    """One run saw the order paid and booked it; the other could not ask about its
    payment (seed 35669).
    """
    won = ledger.claim(intents("A-1", action=Action.PAY), lease=LEASE)
    for state in (OrderState.ORDERED, OrderState.PAID, OrderState.BOOKED):
        ledger.change([OrderChange(order_ref="A-1", state=state)])
    doubt = OrderChange(
        order_ref="A-1",
        state=OrderState.UNKNOWN,
        why=in_these_words("no answer to pay"),
    )
    ledger.record(
        [Outcome(claim=won.won["A-1"].claim, status=EffectStatus.UNKNOWN, change=doubt)]
    )
    assert ledger.orders(["A-1"])["A-1"].state is OrderState.BOOKED
    assert ledger.effects_of(["A-1"])[0].status is EffectStatus.UNKNOWN
    assert (
        ledger.moves_of("A-1")[-1]["reason"]
        == "no answer to pay (came when the order was booked)"
    )


def test_a_plan_never_replaces_that_of_an_order_begun_meanwhile(
    postgres: Postgres, clock: MovableClock
) -> None:
    """Two runs plan a new order at one moment; the first has ordered it before the
    second's row arrives.

    On PostgreSQL nothing keeps the second from looking for effects before there are
    any: no row is there to be locked.
    """
    url = postgres.new_ledger()
    with (
        Ledger(url, clock=clock, owner="first") as first,
        Ledger(url, clock=clock, owner="second") as second,
    ):
        first.start_batch("batch", "file.csv")

        @event.listens_for(second.engine, "before_cursor_execute")
        def meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("INSERT INTO orders") and not all_orders(first):
                put_rows(first, [plan("A-1", approved_minor=100)])
                first.record([claim_one(first)])

        put_rows(second, [plan("A-1", approved_minor=900, plan_hash="dearer")])
        order = first.orders(["A-1"])["A-1"]
        assert (order.state, order.approved_minor, order.plan_hash) == (
            OrderState.ORDERED,
            100,
            "h",
        )
        assert [move["new_state"] for move in first.moves_of("A-1")] == [
            "planned",
            "ordered",
        ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Action.PAY, Action.CANCEL),
        (Action.BOOK, Action.REFUND),
        (Action.REFUND, Action.BOOK),
    ],
)
def test_nobody_takes_back_what_may_have_been_spent(
    ledger: Ledger, first: Action, second: Action
) -> None:
    """An effect without an answer opposes like one that is under way."""
    won = ledger.claim(intents("A-1", action=first), lease=LEASE).won["A-1"]
    ledger.record([Outcome(claim=won.claim, status=EffectStatus.UNKNOWN)])
    against = intents("A-1", action=second)
    assert ledger.claim(against, lease=LEASE).won == {}


def test_only_the_plan_that_was_approved_is_claimed(
    ledger: Ledger, other: Ledger
) -> None:
    """Another run has written a plan of its own since this run's yes: nothing is bought
    on that yes.
    """
    approved = [replace(intent, plan_hash="h") for intent in intents("A-1", "A-2")]
    put_rows(other, [plan("A-1", plan_hash="other", approved_minor=900)])
    assert list(ledger.claim(approved, lease=LEASE).won) == ["A-2"]
    assert ledger.effects_of(["A-1"]) == []


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_nothing_is_paid_or_booked_beyond_what_is_approved_at_that_moment(
    dialect: str, request: pytest.FixtureRequest, tmp_path: Path, clock: MovableClock
) -> None:
    """Another run took a no to A-1 since this one saw it, and a yes to less freight for
    A-2.
    """
    server = request.getfixturevalue("postgres") if dialect == "postgresql" else None
    url = server.new_ledger() if server else f"sqlite:///{tmp_path / 'ledger.db'}"
    with (
        Ledger(url, clock=clock, owner="first") as ledger,
        Ledger(url, clock=clock, owner="second") as second,
    ):
        ledger.start_batch("batch", "file.csv")
        put_rows(
            ledger,
            [
                plan("A-1"),
                plan("A-2"),
                plan("A-3", payable_minor=99, approved_minor=99),
                plan("A-4"),
            ],
        )
        second.change(
            [OrderChange(order_ref="A-1", writes=OrderUpdate.approval_withdrawn())]
        )
        second.change(
            [
                OrderChange(
                    order_ref="A-2",
                    writes=OrderUpdate.freight_approved(price=Money(99)),
                )
            ]
        )
        second.change(
            [
                OrderChange(
                    order_ref="A-4",
                    writes=OrderUpdate.freight_approved(price=Money(100, "USD")),
                )
            ]
        )
        for action, won in ((Action.PAY, ["A-2", "A-4"]), (Action.BOOK, ["A-3"])):
            claimed = ledger.claim(
                intents("A-1", "A-2", "A-3", "A-4", action=action), lease=LEASE
            )
            assert (list(claimed.won), claimed.open) == (won, {})
