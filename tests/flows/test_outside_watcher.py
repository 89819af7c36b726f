"""What a watcher elsewhere hears of the sweeps of a deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

import flows.finish_open
from domain.request_remarks import BadInput
from flows.finish_open import finish_open


@pytest.mark.parametrize("is_well", [True, False])
async def test_the_watcher_hears_whether_a_sweep_had_trouble(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    *,
    is_well: bool,
) -> None:
    """That it can't be reached is a line in the log and no more, without its secret."""
    pings: list[tuple[str, bool]] = []

    async def ping(url: str, *, well: bool) -> str:
        pings.append((url, well))
        return "Connection refused"

    async def read() -> None:
        if not is_well:
            raise BadInput("odd")

    url = "https://watch.example/6f1b"
    monkeypatch.setenv("SOURCING_PING_URL", url)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(flows.finish_open, "ping_watcher", ping)
    monkeypatch.setattr(flows.finish_open, "is_deployed", lambda: True)
    monkeypatch.setattr(flows.finish_open, "has_due_callbacks", lambda *_, **__: True)
    monkeypatch.setattr(flows.finish_open, "hear_callbacks", read)
    report = await finish_open.fn()
    assert (pings, len(report.troubles)) == ([(url, is_well)], 0 if is_well else 1)
    assert "SOURCING_PING_URL was not reached: Connection refused" in caplog.text
    assert "6f1b" not in caplog.text
