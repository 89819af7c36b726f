"""The version: that of the last tag, such as `v1.0.0`; without tags the one below."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path

FALLBACK = "1.0.0"
ROOT = Path(__file__).resolve().parent.parent
DESCRIBE = ("git", "describe", "--tags", "--long", "--always", "--match", "v[0-9]*")


def version() -> str:
    """`1.1.0` at its tag, `1.1.0.post5+g1a2b3c4` five commits later,
    `1.0.0.dev0+g1a2b3c4` in a clone without tags.
    """
    if not (ROOT / ".git").exists():
        return installed()
    try:
        described = subprocess.run(
            DESCRIBE, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return installed()
    return from_description(described)


def from_description(described: str) -> str:
    """The version that `git describe` means, by PEP 440."""
    if not described.startswith("v"):
        return f"{FALLBACK}.dev0+g{described}"
    tag, commits, commit = described[1:].rsplit("-", 2)
    return tag if commits == "0" else f"{tag}.post{commits}+{commit}"


def installed() -> str:
    """The version of the installation; without one, as when it is being built from an
    archive, the fallback.
    """
    try:
        return metadata.version("sourcing")
    except metadata.PackageNotFoundError:
        return FALLBACK
