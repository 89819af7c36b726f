"""Erases an order's receiver from the product's files: inbox, fetched files, logs, old ledgers."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.durable import move, sync
from connectors.fetched_files import FOLDER, is_fetched
from connectors.foreign import words_of
from connectors.inbox import RESULT, Folder
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.forgetting import strike_ledger_file
from connectors.request_files.without_order import order_in, without_order
from connectors.sqlite_files import NotScrubbed, is_sqlite, scrub
from connectors.traces import Needles
from domain.forgetting import FORGOTTEN, Receiver, Traces

SANDBOX = "sandbox.db"
LOG = ".log"
SENDS = "sends"
STRUCK = ".struck"


@dataclass(kw_only=True)
class Left:
    """What was erased, and what was not, with the reason or the remedy."""

    struck: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def receivers_in_files(inbox: Path, data_dir: Path, order_ref: str) -> list[Receiver]:
    """The receivers of an order in the files of an inbox and in fetched files."""
    files = (*_request_files(inbox), *_fetched(data_dir))
    return [one for path in files for one in order_in(path, order_ref).receivers]


def strike_fetched(data_dir: Path, order_ref: str, told: Left) -> None:
    """Remove the order's rows from fetched files: their name identifies their batch, whatever their content."""
    for path in _fetched(data_dir):
        _strike_request_file(path, order_ref, told)


def strike_inbox(inbox: Path, order_ref: str, needles: Needles, told: Left) -> None:
    """Remove the order's rows from finished files, and the receiver from all results.

    Files that runs still work on are left: another content would be another batch, with a budget of its own.
    """
    for half in inbox.rglob(f"*{STRUCK}"):
        half.unlink()
    for path in _request_files(inbox):
        if path.parent.name in (Folder.DONE, Folder.FAILED):
            _strike_request_file(path, order_ref, told)
        elif order_in(path, order_ref).receivers:
            told.left.append(f"{path}: runs still work with it; take the order's lines out, or wait until it is over")
    for path in inbox.rglob("*"):
        if needles and path.name.endswith((*RESULT, ".tmp")) and needles.are_in_file(path):
            _rewrite(path, needles.struck(path.read_bytes(), FORGOTTEN.encode()))
            told.struck.append(str(path))


def _fetched(data_dir: Path) -> list[Path]:
    folder = data_dir / FOLDER
    for half in folder.glob(f".*{STRUCK}"):
        half.unlink()
    return sorted(path for path in folder.glob("*") if is_fetched(path))


def _request_files(inbox: Path) -> Iterator[Path]:
    for folder in (inbox, *(inbox / place for place in Folder)):
        for path in sorted(folder.glob("*")):
            if path.is_file() and not path.name.endswith(RESULT):
                yield path


def _strike_request_file(path: Path, order_ref: str, told: Left) -> None:
    try:
        found = without_order(path.read_bytes(), path.suffix, order_ref)
        if found.receivers:
            _rewrite(path, found.content)
            told.struck.append(str(path))
    except (OSError, ValueError) as error:
        told.left.append(f"{path}: can't be read as a table ({words_of(error)}); look whether it names the receiver")


def _rewrite(path: Path, content: bytes) -> None:
    """Replace a file whole or not at all, and keep its permissions."""
    half = path.with_name(f".{path.name}{STRUCK}")
    half.write_bytes(content)
    shutil.copymode(path, half)
    sync(half)
    move(half, path)


def old_ledgers(data_dir: Path, ledger: Path | None) -> list[Path]:
    """Backups, rescued and replaced ledgers in the data folder."""
    files = (path for path in _files(data_dir) if ledger is None or path.resolve() != ledger.resolve())
    return [path for path in files if is_sqlite(path) and _is_ledger(path)]


def _is_ledger(path: Path) -> bool:
    with suppress(sqlite3.Error), closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
        return {"orders", "effects", "alembic_version"} <= names
    return False


def strike_old_ledgers(files: Iterable[Path], asked: Mapping[str, Any], traces: Traces, told: Left) -> None:
    """Erase the receiver from ledgers that are not in use; unreadable and read-only ones are reported."""
    for path in files:
        try:
            if strike_ledger_file(path, asked, traces):
                scrub(path)
                told.struck.append(str(path))
        except (LedgerUnusable, NotScrubbed, OSError, sqlite3.Error) as error:
            told.left.append(
                f"{path}: an old ledger that can't be changed ({words_of(error)}); delete it if you can do without"
            )


def sweep(data_dir: Path, needles: Needles, told: Left, *, besides: Iterable[Path]) -> None:
    """Search every file of the data folder. The receiver is overwritten in logs; other files with it are reported.

    `besides` are files and folders that are done already. The send logs are skipped: they have nothing but references
    of orders, and prove what was never sent, so an effect whose key is erased there would be sent again.
    """
    if not needles:
        return
    seen = {path.absolute() for path in (*besides, data_dir / SENDS)}
    for path in _files(data_dir):
        whole = path.absolute()
        if whole in seen or seen & set(whole.parents) or not needles.are_in_file(path):
            continue
        if path.name.removesuffix("-wal") == SANDBOX:
            told.elsewhere.append(f"{path}: the sandbox's own books, as the service has its own")
        elif path.suffix == LOG and os.access(path, os.W_OK) and needles.overwritten(path):
            told.struck.append(str(path))
        else:
            told.left.append(f"{path}: names the receiver, and is no file of this program's; strike it there yourself")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
