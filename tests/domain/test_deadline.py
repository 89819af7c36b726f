"""By when a batch must be done."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.follow_ups import as_text, moment_of


@pytest.mark.parametrize(
    ("text", "begun", "moment"),
    [
        ("06:00", "2026-11-26T01:00:00+00:00", "2026-11-26T05:00:00+00:00"),
        ("06:00", "2026-11-26T05:00:00+00:00", "2026-11-27T05:00:00+00:00"),
        ("00:30", "2026-11-26T22:59:00+00:00", "2026-11-26T23:30:00+00:00"),
        ("2026-11-25 06:00", "2026-11-26T01:00:00+00:00", "2026-11-25T05:00:00+00:00"),
        ("02:30", "2026-10-25T00:15:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("02:30", "2026-10-25T01:15:00+00:00", "2026-10-25T01:30:00+00:00"),
        ("03:30", "2026-10-24T23:00:00+00:00", "2026-10-25T02:30:00+00:00"),
    ],
)
def test_a_time_of_day_is_the_next_one_where_the_merchant_is(
    text: str, begun: str, moment: str
) -> None:
    """Berlin is an hour ahead of UTC in winter; in the night of 25 October 02:30 comes
    twice.
    """
    findings = moment_of(text, datetime.fromisoformat(begun), "Europe/Berlin")
    assert findings is not None
    repeated = moment_of(
        as_text(findings, "Europe/Berlin"),
        datetime(2030, 1, 1, tzinfo=UTC),
        "Europe/Berlin",
    )
    assert repeated is not None
    assert [moment.astimezone(UTC) for moment in (findings, repeated)] == [
        datetime.fromisoformat(moment)
    ] * 2


@pytest.mark.parametrize(
    "text",
    ["6:00", "24:00", "soon", "2026-13-01 06:00", "06:00 2026-11-26", "06:00+0100"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no time|month must be"):
        moment_of(text, datetime(2026, 11, 26, tzinfo=UTC), "UTC")


def test_nothing_is_no_limit() -> None:
    assert moment_of("", datetime(2026, 11, 26, tzinfo=UTC), "UTC") is None
