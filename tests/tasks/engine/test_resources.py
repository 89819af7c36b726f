"""What a run has opened is closed however it ends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from tasks.engine.resources import open_resources

NOW = datetime(2026, 9, 3, 6, tzinfo=UTC)
TODAY = datetime(2026, 9, 2, 16, tzinfo=UTC)
"""China's."""


@pytest.mark.parametrize("error", [None, ValueError("the service is away")])
async def test_calls_that_a_run_did_not_make_are_given_back_however_it_ends(
    tmp_path: Path, error: Exception | None
) -> None:
    """An hour's outage cost a few percent of the day's calls."""
    settings = SourcingSettings(data_dir=tmp_path)
    xportcn = XportcnSettings(calls_a_day=1000)

    async def run() -> None:
        async with open_resources(settings, xportcn, clock=lambda: NOW) as resources:
            assert resources.calls
            await resources.calls.take()
            if error:
                raise error

    if error:
        with pytest.raises(ValueError, match="the service is away"):
            await run()
    else:
        await run()
    with Ledger(settings.ledger_url, clock=lambda: NOW, owner="test") as ledger:
        assert ledger.pace.take_today(TODAY, 1000, 1000) == 999
