"""Senders of messages are killed: none is lost. `python -m tests.endurance messages`
kills forty.
"""

from __future__ import annotations

from pathlib import Path

from tests.crashes.senders import kill_senders


def test_killed_senders_lose_no_message(tmp_path: Path) -> None:
    """Repeated is what had arrived and was not recorded at a kill, once for each, and
    nothing else.
    """
    done = kill_senders(tmp_path, kills=5, seed=3)
    assert (done.lost, done.unexplained) == (set(), {})
    assert done.in_doubt.total() > 0
