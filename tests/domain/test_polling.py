"""How soon a parcel is read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.polling import next_poll

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet_h", "again_h"), [(0, 1.5), (47, 1.5), (48, 5.5), (119, 5.5), (120, 11.5), (10_000, 11.5), (-5, 1.5)]
)
def test_a_parcel_is_read_less_often_while_nothing_happens(quiet_h: float, again_h: float) -> None:
    """Also at a clock that ran ahead."""
    assert next_poll(NOW, NOW - timedelta(hours=quiet_h)) == NOW + timedelta(hours=again_h)
