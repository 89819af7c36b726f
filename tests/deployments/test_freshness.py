"""What registering finds of deployments that have to complete again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.events.schemas.events import Event
from prefect.types._datetime import now

from deployments import freshness
from deployments.freshness import expect_completions


class Emitted:
    """Keeps events instead of sending them."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def emit(self, event: Event) -> None:
        self.events.append(event)


class Server:
    """Answers with the newest completed run of a deployment."""

    def __init__(self, **hours_ago: float) -> None:
        self.hours_ago = hours_ago

    async def read_flow_runs(self, *, deployment_filter: Any, **_: object) -> list[SimpleNamespace]:
        (name,) = deployment_filter.name.any_
        ago = self.hours_ago.get(name.replace("-", "_"))
        return [] if ago is None else [SimpleNamespace(end_time=now("UTC") - timedelta(hours=ago))]


@pytest.mark.parametrize(
    ("completed", "overdue"),
    [
        ({}, []),
        ({"nightly": 25.9, "sync_tracking": 2.9}, []),
        ({"nightly": 30.5, "sync_tracking": 2.9}, [("nightly", 30)]),
        ({"nightly": 50.5, "sync_tracking": 31.5}, [("nightly", 50), ("sync-tracking", 31)]),
    ],
)
async def test_what_is_overdue_is_told_and_the_next_completion_awaited(
    monkeypatch: pytest.MonkeyPatch, completed: dict[str, float], overdue: list[tuple[str, int]]
) -> None:
    """Nothing is overdue that has never completed."""
    emitted = Emitted()

    @asynccontextmanager
    async def client() -> AsyncIterator[Emitted]:
        yield emitted

    monkeypatch.setattr(freshness, "get_events_client", client)
    await expect_completions(cast(PrefectClient, Server(**completed)))
    by_name: dict[str, list[Event]] = {}
    for event in emitted.events:
        by_name.setdefault(event.event, []).append(event)
    awaited = [event.resource.id for event in by_name["sourcing.deployment.awaited"]]
    assert awaited == ["sourcing.deployment.nightly", "sourcing.deployment.sync-tracking"]
    told = [event.payload for event in by_name.get("sourcing.deployment.overdue", [])]
    assert [(one["deployment"], one["hours"]) for one in told] == overdue
