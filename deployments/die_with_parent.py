"""`python -m deployments.die_with_parent PARENT COMMAND...`: run a command that ends
when PARENT is gone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the command; the kernel watches the parent, on Linux alone, where `serve`
    runs.
    """
    parent, *command = sys.argv[1:]
    # SIGTERM when the parent ends, however it ends; this outlives the change of program
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        raise SystemExit("the process that started this is gone")
    # Prefect's worker turns SIGTERM into SIGINT, which a shell's `&` has it ignore
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(command[0], command)


def die_with_parent(command: list[str]) -> list[str]:
    """The command, tied to the life of this process."""
    return [
        sys.executable,
        "-m",
        "deployments.die_with_parent",
        str(os.getpid()),
        *command,
    ]


if __name__ == "__main__":
    main()
