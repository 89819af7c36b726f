"""Progress bars at a terminal: what is asked between them stays on the screen."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli import terminal


def test_a_question_between_the_bars_is_not_wiped_when_they_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(terminal, "messages", Console(file=screen, force_terminal=True, width=80))
    with terminal.progress_bars() as bars:
        for stage in ("search", "preview"):
            bars.start(stage, 1)
            bars.advance(stage, 1)
        with terminal.bars_aside():
            screen.write("Buy 1 order? [y/N]: y\n")
        bars.start("create", 1)
        bars.advance("create", 1)
    after = screen.getvalue().split("Buy 1 order? [y/N]: y\n")[1]
    first_drawn = after.split("create")[0]
    assert ("\x1b[1A" in first_drawn, "preview" in after) == (False, False)
