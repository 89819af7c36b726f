"""`python -m deployments.die_with_parent PARENT COMMAND...`: run a command that ends when PARENT is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
CHECKS_EVERY_S = 0.5


def main() -> None:
    """Become the command; where no kernel watches the parent, run it and watch."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        # SIGTERM when the parent ends, however it ends; this outlives the change of program
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        raise SystemExit("the process that started this is gone")
    if sys.platform != "linux":
        raise SystemExit(watched(int(parent), command))
    os.execv(command[0], command)


def watched(parent: int, command: list[str]) -> int:
    """Run the command, pass on the signals that end it, and end it with the parent; answers its exit code."""
    process = subprocess.Popen(command)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: process.send_signal(number))
    while True:
        try:
            return process.wait(CHECKS_EVERY_S)
        except subprocess.TimeoutExpired:
            if os.getppid() != parent:
                process.terminate()


def die_with_parent(command: list[str]) -> list[str]:
    """The command, tied to the life of this process."""
    return [sys.executable, "-m", "deployments.die_with_parent", str(os.getpid()), *command]


if __name__ == "__main__":
    main()
