"""Which effects were handed to the network: a killed process leaves few in doubt.

The ledger's intents are written a chunk at a time, so after a crash most of them were
never sent. This log notes each effect right before its first byte leaves. A plain write
outlives the death of the process and needs no fsync, since it only counts within one
boot of the machine. A lock on the file, which the system drops when its process ends,
shows whether that process is alive.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import subprocess
import sys
import uuid
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Self

from connectors.ledger.engine import LedgerUnusable
from connectors.process_locks import is_free
from domain.effects import Claim

RUN = re.compile(r"[^@]*-\d+-[0-9a-f]{12}")  # host, process, and what no other run has


def names_a_run(owner: str) -> bool:
    """Whether a name in the ledger is a run's, not a person's."""
    return RUN.fullmatch(owner) is not None


class SendLog:
    """The log of one run. `owner` is the run's name in the ledger; `noted` are effects
    that may have left, by hash.

    They are looked through seldom, and as an array of eight bytes each: a large run has
    some 300,000.
    """

    def __init__(self, folder: Path) -> None:
        """Begin a log. Raises `LedgerUnusable` where none can be written: without it
        nothing may be sent.
        """
        self.noted = array("q")
        self._file = -1
        self._is_broken = False
        try:
            self._begin(folder)
        except OSError as error:
            self._end()
            raise LedgerUnusable(
                f"the send log in {folder} can't be written ({error.strerror}): free some disk space, and make the "
                "folder writable for this user. Nothing was sent."
            ) from error

    def _begin(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.owner = (
            f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        )
        self.path = folder / f"{self.owner}.log"
        # made under another name, so that no process finds it without its lock
        unborn = folder / f".{self.owner}"
        self._file = os.open(unborn, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._write(boot_id())
        except OSError:
            unborn.unlink()
            raise
        unborn.rename(self.path)

    def note(self, claim: Claim) -> None:
        """Note an effect right before it leaves. Raises `OSError`; then it must not
        leave.

        After one failure all fail: a line that was cut off would run into the next one
        and hide it.
        """
        if self._is_broken:
            raise OSError(
                errno.EIO,
                f"{self.path} could not be written before; free some disk space and run again",
            )
        self.noted.append(hash(claim.key))
        self._write(claim.key)

    def _write(self, line: str) -> None:
        content = f"{line}\n".encode()
        self._is_broken = True
        if os.write(self._file, content) != len(content):
            raise OSError(
                errno.ENOSPC,
                f"{self.path} could not be written: free some disk space and run again",
            )
        self._is_broken = False

    def _end(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def discard(self) -> None:
        """Delete the file: no unsettled effect names it."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end()


def is_dead(folder: Path, owner: str) -> bool:
    """Whether the run of that name has provably ended; False when this machine can't
    tell.
    """
    return is_free(folder / f"{owner}.log", fcntl.LOCK_SH)


def living(folder: Path) -> list[str]:
    """The runs of this machine that are alive."""
    return sorted(
        path.stem for path in folder.glob("*.log") if not is_dead(folder, path.stem)
    )


def never_sent(folder: Path, sender: str, key: str) -> bool:
    """Whether a dead run provably never began to send this effect.

    False when its log is not here, when it may still send, or when the machine has
    rebooted since (the log's last lines may be lost then).
    """
    if not is_dead(folder, sender):
        return False
    try:
        boot, *sent = (folder / f"{sender}.log").read_text().splitlines()
    except (OSError, ValueError):
        return False
    return boot != "" and boot == boot_id() and key not in sent


@dataclass(frozen=True, slots=True)
class Noted:
    """The effects of a run that may have left, and when the last one did (UTC)."""

    keys: Sequence[str]
    at: datetime


def noted(folder: Path) -> list[Noted]:
    """The effects of each log on this machine."""
    entries: list[Noted] = []
    for path in folder.glob("*.log"):
        with suppress(OSError, ValueError):  # pruned meanwhile
            _, *keys = path.read_text().splitlines()
            at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            entries += [Noted(keys, at)] if keys else []
    return entries


def prune(folder: Path, *, needed: set[str], before: datetime) -> None:
    """Delete the logs of ended runs that no unsettled effect needs and that were last
    written before then.
    """
    for path in folder.glob("*.log"):
        if path.stem not in needed and is_dead(folder, path.stem):
            with suppress(OSError):
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()


@cache
def boot_id() -> str:
    """The id of this boot of the machine; empty where the system has none, and then
    nothing is ever proven.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    if sys.platform == "darwin":
        with suppress(OSError):
            command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
            return subprocess.run(
                command, capture_output=True, text=True, check=False
            ).stdout.strip()
    return ""
