"""The command `sourcing`, in whatever folder it is called, also one with a `flows` or a
`tasks` of its own.
"""

from __future__ import annotations

import os
import sys

from sourcing import SITE

SYSTEMS = {
    "linux": "",
    "darwin": "sourcing: on macOS only the commands are meant to run, not serve, and none was tried there",
}
ELSEWHERE = (
    "sourcing runs on Linux, and its commands on macOS; on Windows use it in WSL"
)


def main() -> None:
    """Run a command; it and the processes that it starts find the product's modules
    first.
    """
    system_name = SYSTEMS.get(sys.platform)
    if system_name is None:
        raise SystemExit(ELSEWHERE)
    if system_name:
        print(system_name, file=sys.stderr)
    sys.path.insert(0, str(SITE))
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(SITE), os.environ.get("PYTHONPATH")))
    )
    from cli.main import main as run

    run()
