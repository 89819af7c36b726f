"""How long a read waits before it tries again."""

from __future__ import annotations

import pytest

from connectors.xportcn.failures import (
    Meaning,
    retry_after_s,
    skew_s,
    wait_before_retry,
)

NEW_YEAR = 1767225600.0


def wait(
    meaning: Meaning = Meaning.RETRY_NOW, tried: int = 1, asked: float | None = None
) -> float | None:
    return wait_before_retry(
        meaning, tried=tried, retries=4, retry_after_s=asked, luck=0.5
    )


def test_waits_double_and_level_off() -> None:
    """Half the luck gives half of 0.2, 0.4, 0.8 ... seconds, and never more than half
    of eight.
    """
    assert [wait(tried=attempts) for attempts in (1, 2, 3, 4)] == [0.1, 0.2, 0.4, 0.8]
    assert (
        wait_before_retry(
            Meaning.RETRY_NOW, tried=20, retries=99, retry_after_s=None, luck=0.5
        )
        == 4.0
    )


def test_the_last_try_is_the_last() -> None:
    """With four retries the fifth failure is final."""
    assert wait(tried=5) is None


@pytest.mark.parametrize(
    "meaning", [Meaning.REFUSED, Meaning.UNANSWERED, Meaning.MISCONFIGURED]
)
def test_what_would_come_again_is_not_tried_again(meaning: Meaning) -> None:
    """Only failures that may pass are repeated."""
    assert wait(meaning) is None


@pytest.mark.parametrize(
    ("asked", "waited"), [(0.0, 0.0), (7.0, 7.0), (30.0, 30.0), (30.5, None)]
)
def test_retry_after_is_honoured_up_to_a_cap(
    asked: float, waited: float | None
) -> None:
    """The service's wish counts to the second; a longer one is the caller's to
    decide.
    """
    assert wait(Meaning.RETRY_LATER, asked=asked) == waited


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after_may_be_seconds_or_a_date(text: str, seconds: float | None) -> None:
    """Both forms of the header are read; anything else is as if it were absent."""
    assert retry_after_s({"retry-after": text}, NEW_YEAR) == seconds


def test_skew_is_ours_minus_the_service_s() -> None:
    """A `Date` ten minutes after our clock makes us ten minutes behind."""
    assert skew_s({"date": "Thu, 01 Jan 2026 00:10:00 GMT"}, NEW_YEAR) == -600
    assert skew_s({}, NEW_YEAR) is None
    assert skew_s({"date": "yesterday"}, NEW_YEAR) is None
