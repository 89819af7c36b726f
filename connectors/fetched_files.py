"""Keeps what was fetched from an address, so that whoever takes a run up again works with the same bytes.

    fetched/<sha256>.csv         the file, named by what it held when it was fetched
    fetched/runs/<flow run id>   the name of the file that this run works with

The address itself is written nowhere.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from connectors.durable import sync, whole
from connectors.request_files import UnreadableFile
from connectors.request_files.opening import Unusable
from connectors.settings import SourcingSettings

FOLDER = "fetched"
THE_ADDRESS = Path("the address of the file")


def is_address(file: str) -> bool:
    """Whether a request file is named by an address, of whatever kind, instead of a path."""
    return re.match(r"\s*[a-z][a-z0-9+.-]*://", file, re.IGNORECASE) is not None


def is_fetched(file: Path) -> bool:
    """Whether a file is one that was kept here."""
    return file.parent.name == FOLDER and re.fullmatch("[0-9a-f]{64}", file.stem) is not None


async def fetch_stored(address: str, settings: SourcingSettings, *, run_id: str = "") -> Path:
    """The kept copy of what an address gives; a run that fetched before gets what it got. Raises `UnreadableFile`."""
    from connectors.request_files.fetching import fetch

    folder = settings.data_dir.absolute() / FOLDER
    note = folder / "runs" / run_id
    if run_id and (noted := _noted(note)):
        return folder / noted
    try:
        fetched = await fetch(address.strip(), settings.private_networks)
    except Unusable as error:
        raise UnreadableFile(THE_ADDRESS, str(error)) from None  # what is behind it names the address
    file = folder / f"{hashlib.sha256(fetched.content).hexdigest()}{fetched.suffix}"
    if not file.exists():  # else it may have been struck since, of a receiver who asked to be forgotten
        with whole(file) as unfinished:
            unfinished.touch(mode=0o600)  # it names receivers
            unfinished.write_bytes(fetched.content)
    return folder / _first_noted(note, file.name) if run_id else file


def _noted(note: Path) -> str:
    try:
        return note.read_text()
    except FileNotFoundError:
        return ""


def _first_noted(note: Path, name: str) -> str:
    """What the first process of a run noted; two may have been started."""
    mine = note.with_name(f".{note.name}.{os.getpid()}")
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text(name)
    sync(mine)
    with suppress(FileExistsError):
        os.link(mine, note)
    mine.unlink()
    sync(note.parent)
    return _noted(note)
