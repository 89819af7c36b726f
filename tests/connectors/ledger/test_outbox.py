"""The outbox: each cause is enqueued once, each recipient has it once, and one out of
reach is tried for a day.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.ledger.store import Ledger
from domain.messages import Message, MessageKind
from domain.reasons import ReasonCode, because
from tests.clock import MovableClock

LATE = because(ReasonCode.RECIPIENT_LATE)
HOUR_S = 3600.0


def message(cause: str = "run:1", **given: object) -> Message:
    return Message(
        **{  # type: ignore[arg-type]
            "cause": cause,
            "kind": MessageKind.RUN_FAILED,
            "subject": "A run failed",
            "body": "",
            **given,
        }
    )


def causes(ledger: Ledger, recipient: str = "ntfy") -> list[str]:
    """What one try takes."""
    return [one.cause for one in ledger.outbox.begin(recipient)]


def sent(ledger: Ledger, *recipients: str) -> list[str]:
    """What one try takes and sends to the first of these recipients."""
    tried = ledger.outbox.begin(recipients[0])
    ledger.outbox.end(tried, recipients[0], None, recipients)
    return [one.cause for one in tried]


def test_a_cause_is_enqueued_once(ledger: Ledger, other: Ledger) -> None:
    """By any process, and also after it was sent."""
    assert ledger.outbox.put(message(subject="first"))
    assert not other.outbox.put(message(subject="second"))
    tried = ledger.outbox.begin("ntfy")
    assert [one.subject for one in tried] == ["first"]
    ledger.outbox.end(tried, "ntfy", None, ["ntfy"])
    assert not ledger.outbox.put(message())
    assert causes(ledger) == []


def test_each_recipient_has_it_once(ledger: Ledger, clock: MovableClock) -> None:
    """One that fails is tried again, and does not have it repeated at the other."""
    ledger.outbox.put(message())
    good, bad = ledger.outbox.begin("ntfy"), ledger.outbox.begin("smtp")
    ledger.outbox.end(good, "ntfy", None, ["ntfy", "smtp"])
    ledger.outbox.end(bad, "smtp", LATE, ["ntfy", "smtp"])
    assert (causes(ledger, "ntfy"), causes(ledger, "smtp")) == ([], [])
    clock.advance(15)
    assert (causes(ledger, "ntfy"), causes(ledger, "smtp")) == ([], ["run:1"])


def test_what_is_being_sent_is_left_alone_until_its_sender_must_be_dead(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    ledger.outbox.put(message())
    first = ledger.outbox.begin("ntfy")
    assert causes(other) == []
    clock.advance(89)
    assert causes(other) == []
    clock.advance(1)
    again = other.outbox.begin("ntfy")
    assert [one.cause for one in again] == ["run:1"]
    ledger.outbox.end(first, "ntfy", None, ["ntfy"])  # it was not dead
    other.outbox.end(again, "ntfy", LATE, ["ntfy"])
    clock.advance(HOUR_S)
    assert (causes(ledger), ledger.outbox.unsent(clock() - timedelta(days=1))) == (
        [],
        [],
    )


def test_one_kind_goes_together(ledger: Ledger) -> None:
    """The oldest first, and all others of its kind with it."""
    ledger.outbox.put(
        message("run:1"), message("parcel:1", kind=MessageKind.PARCEL), message("run:2")
    )
    assert causes(ledger) == ["parcel:1"]
    assert causes(ledger) == ["run:1", "run:2"]


def test_a_flood_of_one_kind_is_a_few_messages(
    ledger: Ledger, clock: MovableClock
) -> None:
    """The first goes at once; what comes in the next moments goes together. Other kinds
    and recipients don't wait.
    """
    ledger.outbox.put(message("run:1"))
    assert sent(ledger, "ntfy") == ["run:1"]
    ledger.outbox.put(message("run:2"), message("z-parcel:1", kind=MessageKind.PARCEL))
    assert causes(ledger, "smtp") == ["run:2"]
    assert causes(ledger) == ["z-parcel:1"]
    assert causes(ledger) == []
    ledger.outbox.put(message("run:3"))
    clock.advance(20)
    assert causes(ledger) == ["run:2", "run:3"]


def test_a_clock_that_went_ahead_mutes_nothing(
    ledger: Ledger, clock: MovableClock
) -> None:
    """What was sent, begun or paused by it is behind us, whatever the ledger says."""
    clock.advance(9_000 * HOUR_S)
    ledger.outbox.put(message("run:1"), message("z-parcel:1", kind=MessageKind.PARCEL))
    assert sent(ledger, "ntfy") == ["run:1"]
    assert causes(ledger) == ["z-parcel:1"]
    clock.advance(-9_000 * HOUR_S)
    ledger.outbox.put(message("run:2"), message("z-parcel:2", kind=MessageKind.PARCEL))
    assert causes(ledger) == ["run:2"]
    assert causes(ledger) == ["z-parcel:2", "z-parcel:1"]
    clock.advance(9_000 * HOUR_S - 2 * HOUR_S)
    assert causes(ledger) == ["z-parcel:1"]  # nobody said that it was sent


def test_what_was_told_by_a_clock_that_went_ahead_is_due(
    ledger: Ledger, clock: MovableClock
) -> None:
    """Such as that it is ahead, before there was a network. What has a time of its own
    waits for it.
    """
    clock.advance(8 * HOUR_S)
    ledger.outbox.put(
        message("run:1"), message("reminder:1", due_at=clock() + timedelta(hours=1))
    )
    clock.advance(-8 * HOUR_S)
    assert ledger.outbox.is_due(["ntfy"])
    assert sent(ledger, "ntfy") == ["run:1"]
    assert causes(ledger) == []


def test_what_was_told_by_a_clock_that_went_ahead_is_not_the_newest(
    ledger: Ledger, clock: MovableClock
) -> None:
    """Each digest would begin where that one ended, in a week, and tell of nothing."""
    ledger.outbox.put(message("run:1"))
    assert sent(ledger, "ntfy") == ["run:1"]
    first = clock()
    clock.advance(160 * HOUR_S)
    ledger.outbox.put(message("run:2"))
    assert sent(ledger, "ntfy") == ["run:2"]
    clock.advance(-159 * HOUR_S)
    assert ledger.outbox.newest(MessageKind.RUN_FAILED) == ("run:1", first)
    assert ledger.outbox.reached(MessageKind.RUN_FAILED, first) == first


def test_what_is_not_due_yet_waits_and_can_be_withdrawn(
    ledger: Ledger, clock: MovableClock
) -> None:
    later = clock() + timedelta(hours=1)
    ledger.outbox.put(
        message("reminder:1", due_at=later), message("reminder:2", due_at=later)
    )
    assert not ledger.outbox.is_due(["ntfy"])
    assert ledger.outbox.withdraw("reminder:1")
    assert not ledger.outbox.withdraw("reminder:1")
    clock.advance(HOUR_S)
    assert ledger.outbox.is_due(["ntfy"])
    assert causes(ledger) == ["reminder:2"]


def test_what_a_recipient_has_is_not_withdrawn(ledger: Ledger) -> None:
    """Answers False, so that its end can be notified too; the others don't get it any
    more.
    """
    ledger.outbox.put(message())
    assert sent(ledger, "ntfy", "smtp") == ["run:1"]
    assert not ledger.outbox.withdraw("run:1")
    assert causes(ledger, "smtp") == []


def test_what_a_recipient_may_have_by_now_is_not_withdrawn(
    ledger: Ledger, clock: MovableClock
) -> None:
    """It is being sent: its end is notified too. One that was refused so far is
    withdrawn.
    """
    ledger.outbox.put(message("run:1"), message("run:2"))
    tried = ledger.outbox.begin("ntfy")
    assert not ledger.outbox.withdraw("run:1")
    ledger.outbox.end(tried, "ntfy", LATE, ["ntfy"])
    clock.advance(15)
    assert ledger.outbox.withdraw("run:2")
    assert causes(ledger) == []


def test_old_news_is_not_sent(ledger: Ledger, clock: MovableClock) -> None:
    """A reminder of a deadline that is over, and what waited three days for a
    sender.
    """
    ledger.outbox.put(
        message("reminder:1", until=clock() + timedelta(hours=1)), message("run:1")
    )
    clock.advance(2 * HOUR_S)
    assert causes(ledger) == ["run:1"]
    clock.advance(72 * HOUR_S)
    assert ledger.outbox.is_due(["ntfy"])  # there is something to end
    assert causes(ledger) == []
    assert not ledger.outbox.is_due(["ntfy"])


def test_a_recipient_is_tried_for_a_day_and_that_is_listed(
    ledger: Ledger, clock: MovableClock
) -> None:
    ledger.outbox.put(message())
    since, tries = clock(), 0
    while clock() < since + timedelta(days=2):
        if tried := ledger.outbox.begin("smtp"):
            ledger.outbox.end(tried, "smtp", LATE, ["smtp"])
            tries += 1
        clock.advance(HOUR_S)
    assert tries == 25
    (unsent,) = ledger.outbox.unsent(since)
    assert (unsent.subject, unsent.recipient) == ("A run failed", "smtp")
    assert (unsent.is_over, str(unsent.why)) == (
        True,
        "smtp did not get it: it did not answer in time; given up",
    )
    assert ledger.outbox.unreached(since) == [unsent]
    ledger.outbox.put(message("run:2"))
    assert sent(ledger, "smtp") == ["run:2"]
    assert ledger.outbox.unreached(since) == []  # it works again


def test_what_came_too_late_is_listed_where_there_are_recipients(
    ledger: Ledger, clock: MovableClock
) -> None:
    """Without any there is no sender, and no message is missed."""
    ledger.outbox.put(message())
    since = clock()
    clock.advance(80 * HOUR_S)
    assert ledger.outbox.unsent(since) == []
    assert causes(ledger, "smtp") == []
    assert [(one.subject, one.recipient) for one in ledger.outbox.unsent(since)] == [
        ("A run failed", "")
    ]
    assert [one.subject for one in ledger.outbox.unreached(since)] == ["A run failed"]


@pytest.mark.parametrize("cause", ["x" * 161, "file:" + "y" * 400])
def test_a_long_cause_fits_and_stays_itself(ledger: Ledger, cause: str) -> None:
    assert ledger.outbox.put(message(cause))
    assert not ledger.outbox.put(message(cause))
    assert ledger.outbox.put(message(cause + "z"))
    assert ledger.outbox.known([cause, "other"]) == {cause}
    assert ledger.outbox.withdraw(cause)


def test_foreign_words_are_cleaned(ledger: Ledger) -> None:
    """Line breaks of the body stay."""
    ledger.outbox.put(message(subject="held\x1b[31m", body="one\r\ntwo\x00\u202e"))
    (tried,) = ledger.outbox.begin("ntfy")
    assert (tried.subject, tried.body) == ("held�[31m", "one\ntwo��")
