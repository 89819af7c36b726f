"""What a run opens, and how long it waits for the service to be there at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.settings import SourcingSettings
from connectors.xportcn.errors import (
    ServiceAway,
)
from flows.batch import opening
from flows.batch.opening import begun_at, opened
from tests.connectors.xportcn.test_breaker import (
    Service,
    away_until,
    breaker,
    now,
    played,
)


@pytest.mark.parametrize(
    ("done_by", "waits_s"),
    [("2026-01-01 12:10", 600), ("2026-01-01 11:00", 60), ("", 3600)],
)
def test_a_service_that_is_away_from_the_start_is_waited_for_until_all_was_to_be_done(
    monkeypatch: pytest.MonkeyPatch, done_by: str, waits_s: float
) -> None:
    """It is 12:00. A run that comes too late waits a minute, and one without such a
    time as long as it has patience.
    """

    async def play() -> float:
        started_at = now()
        service = Service(breaker(patience_s=3600))
        service.answers = away_until(10_000)
        resources = SimpleNamespace(
            breaker=service.breaker,
            ledger=SimpleNamespace(since=None),
            clock=lambda: (
                datetime(2026, 1, 1, 12, tzinfo=UTC)
                + timedelta(seconds=now() - started_at)
            ),
            settings=SourcingSettings(timezone="UTC"),
            addresses=service.read,
        )

        @asynccontextmanager
        async def open_resources(*_: Any, **__: Any) -> AsyncIterator[Any]:
            yield resources

        monkeypatch.setattr(opening, "open_resources", open_resources)
        with pytest.raises(ServiceAway):
            async with opened(done_by=done_by):
                pass
        return now() - started_at

    assert waits_s <= played(play()) < waits_s + 2


@pytest.mark.parametrize(("started", "begun"), [(-300, -300), (300, 0), (None, 0)])
def test_a_run_began_before_now_also_by_the_clock_of_a_server_that_is_ahead(
    monkeypatch: pytest.MonkeyPatch, started: int | None, begun: int
) -> None:
    """What is dropped while it works was dropped since it began."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    start = None if started is None else noon + timedelta(seconds=started)
    monkeypatch.setattr(
        opening, "current_run", lambda: SimpleNamespace(start_time=start)
    )
    assert begun_at(noon) == noon + timedelta(seconds=begun)


@pytest.mark.parametrize(
    ("retried", "until"), [(None, "2026-01-02 06:00"), (9, "2026-01-03 06:00")]
)
async def test_a_time_of_day_is_the_next_one_after_a_person_pressed_retry(
    monkeypatch: pytest.MonkeyPatch, retried: int | None, until: str
) -> None:
    """A night that failed at 02:00 is pressed at 09:00; one that is taken up after a
    crash is still the same night.
    """
    night = datetime(2026, 1, 2, 2, tzinfo=UTC)

    async def pressed() -> datetime | None:
        return night.replace(hour=retried) if retried else None

    monkeypatch.setattr(
        opening, "current_run", lambda: SimpleNamespace(start_time=night)
    )
    monkeypatch.setattr(opening, "retried_at", pressed)
    assert await opening.absolute("06:00") == until
