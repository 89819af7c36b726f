"""The program's identity: all processes that work on one batch must have the same code."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from sourcing.version import FALLBACK

PARTS = ("connectors", "domain", "flows", "tasks")


@cache
def program() -> str:
    """`0.9.0-3f9c2a7b51d0`: the version, and a digest of the code that works on orders."""
    root, digest = Path(__file__).parent.parent, hashlib.sha256()
    for path in sorted(path for part in PARTS for path in (root / part).rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(path.read_bytes())
    return f"{FALLBACK}-{digest.hexdigest()[:12]}"
