"""The hourly tracking run reads what is due; a callback and a person read what they
name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import pytest

from flows.sync_tracking import track
from tasks.engine.resources import Resources
from tests.simulation.dialects.journey import Journey
from tests.simulation.stage import Stage, stage


@pytest.fixture
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


class Hours(Journey):
    """A batch that is bought and on its way; `followed` has how many orders each
    tracking run has read.
    """

    followed: dict[str, int] = {}  # noqa: RUF012 - of the one instance

    async def _play(self) -> None:
        for hours in (0.3, 0.7, 24):
            await self._does(self._buys)
            await self._does(self._answers)
            await self._passes(hours)
        for name, hours, options in (
            ("the first run", 0, {"due_only": True}),
            ("an hour later", 1, {"due_only": True}),
            ("a callback", 0, {"only": ["taobao-1"]}),
            ("a person", 0, {}),
            ("two hours after that", 2, {"due_only": True}),
        ):
            await self._passes(hours)
            await self._does(self._tracks(name, options))

    def _tracks(
        self, name: str, options: Mapping[str, Any]
    ) -> Callable[[Resources], Awaitable[object]]:
        async def tracks(resources: Resources) -> None:
            self.followed[name] = (await track(resources, **options)).followed

        return tracks


@pytest.mark.endurance
def test_a_parcel_without_news_is_not_read_each_hour(made: Stage) -> None:
    journey = Hours(made, ())
    journey.run()
    assert journey.found == []
    assert journey.followed == {
        "the first run": 15,
        "an hour later": 0,
        "a callback": 1,
        "a person": 15,
        "two hours after that": 13,  # two have had no scan yet
    }
