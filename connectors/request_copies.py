"""Copies of request files: a batch is planned by the contents that it was begun with.

`requests/<batch>-<hash>.csv` in the data folder stays until each order of the batch has
a plan in the ledger.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from connectors.durable import put
from domain.request_remarks import BadInput

FOLDER = "requests"
SHOWN_DIGITS = 16


def digest_of(content: bytes) -> str:
    """Return the hash of a file's contents."""
    return hashlib.sha256(content).hexdigest()


def keep_copy(data_dir: Path, batch_id: str, content: bytes, suffix: str) -> Path:
    """Write the copy of a batch; return its path. Raises `OSError`."""
    name = f"{batch_id}-{digest_of(content)[:SHOWN_DIGITS]}{suffix}"
    copy = data_dir.absolute() / FOLDER / name
    put(copy, content, mode=0o600)  # it names receivers
    return copy


def require_unchanged(copy: Path, digest: str) -> None:
    """Raise `BadInput` where a copy is not what its batch was begun with, and `OSError`
    where it can't be read: it may lie on another machine.
    """
    if digest_of(copy.read_bytes()) != digest:
        raise BadInput(
            f"{copy} was changed after its batch was begun, so that is planned no "
            "further: run your own request file again"
        )
