"""The folder of request files: what is ready, who has it, where it goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.inbox import Folder, Inbox

OLD = 1_700_000_000


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


def drop(inbox: Inbox, path: str, text: str = "x", age: int = 0) -> Path:
    file = inbox.root / path
    file.write_text(text)
    os.utime(file, (OLD - age, OLD - age))
    return file


def waiting(inbox: Inbox, quiet_s: float = 0.05) -> list[str]:
    return [
        str(path.relative_to(inbox.root)) for path in inbox.waiting(quiet_s=quiet_s)
    ]


def test_files_of_dead_runs_come_first_then_open_ones_then_new_ones(
    inbox: Inbox,
) -> None:
    """Each group oldest first."""
    for path, age in [
        ("b.csv", 1),
        ("a.csv", 0),
        ("c.csv", 9),
        ("open/d.csv", 5),
        ("working/e.csv", 2),
    ]:
        drop(inbox, path, age=age)
    assert waiting(inbox) == ["working/e.csv", "open/d.csv", "c.csv", "b.csv", "a.csv"]


def test_temporary_files_and_results_are_left_alone(inbox: Inbox) -> None:
    """Half-written by other programs, or written by us."""
    of_ours = (
        ".orders.csv",
        "~$orders.xlsx",
        "orders.csv.part",
        "orders.csv~",
        "a.csv.TMP",
        "a.csv.result.json",
    )
    for name in (
        *of_ours,
        "Thumbs.db",
        "desktop.ini",
        "orders.xlsx.sb-1a2b3c4d-Xyz012",
        "orders.csv.download",
    ):
        drop(inbox, name)
    assert waiting(inbox) == []


def test_a_file_that_still_grows_is_left_for_the_next_run(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at twice; one that stood still meanwhile is taken."""
    growing = inbox.root / "growing.csv"
    still = inbox.root / "still.csv"
    growing.write_text("x")
    still.write_text("x")
    monkeypatch.setattr("time.sleep", lambda _seconds: growing.write_text("xy"))
    assert waiting(inbox, quiet_s=60) == ["still.csv"]


def test_two_runs_never_have_the_same_file(inbox: Inbox) -> None:
    """The second goes on with other files; after the first has ended it is gone for
    both.
    """
    file = drop(inbox, "a.csv")
    with inbox.taken(file) as first:
        assert first == inbox.root / "working/a.csv"
        with inbox.taken(first) as second:
            assert second is None
        with inbox.taken(file) as third:
            assert third is None
        inbox.put(first, Folder.DONE, {"note": "fine"}, [])
    with inbox.taken(file) as path:
        assert path is None


def test_a_file_of_a_killed_run_is_taken_up_again(inbox: Inbox) -> None:
    """The lock ends with the process, whatever ends it."""
    file = drop(inbox, "a.csv")
    program = (
        "import os, signal, sys; from pathlib import Path; from connectors.inbox import Inbox\n"
        "with Inbox(Path(sys.argv[1])).taken(Path(sys.argv[2])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, str(inbox.root), str(file)], check=False
    )
    assert killed.returncode == -9
    assert waiting(inbox) == ["working/a.csv"]
    with inbox.taken(inbox.root / "working/a.csv") as path:
        assert path == inbox.root / "working/a.csv"


def test_another_file_of_the_same_name_gets_a_name_of_its_own(inbox: Inbox) -> None:
    """Nothing that was bought from is ever overwritten by something else."""
    for text in ("first", "second", "second"):
        with inbox.taken(drop(inbox, "a.csv", text)) as working:
            assert working
            inbox.put(working, Folder.DONE, {"text": text}, [])
    stored = {
        path.name: path.read_text()
        for path in (inbox.root / "done").glob("*.csv")
        if "result" not in path.name
    }
    assert stored == {"a.csv": "first", "a-16367aac.csv": "second"}
    assert json.loads((inbox.root / "done/a-16367aac.csv.result.json").read_text()) == {
        "text": "second"
    }


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (b"\xb6\xa9\xb5\xa5.csv", "\ufffd\ufffd\ufffd\ufffd.csv"),
        ("订".encode() * 79 + b".xlsx", "订" * 66 + ".xlsx"),
        (b"a." + b"b" * 250, "a." + "b" * 19),
    ],
    ids=["Chinese Windows", "long", "long ending"],
)
def test_a_name_that_no_result_could_be_laid_beside_is_changed_as_the_file_is_taken(
    inbox: Inbox, name: bytes, kept: str
) -> None:
    """Each name of a result has room, and is text; so has the one of another file that
    is called so.
    """
    for text in ("first", "second"):
        with inbox.taken(drop(inbox, os.fsdecode(name), text)) as working:
            assert working == inbox.root / "working" / kept
            laid = inbox.put(
                working,
                Folder.DONE,
                {"file": working.name},
                [{"file": working.name}],
                b"missing",
            )
            assert laid.name == (
                kept
                if text == "first"
                else f"{Path(kept).stem}-16367aac{Path(kept).suffix}"
            )


def test_a_file_that_is_given_back_overwrites_none_that_came_meanwhile(
    inbox: Inbox,
) -> None:
    """Such as the whole file, sent anew after a half one."""
    with inbox.taken(drop(inbox, "a.csv", "second")) as working:
        assert working
        drop(inbox, "a.csv", "whole")
        back = inbox.give_back(working)
    assert (back.name, back.read_text()) == ("a-16367aac.csv", "second")
    assert (inbox.root / "a.csv").read_text() == "whole"


def test_results_leave_the_open_folder_with_their_file(inbox: Inbox) -> None:
    """Only the newest result is beside the file; a cell never becomes a formula."""
    with inbox.taken(drop(inbox, "a.csv")) as working:
        assert working
        inbox.put(
            working,
            Folder.OPEN,
            {"note": "held"},
            [{"order_ref": "A-1", "reason": "=1+1"}],
        )
    table = inbox.root / "open/a.csv.result.csv"
    assert table.read_bytes() == b"\xef\xbb\xbforder_ref,reason\r\nA-1,'=1+1\r\n"
    with inbox.taken(inbox.root / "open/a.csv") as working:
        assert working
        inbox.put(working, Folder.DONE, {"note": "fine"}, [])
    assert list((inbox.root / "open").iterdir()) == []
