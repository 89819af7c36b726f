"""Copies that the program sets aside end after some days, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.inbox import Folder, Inbox, delete_old, last_end
from connectors.settings import SourcingSettings

COPIES = (
    *(
        "inbox/done/a.csv",
        "inbox/done/a.csv.result.json",
        "inbox/failed/b.csv",
        f"fetched/{'0' * 64}.csv",
    ),
    *(
        "fetched/runs/1",
        "ledger.db.replaced-20260101T120000Z",
        "ledger.rescued-20260101T120000Z.db",
    ),
)
OTHERS = (
    "inbox/c.csv",
    "inbox/open/d.csv",
    "inbox/working/e.csv",
    "ledger.db",
    "ledger-20260101T120000Z.db",
    "notes",
)


@pytest.mark.parametrize("inbox", ["", "another"])
def test_only_what_the_program_set_aside_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inbox: str
) -> None:
    """Also in the inbox of before, where another is set meanwhile."""
    monkeypatch.setenv("SOURCING_INBOX", inbox and str(tmp_path / inbox))
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    settings, now = SourcingSettings(), datetime.now(UTC)
    assert last_end(settings, settings.inbox) is None
    for name in (*COPIES, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    end = last_end(settings, settings.inbox)
    assert end is not None
    assert timedelta(days=89, hours=23) < end - now < timedelta(days=90, hours=1)
    assert delete_old(settings, settings.inbox, now + timedelta(days=89)) == 0
    assert delete_old(settings, settings.inbox, now + timedelta(days=91)) == len(COPIES)
    assert {
        str(path.relative_to(tmp_path))
        for path in tmp_path.rglob("*")
        if path.is_file()
    } == {*OTHERS}


@pytest.mark.parametrize("place", [Folder.DONE, Folder.FAILED])
def test_what_superseded_a_file_that_waits_stays_until_that_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Folder
) -> None:
    """Without it the orders of the earlier file would be bought as they were before
    they were corrected.
    """
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    settings, later = SourcingSettings(), datetime.now(UTC) + timedelta(days=91)
    inbox, put = Inbox(settings.inbox), list[Path]()
    for folder in (place, Folder.OPEN, place):
        (settings.inbox / "a.csv").write_text(f"{len(put)}")
        with inbox.taken(settings.inbox / "a.csv") as working:
            assert working
            put.append(
                inbox.put(
                    working,
                    folder,
                    {"first_taken": inbox.came(working).isoformat()},
                    [],
                )
            )
    delete_old(settings, settings.inbox, later)
    assert [path.exists() for path in put] == [False, True, True]
    assert inbox.newer(put[1]) == [put[2]]
    with inbox.taken(put[1]) as working:
        delete_old(settings, settings.inbox, later)
        assert put[2].exists()
        assert working
        inbox.put(working, Folder.DONE, {}, [])
    delete_old(settings, settings.inbox, later)
    assert [path.exists() for path in put] == [False, False, False]


def test_what_a_file_left_orders_to_stays_as_long_as_that_file_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under another name. A result whose file was taken away by hand keeps nothing."""
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    settings, later = SourcingSettings(), datetime.now(UTC) + timedelta(days=91)
    inbox = Inbox(settings.inbox)
    for name, place in (("tue.csv", Folder.DONE), ("mon.csv", Folder.OPEN)):
        (settings.inbox / name).write_text(name)
        with inbox.taken(settings.inbox / name) as working:
            assert working
            inbox.put(working, place, {"left_to": ["tue.csv"]}, [])
    with inbox.taken(
        settings.inbox / "open/mon.csv"
    ) as working:  # a run that dies puts nothing back
        assert working
    delete_old(settings, settings.inbox, later)
    assert (settings.inbox / "done/tue.csv").exists()
    working.unlink()
    delete_old(settings, settings.inbox, later)
    assert not (settings.inbox / "done/tue.csv").exists()
