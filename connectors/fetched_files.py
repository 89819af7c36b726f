"""Keeps files fetched from an address, so that a resumed run works with the same bytes.

    fetched/<sha256>.csv         the file, named by its content as it was fetched
    fetched/runs/<flow run id>   the name of the file that this run works with

The address itself is not stored.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from connectors.durable import put, put_once
from connectors.request_files import UnreadableFile
from connectors.request_files.decoding import Unusable
from connectors.settings import SourcingSettings

FOLDER = "fetched"
THE_ADDRESS = Path("the address of the file")


def is_address(file: str) -> bool:
    """Whether a request file is named by an address of any scheme instead of a path."""
    return re.match(r"\s*[a-z][a-z0-9+.-]*://", file, re.IGNORECASE) is not None


def is_fetched(file: Path) -> bool:
    """Whether a path is one of the kept files."""
    return (
        file.parent.name == FOLDER
        and re.fullmatch("[0-9a-f]{64}", file.stem) is not None
    )


async def fetch_stored(
    address: str, settings: SourcingSettings, *, run_id: str = ""
) -> Path:
    """The kept copy of a fetched file; a run that fetched before gets its first copy.
    Raises `UnreadableFile`.
    """
    from connectors.request_files.fetching import fetch

    folder = settings.data_dir.absolute() / FOLDER
    note = folder / "runs" / run_id
    if run_id and (noted := _noted(note)):
        return folder / noted
    try:
        fetched = await fetch(address.strip())
    except Unusable as error:
        raise UnreadableFile(
            THE_ADDRESS, str(error)
        ) from None  # the cause names the address
    file = folder / f"{hashlib.sha256(fetched.content).hexdigest()}{fetched.suffix}"
    put(file, fetched.content, mode=0o600)  # it names receivers
    return folder / _first_noted(note, file.name) if run_id else file


def fetch_anew(settings: SourcingSettings, run_id: str) -> None:
    """Have a retry of this run fetch again: nothing can be bought from its first
    copy.
    """
    if run_id:
        (settings.data_dir.absolute() / FOLDER / "runs" / run_id).unlink(
            missing_ok=True
        )


def _noted(note: Path) -> str:
    try:
        return note.read_text()
    except FileNotFoundError:
        return ""


def _first_noted(note: Path, name: str) -> str:
    """The name that the first process of a run noted; two processes may have been
    started.
    """
    put_once(note, name.encode())
    return _noted(note)
