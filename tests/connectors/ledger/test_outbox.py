"""The outbox: each cause is enqueued once, each address has it once, and one out of
reach is tried for three days.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

import pytest

from connectors.ledger.outbox import put_messages
from connectors.ledger.store import Ledger
from domain.messages import Message
from tests.clock import MovableClock

LATE = "it did not answer in time"
HOUR_S = 3600.0


def message(cause: str = "run:1", **given: object) -> Message:
    fields = {"cause": cause, "subject": "A run failed", "body": "", **given}
    return Message(**fields)  # type: ignore[arg-type]


def put(ledger: Ledger, *new: Message, to: Iterable[str] = ("ntfy",)) -> None:
    ledger.outbox.put(*new)
    ledger.outbox.address([*to], ledger.clock())


def taken(ledger: Ledger) -> list[tuple[str, str]]:
    """The cause and address of all that is due; it counts as sent."""
    findings = []
    while message := ledger.outbox.due(ledger.clock()):
        ledger.outbox.sent(message, ledger.clock())
        findings.append((message.cause, message.address))
    return findings


def test_a_cause_is_enqueued_once(ledger: Ledger, other: Ledger) -> None:
    """By any process, and also after it was sent."""
    put(ledger, message(subject="first"))
    put(other, message(subject="second"))
    stored_message = ledger.outbox.due(ledger.clock())
    assert stored_message is not None
    assert stored_message.subject == "first"
    ledger.outbox.sent(stored_message, ledger.clock())
    put(ledger, message())
    assert taken(ledger) == []


def test_each_address_has_it_once(ledger: Ledger, clock: MovableClock) -> None:
    """One that fails is tried again, and does not have it repeated at the other."""
    put(ledger, message(), to=["ntfy", "smtp"])
    first = ledger.outbox.due(clock())
    second = ledger.outbox.due(clock())
    assert first is not None
    assert second is not None
    ledger.outbox.sent(first, clock())
    ledger.outbox.failed(second, LATE, clock())
    assert (taken(ledger), ledger.is_message_due(clock())) == ([], False)
    clock.advance(60)
    assert ledger.is_message_due(clock())
    assert taken(ledger) == [("run:1", second.address)]


def test_what_is_being_sent_is_left_alone_for_a_minute(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    put(ledger, message())
    first = ledger.outbox.due(clock())
    assert first is not None
    clock.advance(59)
    assert other.outbox.due(clock()) is None
    clock.advance(1)
    stored_message = other.outbox.due(clock())
    assert stored_message is not None
    assert (stored_message.cause, stored_message.tries) == ("run:1", 2)
    ledger.outbox.sent(first, clock())  # it was not dead
    other.outbox.failed(stored_message, LATE, clock())
    clock.advance(HOUR_S)
    assert other.outbox.due(clock()) is None
    assert ledger.outbox.undelivered(clock() - timedelta(days=1)) == []


def test_an_address_out_of_reach_is_tried_after_growing_pauses_and_given_up(
    ledger: Ledger, clock: MovableClock
) -> None:
    """From a minute to an hour, for three days; then it is among what waits."""
    put(ledger, message(), to=["smtp"])
    began = clock()
    times = []
    while clock() < began + timedelta(days=4):
        if stored_message := ledger.outbox.due(clock()):
            times.append((clock() - began) // timedelta(minutes=1))
            ledger.outbox.failed(stored_message, LATE, clock())
            (delayed,) = ledger.outbox.undelivered(began)
            assert delayed.is_given_up == (times[-1] >= 3 * 24 * 60)
        clock.advance(60)
    assert times[:9] == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert times[-1] == 72 * 60 + 3
    (lost,) = ledger.outbox.undelivered(began)
    assert (lost.subject, lost.address, str(lost.why_unsent)) == (
        "A run failed",
        "smtp",
        "smtp did not get it: it did not answer in time; given up",
    )
    put(ledger, message("run:2"), to=["smtp"])
    assert taken(ledger) == [("run:2", "smtp")]


def test_a_machine_that_was_off_for_a_week_gives_nothing_up_at_its_first_try(
    ledger: Ledger, clock: MovableClock
) -> None:
    put(ledger, message())
    clock.advance(7 * 24 * HOUR_S)
    stored_message = ledger.outbox.due(clock())
    assert stored_message is not None
    ledger.outbox.failed(stored_message, LATE, clock())
    clock.advance(60)
    assert taken(ledger) == [("run:1", "ntfy")]


def test_what_is_due_at_an_address_out_of_reach_waits_together(
    ledger: Ledger, clock: MovableClock
) -> None:
    """One try is enough to know; then the least tried goes first, so one that is
    refused for its content stops no other.
    """
    put(ledger, message("run:1"), message("run:2"))
    stored_message = ledger.outbox.due(clock())
    assert stored_message is not None
    ledger.outbox.failed(stored_message, LATE, clock())
    assert ledger.outbox.due(clock()) is None
    clock.advance(60)
    assert [cause for cause, _ in taken(ledger)] == ["run:2", "run:1"]


def test_a_clock_that_went_ahead_mutes_nothing(
    ledger: Ledger, clock: MovableClock
) -> None:
    clock.advance(9_000 * HOUR_S)
    put(ledger, message())
    clock.advance(-9_000 * HOUR_S)
    assert ledger.is_message_due(clock())
    assert taken(ledger) == [("run:1", "ntfy")]


def test_a_message_covers_what_it_is_about(ledger: Ledger) -> None:
    """It goes out while one of these is new."""
    put(ledger, message("batch:1", about=("A-1", "A-2")))
    put(ledger, message("batch:2", about=("A-2",)))
    put(ledger, message("batch:3", about=("A-2", "A-3")))
    assert [cause for cause, _ in taken(ledger)] == ["batch:1", "batch:3"]


def test_a_message_stands_and_falls_with_its_transaction(ledger: Ledger) -> None:
    with suppress(RuntimeError), ledger.transaction() as connection:
        put_messages(connection, [message("run:1")], ledger.clock())
        raise RuntimeError("killed")
    with ledger.transaction() as connection:
        put_messages(connection, [message("run:2")], ledger.clock())
    assert [*ledger.outbox.causes("run:")] == ["run:2"]


def test_a_pause_and_its_end_are_told_with_them(
    ledger: Ledger, clock: MovableClock
) -> None:
    ledger.pause_buying("mei", "prices look wrong")
    ledger.pause_buying("mei", "once more")
    clock.advance(60)
    ledger.resume_buying("jo")
    ledger.resume_buying("jo")
    ledger.outbox.address(["ntfy"], clock())
    assert [cause.partition(":")[0] for cause, _ in taken(ledger)] == [
        "paused",
        "resumed",
    ]


@pytest.mark.parametrize("cause", ["x" * 161, "file:" + "y" * 400])
def test_a_long_cause_fits_and_stays_itself(ledger: Ledger, cause: str) -> None:
    put(ledger, message(cause), message(cause), message(cause + "z"))
    assert len(taken(ledger)) == 2


def test_foreign_words_are_cleaned(ledger: Ledger) -> None:
    """Line breaks of the body stay."""
    put(ledger, message(subject="held\x1b[31m", body="one\r\ntwo\x00\u202e"))
    stored_message = ledger.outbox.due(ledger.clock())
    assert stored_message is not None
    assert (stored_message.subject, stored_message.body) == ("held�[31m", "one\ntwo��")
