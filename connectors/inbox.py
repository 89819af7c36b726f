"""A folder for request files: which are ready, which are taken by a run, and where they
end.

    inbox/orders.csv dropped, not yet taken inbox/working/orders.csv taken by a living
    run, or by a dead one: then the next run takes it up again inbox/open/orders.csv not
    over: some orders are held or unknown; every run tries again inbox/done/orders.csv
    every order is over inbox/failed/orders.csv can't be read, or has faults

A lock on a file of `working/.locks` belongs to one process and ends with it, so two
runs never work on one file; in it stands the batch of a file that was taken from
`open`. Local folders only: the moves must be renames, and locks work.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from connectors import fetched_files, request_copies
from connectors.durable import move, put
from connectors.ledger.engine import sqlite_file
from connectors.settings import SourcingSettings
from domain.cells import csv_text, no_formula

TEMPORARY = (
    ".part",
    ".partial",
    ".tmp",
    ".crdownload",
    ".download",
    ".filepart",
    ".swp",
    "thumbs.db",
    "desktop.ini",
)
OF_MACOS = re.compile(r"\.sb-[0-9a-f]{8}-\w+$")
SECOND = re.compile(r" ?\([0-9]+\)$")
RESULT = (".result.json", ".result.csv", ".book-missing.csv")
LONGEST_STEM = 200
LONGEST_SUFFIX = 20
LONGEST_SENT = (
    40  # of four bytes each: with what is put around them they fit into a file name
)
ASKS = "ask-"
"""A file whose name begins so, in capitals too, is bought only after a person's yes; it
does wherever it is moved.
"""


class Folder(StrEnum):
    """The folders of an inbox."""

    WORKING = "working"
    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """The state of a file at one time: a file that differs a little later is still
    being written.
    """

    path: Path
    size: int
    modified_ns: int


class Inbox:
    """One folder of request files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.locks = root / Folder.WORKING / ".locks"
        for folder in Folder:
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.locks.mkdir(exist_ok=True)

    def waiting(self, *, quiet_s: float) -> list[Path]:
        """Files to take: first those of dead runs, then open ones, then new ones, each
        group oldest first.

        New and open files must be unchanged for `quiet_s`; hidden and temporary files
        belong to other programs.
        """
        settled = (self.root / Folder.OPEN, self.root)
        groups = [self._scan(folder) for folder in settled]
        if quiet_s and any(
            time.time() - scanned_file.modified_ns / 1e9 < quiet_s
            for group in groups
            for scanned_file in group
        ):
            time.sleep(quiet_s)
            groups = [
                [
                    scanned_file
                    for scanned_file in self._scan(folder)
                    if scanned_file in set(group)
                ]
                for folder, group in zip(settled, groups, strict=True)
            ]
        groups.insert(0, self._scan(self.root / Folder.WORKING))
        return [
            file.path
            for group in groups
            for file in sorted(
                group,
                key=lambda scanned_file: (scanned_file.modified_ns, scanned_file.path),
            )
        ]

    @contextmanager
    def taken(self, path: Path) -> Iterator[Path | None]:
        """The file's path in `working` while the block runs; None when another run has
        or had it.
        """
        try:
            name = self._free_name(path, Folder.WORKING)
        except FileNotFoundError:
            yield None
            return
        with (self.locks / f"{name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                target = self.root / Folder.WORKING / name
                if path != target:
                    lock.truncate(0)
                    # before the file is there: the run may die at any time
                    lock.write(self.batch_of(path))
                    lock.flush()
                    os.fsync(lock.fileno())
                path.replace(
                    target
                )  # onto itself for one in `working`; missing if another run took it
            except (BlockingIOError, FileNotFoundError):
                yield None
                return
            yield target

    def put(
        self,
        working: Path,
        place: Folder,
        result: Mapping[str, Any],
        table: Sequence[Mapping[str, Any]],
        missing: bytes = b"",
    ) -> Path:
        """Write the result into a folder, and what the SKU book lacks; move the file
        there, return its new path.
        """
        target = self.root / place / self._free_name(working, place)
        for ending, content in zip(
            RESULT, (_json(result), _csv(table), missing), strict=True
        ):
            beside = target.with_name(f"{target.name}{ending}")
            put(beside, content) if content else beside.unlink(missing_ok=True)
        move(working, target)
        if (
            place is not Folder.OPEN
            and not (self.root / Folder.OPEN / working.name).exists()
        ):
            for ending in RESULT:
                (self.root / Folder.OPEN / f"{working.name}{ending}").unlink(
                    missing_ok=True
                )
        return target

    def batch_of(self, path: Path) -> str:
        """The batch of a file that lies in `open` or was taken there, also once it was
        mended; empty for a new one.
        """
        with suppress(OSError, ValueError, LookupError, TypeError):
            if path.parent == self.root / Folder.WORKING:
                return (self.locks / f"{path.name}.lock").read_text()
            if path.parent == self.root / Folder.OPEN:
                result_json = path.with_name(f"{path.name}{RESULT[0]}").read_bytes()
                return str(json.loads(result_json)["batch_id"] or "")
        return ""

    def give_back(self, working: Path) -> Path:
        """Put a file back where it was taken: it was written to while a run worked on
        its earlier content.
        """
        folder = Folder.OPEN if self.batch_of(working) else ""
        return working.replace(self.root / folder / self._free_name(working, folder))

    def _scan(self, folder: Path) -> list[ScannedFile]:
        scanned_files = []
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # moved by another run
                if not _is_temporary(path.name) and path.is_file():
                    stat = path.stat()
                    scanned_files.append(
                        ScannedFile(path, stat.st_size, stat.st_mtime_ns)
                    )
        return scanned_files

    def _free_name(self, path: Path, folder: str) -> str:
        """The file's name, with its hash where a different file has that name
        already.
        """
        named = Path(plain_name(path))
        target = self.root / folder / named
        if target == path or not target.exists() or digest(target) == digest(path):
            return named.name
        return f"{named.stem}-{digest(path)}{named.suffix}"


@dataclass(frozen=True, slots=True)
class FaultyFile:
    """A request file that was refused: its path, since when (UTC), and its result."""

    path: Path
    since: datetime
    note: str
    faults: Sequence[Mapping[str, Any]]


def faulty_files(inbox: Path, *, since: datetime) -> list[FaultyFile]:
    """The files in `failed` since a time; none without an inbox. Creates nothing."""
    faulty_files = []
    for result in (inbox / Folder.FAILED).glob(f"*{RESULT[0]}"):
        path = result.with_name(result.name.removesuffix(RESULT[0]))
        with suppress(
            OSError, ValueError, LookupError, TypeError
        ):  # removed meanwhile, or another program's
            at = datetime.fromtimestamp(result.stat().st_mtime, UTC)
            if at >= since and path.exists():
                result_json = json.loads(result.read_bytes())
                faulty_files.append(
                    FaultyFile(
                        path,
                        at,
                        str(result_json["note"]),
                        list(result_json.get("faults", ())),
                    )
                )
    return faulty_files


def digest(path: Path) -> str:
    """The start of the content's hash."""
    return whole_digest(path)[:8]


def whole_digest(path: Path) -> str:
    """The hash of a file's content, or of its size and time where this user may not
    read it.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError:
        stat = path.stat()
        return hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()


def plain_name(path: Path) -> str:
    """The file's name in UTF-8, short enough for what is put around it: the names of
    its result, a hash.
    """
    named = Path(os.fsencode(path.name).decode(errors="replace"))
    return _cut(named.stem, LONGEST_STEM) + _cut(named.suffix, LONGEST_SUFFIX)


def plain_stem(stem: str) -> str:
    """A file's stem without the mark of a second one, as the page keeps it."""
    return _plain(SECOND.sub("", stem))[:LONGEST_SENT].strip("-")


def _plain(name: str) -> str:
    return re.sub(r"[^\w-]+", "-", name)


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


def _is_temporary(name: str) -> bool:
    unfinished_name = (
        name.startswith((".", "~$")) or name.endswith("~") or OF_MACOS.search(name)
    )
    return bool(unfinished_name) or name.lower().endswith((*TEMPORARY, *RESULT))


def _json(result: Mapping[str, Any]) -> bytes:
    return json.dumps(result, ensure_ascii=False, indent=2).encode()


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A CSV that spreadsheets open as UTF-8, taking no cell for a formula or a
    number.
    """
    names = [*rows[0]] if rows else []
    values = ([row.get(name) for name in names] for row in rows)
    cells = [
        ["" if value is None else no_formula(str(value)) for value in row]
        for row in values
    ]
    return csv_text([names, *cells] if rows else []).encode("utf-8-sig")


COPIES_KEPT_FOR = timedelta(days=90)
"""Processed files of the inbox, fetched files and ledgers that were replaced have
receivers; by then a buyer's complaint is over.
"""


def last_end(settings: SourcingSettings) -> datetime | None:
    """When the last of the copies that are there now ends; None without copies."""
    newest = max(_copies(settings).values(), default=None)
    return newest and newest + COPIES_KEPT_FOR


def delete_old(settings: SourcingSettings, moment: datetime) -> int:
    """Delete the copies whose days are over; returns their number."""
    before = moment - COPIES_KEPT_FOR
    copies = _copies(settings)
    old = [path for path, since in copies.items() if since < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _copies(settings: SourcingSettings) -> dict[Path, datetime]:
    """All copies, each with the time at which it came to its place: a move keeps the
    time of the content.
    """
    folders = [
        settings.inbox / Folder.DONE,
        settings.inbox / Folder.FAILED,
        settings.data_dir / fetched_files.FOLDER,
        settings.data_dir / request_copies.FOLDER,
    ]
    paths = [path for folder in folders for path in folder.rglob("*")]
    if ledger := sqlite_file(settings.ledger_url):
        paths += [
            *ledger.parent.glob(f"{ledger.name}.replaced-*"),
            *ledger.parent.glob(f"{ledger.stem}.rescued-*"),
        ]
    copies = {}
    for path in paths:
        with suppress(FileNotFoundError):
            if path.is_file():
                copies[path] = datetime.fromtimestamp(path.stat().st_ctime, UTC)
    return copies
