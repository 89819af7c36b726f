"""What a watcher elsewhere hears of the nights of a deployment."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from prefect.exceptions import Pause

import flows.buy_from_inbox
from flows.buy_from_inbox import watched_from_outside


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    told: list[tuple[str, bool]] = []

    async def tell(url: str, *, well: bool) -> str:
        told.append((url, well))
        return "Connection refused"

    monkeypatch.setenv("SOURCING_PING_URL", "https://watch.example/6f1b")
    monkeypatch.setattr(flows.buy_from_inbox, "ping_watcher", tell)
    monkeypatch.setattr(flows.buy_from_inbox, "is_deployed", lambda: True)
    return told


async def test_a_night_is_well_unless_there_was_trouble(
    heard: list[tuple[str, bool]], caplog: pytest.LogCaptureFixture
) -> None:
    """Trouble, and what nobody expected; that the watcher can't be told is a line in
    the log and no more.
    """
    async with watched_from_outside():
        pass
    async with watched_from_outside() as trouble:
        trouble.append(OSError("the ledger is gone"))
    with suppress(ZeroDivisionError):
        async with watched_from_outside():
            _ = 1 / 0
    assert [well for _, well in heard] == [True, False, False]
    assert (
        "SOURCING_PING_URL may not know how this night ended: Connection refused"
        in caplog.text
    )
    assert "6f1b" not in caplog.text


async def test_a_night_that_was_paused_on_its_page_is_not_told_as_well(
    heard: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor one that was cancelled: it is missed. A file's run is the first to hear of
    it.
    """

    async def paused(_night: object, _path: Path) -> None:
        raise Pause

    (tmp_path / "a.csv").touch()
    monkeypatch.setattr(flows.buy_from_inbox.Night, "take", paused)
    with pytest.raises(Pause):
        await flows.buy_from_inbox.buy_from_inbox.fn(str(tmp_path), quiet_s=0)
    assert heard == []


@pytest.mark.parametrize(
    ("url", "deployed"), [("", True), ("https://watch.example/6f1b", False)]
)
async def test_nobody_is_told_without_an_address_or_of_what_a_person_runs(
    heard: list[tuple[str, bool]],
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    *,
    deployed: bool,
) -> None:
    monkeypatch.setenv("SOURCING_PING_URL", url)
    monkeypatch.setattr(flows.buy_from_inbox, "is_deployed", lambda: deployed)
    async with watched_from_outside():
        pass
    assert heard == []
