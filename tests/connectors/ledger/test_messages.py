"""The outbox: each cause is told once, each addressee has it once, and who can't be reached is tried for a day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.ledger.store import Ledger
from domain.messages import Message, MessageKind
from domain.reasons import ReasonCode, because
from tests.clock import MovableClock

LATE = because(ReasonCode.RECIPIENT_LATE)
LEASE = timedelta(seconds=60)
HOUR_S = 3600.0


def message(cause: str = "run:1", **given: object) -> Message:
    return Message(**{"cause": cause, "kind": MessageKind.RUN_FAILED, "subject": "A run failed", "body": "", **given})  # type: ignore[arg-type]


def causes(ledger: Ledger, addressee: str = "ntfy") -> list[str]:
    """What one claim takes."""
    claimed = ledger.messages.claim(addressee, lease=LEASE)
    return claimed.causes if claimed else []


def test_a_cause_is_told_once(ledger: Ledger, other: Ledger) -> None:
    """Whoever tells it, and also after it was sent."""
    assert ledger.tell(message(subject="first"))
    assert not other.tell(message(subject="second"))
    claimed = ledger.messages.claim("ntfy", lease=LEASE)
    assert claimed is not None
    assert [one.subject for one in claimed.messages] == ["first"]
    ledger.messages.sent(claimed)
    ledger.messages.finish(["ntfy"])
    assert not ledger.tell(message())
    assert causes(ledger) == []


def test_each_addressee_has_it_once(ledger: Ledger, clock: MovableClock) -> None:
    """One that fails is tried again, and does not have it repeated at the other."""
    ledger.tell(message())
    good, bad = (ledger.messages.claim(name, lease=LEASE) for name in ("ntfy", "smtp"))
    assert good
    assert bad
    ledger.messages.sent(good)
    ledger.messages.failed(bad, LATE)
    ledger.messages.finish(["ntfy", "smtp"])
    assert (causes(ledger, "ntfy"), causes(ledger, "smtp")) == ([], [])
    clock.advance(15)
    assert (causes(ledger, "ntfy"), causes(ledger, "smtp")) == ([], ["run:1"])


def test_who_holds_it_is_alone_until_the_lease_is_over(ledger: Ledger, other: Ledger, clock: MovableClock) -> None:
    ledger.tell(message())
    assert causes(ledger) == ["run:1"]
    assert causes(other) == []
    clock.advance(60)
    assert causes(other) == ["run:1"]


def test_one_kind_goes_together(ledger: Ledger) -> None:
    """The oldest first, and all others of its kind with it."""
    ledger.tell(message("run:1"), message("parcel:1", kind=MessageKind.PARCEL), message("run:2"))
    assert causes(ledger) == ["parcel:1"]
    assert causes(ledger) == ["run:1", "run:2"]


def test_a_flood_of_one_kind_is_a_few_messages(ledger: Ledger, clock: MovableClock) -> None:
    """The first goes at once; what comes in the next moments goes together. Other kinds and addressees don't wait."""
    ledger.tell(message("run:1"))
    first = ledger.messages.claim("ntfy", lease=LEASE)
    assert first
    ledger.messages.sent(first)
    ledger.messages.finish(["ntfy"])
    ledger.tell(message("run:2"), message("z-parcel:1", kind=MessageKind.PARCEL))
    assert causes(ledger, "smtp") == ["run:2"]
    assert causes(ledger) == ["z-parcel:1"]
    assert causes(ledger) == []
    ledger.tell(message("run:3"))
    clock.advance(20)
    assert causes(ledger) == ["run:2", "run:3"]


def test_a_clock_that_went_ahead_mutes_nobody(ledger: Ledger, clock: MovableClock) -> None:
    """What was sent, claimed or paused by it is behind us, whatever the ledger says."""
    clock.advance(9_000 * HOUR_S)
    ledger.tell(message("run:1"), message("z-parcel:1", kind=MessageKind.PARCEL))
    sent = ledger.messages.claim("ntfy", lease=LEASE)
    assert sent
    ledger.messages.sent(sent)
    assert causes(ledger) == ["z-parcel:1"]
    clock.advance(-9_000 * HOUR_S)
    ledger.tell(message("run:2"), message("z-parcel:2", kind=MessageKind.PARCEL))
    assert causes(ledger) == ["run:2"]
    assert causes(ledger) == ["z-parcel:2"]
    clock.advance(9_000 * HOUR_S - 2 * HOUR_S)
    assert causes(ledger) == []


def test_what_is_not_due_yet_waits_and_can_be_withdrawn(ledger: Ledger, clock: MovableClock) -> None:
    later = clock() + timedelta(hours=1)
    ledger.tell(message("reminder:1", due_at=later), message("reminder:2", due_at=later))
    assert not ledger.messages.is_due(["ntfy"])
    assert ledger.untell("reminder:1")
    assert not ledger.untell("reminder:1")
    clock.advance(HOUR_S)
    assert ledger.messages.is_due(["ntfy"])
    assert causes(ledger) == ["reminder:2"]


def test_what_somebody_has_is_not_withdrawn(ledger: Ledger) -> None:
    """Answers False, so that who told it can tell that it is over; the others don't get it any more."""
    ledger.tell(message())
    claimed = ledger.messages.claim("ntfy", lease=LEASE)
    assert claimed
    ledger.messages.sent(claimed)
    assert not ledger.untell("run:1")
    assert causes(ledger, "smtp") == []


def test_old_news_is_not_sent(ledger: Ledger, clock: MovableClock) -> None:
    """A reminder of a deadline that is over, and what waited three days for somebody who sends."""
    ledger.tell(message("reminder:1", until=clock() + timedelta(hours=1)), message("run:1"))
    clock.advance(2 * HOUR_S)
    assert causes(ledger) == ["run:1"]
    clock.advance(72 * HOUR_S)
    assert ledger.messages.is_due(["ntfy"])  # there is something to end
    ledger.messages.finish(["ntfy"])
    assert causes(ledger) == []
    assert not ledger.messages.is_due(["ntfy"])


def test_an_addressee_is_tried_for_a_day_and_that_is_told(ledger: Ledger, clock: MovableClock) -> None:
    ledger.tell(message())
    since, tries = clock(), 0
    while clock() < since + timedelta(days=2):
        if claimed := ledger.messages.claim("smtp", lease=LEASE):
            ledger.messages.failed(claimed, LATE)
            ledger.messages.finish(["smtp"])
            tries += 1
        clock.advance(HOUR_S)
    assert tries == 25
    (unsent,) = ledger.messages.unsent(since)
    assert (unsent.subject, unsent.addressee) == ("A run failed", "smtp")
    assert (unsent.is_over, str(unsent.why)) == (True, "smtp did not get it: it did not answer in time; given up")
    assert ledger.messages.unreached(since) == [unsent]
    ledger.tell(message("run:2"))
    later = ledger.messages.claim("smtp", lease=LEASE)
    assert later
    ledger.messages.sent(later)
    assert ledger.messages.unreached(since) == []  # it works again


def test_what_nobody_sent_is_told_too(ledger: Ledger, clock: MovableClock) -> None:
    ledger.tell(message())
    assert ledger.messages.unsent(clock()) == []
    since = clock()
    clock.advance(80 * HOUR_S)
    ledger.messages.finish(["smtp"])
    assert [(one.subject, one.addressee) for one in ledger.messages.unsent(since)] == [("A run failed", "")]


@pytest.mark.parametrize("cause", ["x" * 161, "file:" + "y" * 400])
def test_a_long_cause_fits_and_stays_itself(ledger: Ledger, cause: str) -> None:
    assert ledger.tell(message(cause))
    assert not ledger.tell(message(cause))
    assert ledger.tell(message(cause + "z"))
    assert ledger.messages.told([cause, "other"]) == {cause}
    assert ledger.untell(cause)


def test_foreign_words_are_cleaned(ledger: Ledger) -> None:
    """Line breaks of the body stay."""
    ledger.tell(message(subject="held\x1b[31m", body="one\r\ntwo\x00\u202e"))
    claimed = ledger.messages.claim("ntfy", lease=LEASE)
    assert claimed
    assert claimed.messages[0].subject == "held�[31m"
    assert claimed.messages[0].body == "one\ntwo��"
