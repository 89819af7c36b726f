"""Progress bars at a terminal: what is asked between them stays on the screen."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from cli import terminal


def screen_of(written: str) -> list[str]:
    """The lines that a terminal shows, by the codes that Rich moves and erases with."""
    lines = [""]
    at = 0
    for code, text in re.findall(
        r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)|([^\x1b\r\n]+)", written
    ):
        at += {"\n": 1, "\x1b[1A": -1}.get(code, 0)
        lines += [""] * (at == len(lines))
        lines[at] = ("" if code == "\x1b[2K" else lines[at]) + text
    return lines


def test_a_question_between_the_bars_is_not_wiped_when_they_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        terminal, "messages", Console(file=screen, force_terminal=True, width=80)
    )
    with terminal.progress_bars() as bars:
        for stage in ("search", "preview"):
            bars.start(stage, 1)
            bars.advance(stage, 1)
        with terminal.bars_aside():
            screen.write("Buy 1 order? [y/N]: y\n")
        bars.start("create", 1)
        bars.advance("create", 1)
    listing = [line.split()[0] for line in screen_of(screen.getvalue()) if line.strip()]
    assert listing == ["search", "preview", "Buy", "create"]
