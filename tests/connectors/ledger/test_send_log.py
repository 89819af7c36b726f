"""What a killed run provably never sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.ledger import send_log
from connectors.ledger.send_log import SendLog, is_dead, names_a_run, never_sent, prune
from domain.effects import Action, Claim


def claim(key: str) -> Claim:
    return Claim(
        key=key,
        order_ref="A-1",
        action=Action.PAY,
        fence=1,
        lease_until=datetime(2026, 1, 1, tzinfo=UTC),
    )


def killed_run(folder: Path, *keys: str) -> str:
    """The owner of a real process that noted these keys and was killed."""
    script = (
        "import sys, time; from pathlib import Path; from connectors.ledger.send_log import SendLog;"
        "from tests.connectors.ledger.test_send_log import claim;"
        "log = SendLog(Path(sys.argv[1])); [log.note(claim(key)) for key in sys.argv[2:]];"
        "print(log.owner, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, folder, *keys], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        owner = run.stdout.readline().strip()
        assert not is_dead(folder, owner)
        run.send_signal(signal.SIGKILL)
    return owner


def test_a_killed_run_is_known_to_be_dead(tmp_path: Path) -> None:
    """The system drops the lock of a killed process."""
    assert is_dead(tmp_path, killed_run(tmp_path))


def test_a_noted_effect_may_have_been_sent(tmp_path: Path) -> None:
    """The note outlives the kill, so only what was not noted counts as never sent."""
    owner = killed_run(tmp_path, "A-1:pay", "A-2:pay")
    assert not never_sent(tmp_path, owner, "A-1:pay")
    assert never_sent(tmp_path, owner, "A-3:pay")


def test_a_living_run_proves_nothing(tmp_path: Path) -> None:
    """It may send in the next moment."""
    with SendLog(tmp_path) as log:
        assert not is_dead(tmp_path, log.owner)
        assert not never_sent(tmp_path, log.owner, "A-1:pay")


def test_without_the_log_nothing_is_proven(tmp_path: Path) -> None:
    """A run on another machine left no log here."""
    assert not is_dead(tmp_path, "elsewhere-1-abc")
    assert not never_sent(tmp_path, "elsewhere-1-abc", "A-1:pay")


def test_a_log_of_an_earlier_boot_proves_nothing(tmp_path: Path) -> None:
    """A power cut may have taken its last lines."""
    owner = killed_run(tmp_path)
    log = tmp_path / f"{owner}.log"
    log.write_text("another-boot\n")
    assert not never_sent(tmp_path, owner, "A-1:pay")


def test_logs_are_pruned_when_nobody_needs_them(tmp_path: Path) -> None:
    """Logs of the living, of unsettled effects and of what may still arrive stay."""
    needed = killed_run(tmp_path)
    unneeded = killed_run(tmp_path)
    young = killed_run(tmp_path)
    moment = datetime.now(UTC)
    for old in (needed, unneeded):
        os.utime(tmp_path / f"{old}.log", (0, moment.timestamp() - 60))
    with SendLog(tmp_path) as send_log:
        prune(tmp_path, needed={needed}, before=moment - timedelta(seconds=30))
        assert {path.stem for path in tmp_path.glob("*.log")} == {
            needed,
            young,
            send_log.owner,
        }
        prune(tmp_path, needed={needed}, before=moment + timedelta(seconds=30))
        assert {path.stem for path in tmp_path.glob("*.log")} == {
            needed,
            send_log.owner,
        }
    assert unneeded not in {path.stem for path in tmp_path.glob("*.log")}


def test_without_an_identity_of_the_boot_nothing_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two boots of such a system look alike, and a power cut may have taken the last
    lines.
    """
    monkeypatch.setattr(send_log, "boot_id", lambda: "")
    with SendLog(tmp_path) as log:
        owner = log.owner
    assert not never_sent(tmp_path, owner, "A-1:pay")


def test_a_run_is_told_from_a_person(tmp_path: Path) -> None:
    """Also from one at a machine whose name looks like a run's."""
    with SendLog(tmp_path) as log:
        assert names_a_run(log.owner)
    assert [
        name
        for name in ("mei@vm", "mei@vm-1-0123456789ab", "Mei Chen", "try-out")
        if names_a_run(name)
    ] == []
