"""How soon a parcel is read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.polling import next_poll

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet_h", "again_h"), [(0, 1.25), (47, 1.25), (48, 5.25), (119, 5.25), (120, 11.25), (10_000, 11.25), (-5, 1.25)]
)
def test_a_parcel_is_read_less_often_while_nothing_happens(quiet_h: float, again_h: float) -> None:
    """Also at a clock that ran ahead."""
    assert next_poll(NOW, NOW - timedelta(hours=quiet_h)) == NOW + timedelta(hours=again_h)
