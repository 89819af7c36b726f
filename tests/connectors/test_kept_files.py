"""Files that the product keeps: what is over is struck, what runs still work on is told."""

from __future__ import annotations

from pathlib import Path

from connectors.inbox import Inbox
from connectors.kept_files import Left, strike_inbox, sweep
from connectors.traces import Needles

TEXT = "order_ref,receiver_name\nA-1,Quentin Z\nA-2,Ann\n"
NEEDLES = Needles(["Quentin Z"])


def test_a_file_that_runs_still_work_on_is_left_and_named(tmp_path: Path) -> None:
    """Another content would be another batch, with a budget of its own; its results say nothing all the same."""
    root = Inbox(tmp_path / "inbox").root
    for place in ("new.csv", "open/a.csv", "working/b.csv", "done/c.csv"):
        (root / place).write_text(TEXT)
    (root / "open" / "a.csv.result.csv").write_text("A-1,held: Quentin Z\n")
    (root / "done" / ".c.csv.struck").write_text("half")
    told = Left()
    strike_inbox(root, "A-1", NEEDLES, told)
    left = [words.split(":")[0] for words in told.left]
    assert left == [str(root / place) for place in ("new.csv", "working/b.csv", "open/a.csv")]
    assert (root / "open/a.csv").read_text() == TEXT
    assert (root / "open/a.csv.result.csv").read_text() == "A-1,held: [forgotten]\n"
    assert (root / "done/c.csv").read_text() == "order_ref,receiver_name\nA-2,Ann\n"
    assert not (root / "done" / ".c.csv.struck").exists()
    sweep(tmp_path, NEEDLES, again := Left(), besides=[root / "new.csv", root / "working", root / "open"])
    assert again == Left()


def test_every_file_is_looked_through_in_every_writing(tmp_path: Path) -> None:
    """Encodings, capitals, JSON's escapes; logs are overwritten in place, the rest is named."""
    (tmp_path / "a.bin").write_bytes(b"\0\1" + "王小明的".encode("utf-16-be"))
    (tmp_path / "b.txt").write_text('{"name": "\\u738b\\u5c0f\\u660e"}')
    (tmp_path / "c.log").write_text("for QUENTIN Z and 王小明\nmore\n")
    (tmp_path / "sandbox.db").write_text("王小明")
    (tmp_path / "empty").touch()
    told = Left()
    sweep(tmp_path, Needles(["王小明", "Quentin Z"]), told, besides=[])
    assert [Path(words.split(":")[0]).name for words in told.left] == ["a.bin", "b.txt"]
    assert [Path(words.split(":")[0]).name for words in told.elsewhere] == ["sandbox.db"]
    assert (tmp_path / "c.log").read_text() == "for xxxxxxxxx and xxxxxxxxx\nmore\n"
    sweep(tmp_path, Needles([]), told, besides=[])
