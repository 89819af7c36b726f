"""Which process this is: of a flow run or not, of which program; and whether a lock
file's process lives. A command's help loads this, so it loads no settings by itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from functools import cache
from pathlib import Path


def deployed_run() -> str:
    """The flow run that a worker started this process for; empty for none."""
    return os.environ.get("PREFECT__FLOW_RUN_ID", "")


def is_free(path: Path, lock: int) -> bool:
    """Whether a file is there, and no living process holds a lock on it that excludes
    this one.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, lock | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


PARTS = ("connectors", "domain", "flows", "tasks")


@cache
def program() -> str:
    """`0.9.0-3f9c2a7b51d0`: the version, and a digest of the code that works on
    orders.
    """
    from sourcing.version import FALLBACK

    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(
        path for field in PARTS for path in (root / field).rglob("*.py")
    ):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(path.read_bytes())
    return f"{FALLBACK}-{digest.hexdigest()[:12]}"
