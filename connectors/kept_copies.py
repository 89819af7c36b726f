"""Copies with receivers that the program sets aside and keeps for some days: of request files, and of ledgers."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.fetched_files import FOLDER
from connectors.inbox import Folder
from connectors.ledger.engine import sqlite_file
from connectors.settings import SourcingSettings


def last_end(settings: SourcingSettings, inbox: Path) -> datetime | None:
    """When the last of the copies that are there now ends; None without copies."""
    newest = max(_copies(settings, inbox).values(), default=None)
    return newest and newest + timedelta(days=settings.keep_copies_days)


def delete_old(settings: SourcingSettings, inbox: Path, now: datetime) -> int:
    """Delete the copies whose days are over; returns their number."""
    before = now - timedelta(days=settings.keep_copies_days)
    old = [path for path, since in _copies(settings, inbox).items() if since < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _copies(settings: SourcingSettings, inbox: Path) -> dict[Path, datetime]:
    """All copies, each with the time at which it came to its place: a move keeps the time of the content."""
    folders = [inbox / Folder.DONE, inbox / Folder.FAILED, settings.data_dir / FOLDER]
    found = [path for folder in folders for path in folder.rglob("*")]
    if ledger := sqlite_file(settings.ledger_url):
        found += [*ledger.parent.glob(f"{ledger.name}.replaced-*"), *ledger.parent.glob(f"{ledger.stem}.rescued-*")]
    copies = {}
    for path in found:
        with suppress(FileNotFoundError):
            if path.is_file():
                copies[path] = datetime.fromtimestamp(path.stat().st_ctime, UTC)
    return copies
