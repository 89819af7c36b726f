"""What was posted is kept, once, and a run at a time has it in its hands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connectors.callbacks.store import (
    CallbackStore,
    callbacks_url,
    end_tokens,
    fits,
    new_token,
    valid_digests,
)
from connectors.callbacks.tickets import GAVE_UP, Tickets
from deployments.receiver import read_arrival
from domain.reasons import ReasonCode, because
from domain.received import CallbackKind, CallbackState
from tests.clock import MovableClock
from tests.connectors.callbacks.conftest import arrival, posted

READ = because(ReasonCode.CALLBACK_ORDER_STAYS, order_ref="A-1", state="booked")
STATUS = CallbackKind.STATUS


def keep(store: CallbackStore, clock: MovableClock, *bodies: bytes) -> None:
    store.add([arrival(body, clock) for body in bodies])


def states(store: CallbackStore) -> list[str]:
    return [one.state for one in reversed(store.listed())]


def test_a_message_is_kept_as_it_was_posted(
    store: CallbackStore, clock: MovableClock
) -> None:
    """Byte for byte, with what was understood beside it."""
    body = posted("2542285634920880794")
    keep(store, clock, body)
    (one,) = store.listed()
    assert (one.body, one.order_ids, one.kind, one.marketplace) == (
        body,
        ("2542285634920880794",),
        "status",
        "1688",
    )
    assert (one.state, one.times, one.source, one.received_at) == (
        "waiting",
        1,
        "203.0.113.7",
        clock(),
    )


def test_the_same_message_again_is_counted_while_it_waits(
    store: CallbackStore, clock: MovableClock
) -> None:
    """In one commit, in another, and while nobody can read it."""
    keep(store, clock, posted("7"), posted("7"), b"?")
    keep(store, clock, posted("7"), b"?")
    assert [(one.times, one.state) for one in store.listed()] == [
        (2, "set_aside"),
        (3, "waiting"),
    ]


def heard(store: CallbackStore, clock: MovableClock) -> int:
    """One run looks at what waits, and is told the same again in the last moment;
    answers how many it looked at.
    """
    ticket = Tickets(store).next(STATUS)
    if ticket is None:
        return 0
    messages = Tickets(store).begin(ticket.id)
    store.settle({one.id: READ for one in messages})
    Tickets(store).end(ticket.id)
    return len(messages)


def test_the_same_message_after_it_was_done_is_looked_at_again(
    store: CallbackStore, clock: MovableClock
) -> None:
    """A price went up, down and up again in the same words; whoever replays one causes
    a read in ten minutes.
    """
    looks = []
    for minutes in (0, 60, 1, 1, 8, 1, 60):
        clock.advance(60 * minutes)
        keep(store, clock, posted("7"))
        looks.append(heard(store, clock))
    assert looks == [1, 1, 0, 0, 0, 1, 1]
    assert (store.listed()[0].times, states(store)) == (7, ["done"])


def test_a_message_that_comes_again_while_a_run_reads_is_looked_at_again(
    store: CallbackStore, clock: MovableClock
) -> None:
    """That run may have read before what it tells of; one that came before it began is
    done with it.
    """
    keep(store, clock, posted("7"), posted("8"))
    tickets = Tickets(store)
    ticket = tickets.next(STATUS)
    assert ticket is not None
    clock.advance(1)
    keep(store, clock, posted("7"))
    clock.advance(1)
    messages = tickets.begin(ticket.id)
    clock.advance(1)
    keep(store, clock, posted("8"))
    store.settle({one.id: READ for one in messages})
    tickets.end(ticket.id)
    assert states(store) == ["done", "waiting"]
    clock.advance(600)
    assert heard(store, clock) == 1


def test_what_a_newer_version_wrote_stops_nobody(
    store: CallbackStore, clock: MovableClock
) -> None:
    """A kind that this one does not know is left for it, and can be looked at."""
    keep(store, clock, posted("7"), posted("8"))
    with store.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE callbacks SET kind = 'customs' WHERE order_id = '7'"
        )
    assert sorted(store.kinds_at_hand()) == ["customs", "status"]
    assert heard(store, clock) == 1
    assert [(one.kind, one.state) for one in store.listed()] == [
        ("status", "done"),
        ("customs", "waiting"),
    ]


def test_its_file_is_for_its_owner_alone(clock: MovableClock, tmp_path: Path) -> None:
    """And what SQLite writes beside it."""
    with CallbackStore(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as store:
        keep(store, clock, posted("7"))
        rights = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert rights == {
        "callbacks.db": 0o600,
        "callbacks.db-shm": 0o600,
        "callbacks.db-wal": 0o600,
    }


def test_what_can_t_be_read_is_set_aside_with_its_reason(
    store: CallbackStore, clock: MovableClock
) -> None:
    """It is kept for a person, and stops nobody."""
    keep(store, clock, b"\xff\x00<html>", posted("8"))
    assert states(store) == ["set_aside", "waiting"]
    assert store.listed(state=CallbackState.SET_ASIDE)[0].outcome == because(
        ReasonCode.CALLBACK_UNREADABLE, failure="the message is not JSON"
    )


def test_a_message_that_names_no_order_is_done(
    store: CallbackStore, clock: MovableClock
) -> None:
    """There is nothing to read again."""
    keep(store, clock, b'{"messageType": "HELLO", "messageBody": "{}"}')
    assert states(store) == ["done"]


def test_all_that_waits_of_a_kind_is_one_ticket_and_there_is_one_at_a_time(
    store: CallbackStore, clock: MovableClock
) -> None:
    """Three messages of two orders; what comes meanwhile waits for the next."""
    keep(store, clock, posted("1"), posted("2"), posted("1", at=2))
    tickets = Tickets(store)
    ticket = tickets.next(STATUS)
    assert ticket is not None
    assert (ticket.orders, ticket.kind, tickets.next(CallbackKind.PRICE)) == (
        2,
        "status",
        None,
    )
    assert tickets.next(STATUS) == ticket  # Prefect has not taken it yet
    tickets.asked(ticket.id)
    keep(store, clock, posted("3"))
    assert tickets.next(STATUS) is None
    assert [one.order_ids[0] for one in tickets.begin(ticket.id)] == ["1", "2", "1"]
    store.settle({1: READ, 2: READ, 3: READ})
    tickets.end(ticket.id)
    assert states(store) == ["done", "done", "done", "waiting"]
    assert tickets.next(STATUS) != ticket


def test_a_run_takes_at_most_a_thousand_orders(
    store: CallbackStore, clock: MovableClock
) -> None:
    """The oldest first."""
    keep(store, clock, *(posted(str(number)) for number in range(1, 1_003)))
    ticket = Tickets(store).next(STATUS)
    assert ticket is not None
    assert ticket.orders == 1_000
    assert states(store)[-3:] == ["taken", "waiting", "waiting"]


def test_what_a_dead_run_held_is_taken_again(
    store: CallbackStore, clock: MovableClock
) -> None:
    """When its lease is over, not before; a run that is late finds its ticket gone."""
    keep(store, clock, posted("1"))
    tickets = Tickets(store)
    first = tickets.next(STATUS)
    assert first is not None
    tickets.begin(first.id)
    clock.advance(200)
    tickets.renew(first.id)
    clock.advance(200)
    assert tickets.next(STATUS) is None
    clock.advance(101)
    assert tickets.next(STATUS) is None  # once it died: a pause first
    clock.advance(120)
    second = tickets.next(STATUS)
    assert second is not None
    assert (second.id != first.id, tickets.begin(first.id)) == (True, [])


def test_a_run_that_never_came_costs_no_try(
    store: CallbackStore, clock: MovableClock
) -> None:
    """Prefect lost it, or somebody cancelled it."""
    keep(store, clock, posted("1"))
    tickets = Tickets(store)
    first = tickets.next(STATUS)
    assert first is not None
    tickets.asked(first.id)
    clock.advance(3_599)
    assert tickets.next(STATUS) is None
    clock.advance(1)
    second = tickets.next(STATUS)
    assert second is not None
    assert (second != first, store.listed()[0].attempts) == (True, 0)


def test_a_clock_that_was_set_back_holds_nothing(
    store: CallbackStore, clock: MovableClock
) -> None:
    """Neither what was received by the clock that went ahead, nor what a run of that
    time has in its hands.
    """
    clock.advance(86_400)
    keep(store, clock, posted("1"))
    tickets = Tickets(store)
    clock.advance(-86_400)
    assert heard(store, clock) == 1
    clock.advance(86_400)
    keep(store, clock, posted("2"), posted("3", "TAOBAO_ORDER_REFUND"))
    for begins, kind in ((True, STATUS), (False, CallbackKind.REFUND)):
        ticket = tickets.next(kind)
        assert ticket is not None
        tickets.asked(ticket.id)
        if begins:
            tickets.begin(ticket.id)
    clock.advance(-86_400)
    for kind in (STATUS, CallbackKind.REFUND):
        tickets.next(kind)  # ends the dead one
    clock.advance(300)
    assert [
        tickets.next(kind) is not None for kind in (STATUS, CallbackKind.REFUND)
    ] == [True, True]


def test_a_message_that_brings_runs_down_ends_alone_and_is_set_aside(
    store: CallbackStore, clock: MovableClock
) -> None:
    """After a second death each run takes fewer with it: 1,000, 1,000, 100, 10, 1."""
    keep(store, clock, *(posted(str(number)) for number in range(1, 151)))
    tickets, sizes = Tickets(store), []
    for _ in range(400):
        clock.advance(60)
        ticket = tickets.next(STATUS)
        if ticket is None:
            continue
        sizes.append(ticket.orders)
        messages = tickets.begin(ticket.id)
        if any(one.order_ids == ("77",) for one in messages):
            clock.advance(301)
        else:
            store.settle({one.id: READ for one in messages})
            tickets.end(ticket.id)
    assert sizes[:3] == [150, 150, 100]
    assert [
        (one.order_ids, one.outcome)
        for one in store.listed(state=CallbackState.SET_ASIDE)
    ] == [(("77",), GAVE_UP)]
    assert store.counts()[CallbackState.DONE] == 149


def test_a_run_that_could_not_ask_the_service_blames_no_message(
    store: CallbackStore, clock: MovableClock
) -> None:
    """They wait again as if nobody had looked."""
    keep(store, clock, posted("1"))
    tickets = Tickets(store)
    for _ in range(8):
        ticket = tickets.next(STATUS)
        assert ticket is not None
        tickets.begin(ticket.id)
        tickets.end(ticket.id, blameless=True)
        assert tickets.next(STATUS) is None  # a pause first
        clock.advance(120)
    assert (store.listed()[0].attempts, states(store)) == (0, ["waiting"])


def test_a_settled_message_can_be_replayed(
    store: CallbackStore, clock: MovableClock
) -> None:
    """One that can't be read has nothing to act on."""
    keep(store, clock, posted("1"), b"?", posted("2"))
    store.settle({1: READ})
    assert store.replay([1, 2, 3, 4], read_arrival) == [1]
    assert states(store) == ["waiting", "set_aside", "waiting"]


def test_what_could_not_be_read_is_read_anew_when_it_is_replayed(
    store: CallbackStore, clock: MovableClock
) -> None:
    """A newer version may know its form; the posted bytes stay what they were."""
    keep(store, clock, b"message=7")
    assert store.replay([1], lambda *_: arrival(posted("7"), clock)) == [1]
    (one,) = store.listed()
    assert (one.order_ids, one.marketplace, one.outcome, one.body) == (
        ("7",),
        "1688",
        None,
        b"message=7",
    )
    assert heard(store, clock) == 1


def test_what_was_settled_long_ago_is_let_go(
    store: CallbackStore, clock: MovableClock
) -> None:
    """What waits never is."""
    keep(store, clock, posted("1"), posted("2"))
    store.settle({1: READ})
    clock.now += timedelta(days=91)
    assert store.forget_old() == 1
    assert states(store) == ["waiting"]


def test_two_tokens_are_valid_at_once(store: CallbackStore) -> None:
    """So that the console can be changed without losing a message."""
    tokens = [new_token(store) for _ in range(3)]
    assert [
        fits(token, valid_digests(store)) for token in (*tokens, "wrong", "\ud800")
    ] == [
        False,
        True,
        True,
        False,
        False,
    ]
    end_tokens(store, but_newest=True)
    assert [fits(token, valid_digests(store)) for token in tokens] == [
        False,
        False,
        True,
    ]


def test_nothing_of_a_token_is_kept(store: CallbackStore) -> None:
    """A hash of it is."""
    token = new_token(store)
    assert token not in valid_digests(store)


@pytest.mark.parametrize(
    ("ledger", "kept"),
    [
        ("sqlite:////data/ledger.db", "sqlite:////data/callbacks.db"),
        ("postgresql://user@host/sourcing", "postgresql://user@host/sourcing"),
    ],
)
def test_messages_are_beside_the_ledger(ledger: str, kept: str) -> None:
    """A file of their own with SQLite, so that no run waits for them; the same database
    with PostgreSQL.
    """
    assert callbacks_url(ledger) == kept
