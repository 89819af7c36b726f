"""Files that are whole or absent, whatever crashes: temporary name, fsync, rename,
fsync of the folder.

And SQLite files without what it leaves of deleted rows: free pages, and the write-ahead
log.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from connectors.foreign import words_of


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder's lock: one process or thread at a time. The system releases it
    when the process dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_writable(root: Path) -> None:
    """Create a folder if it is missing, and raise `OSError` unless files can be created
    in it.
    """
    root.mkdir(parents=True, exist_ok=True)
    probe = root / f".writable-{os.getpid()}"
    os.close(os.open(probe, os.O_CREAT | os.O_WRONLY, 0o600))
    probe.unlink()


def move(source: Path, target: Path) -> None:
    """Rename a synced file, and sync the folder so that the new name lasts."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)
    sync(target.parent)
    sync(target.parent.parent)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to, renamed to `path` when the file is whole. Missing folders are
    created. Raises `OSError`.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        sync(unfinished)
        move(unfinished, path.absolute())
    finally:
        unfinished.unlink(missing_ok=True)


def put(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file whole or not at all, in place of one that is there. Raises
    `OSError`.
    """
    with whole(path) as unfinished:
        unfinished.touch(mode)
        unfinished.write_bytes(content)


def put_once(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file whole, unless it is there: of several processes that do it, one is
    the first. Raises `OSError`.
    """
    unborn = path.with_name(f".{path.name}-{os.getpid()}")
    put(unborn, content, mode=mode)
    put_first(unborn, path)
    sync(path.parent)


def put_first(unborn: Path, path: Path) -> None:
    """Give a whole file its name, unless another one has it."""
    try:
        os.link(unborn, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not path.exists():
            os.replace(unborn, path)
    finally:
        unborn.unlink(missing_ok=True)


def keep_aside(path: Path, aside: Path) -> None:
    """Give a file a second name, which keeps the content when the first name is
    replaced.
    """
    if aside.exists():
        return
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, aside)
    except (FileExistsError, FileNotFoundError):
        return
    except (
        OSError
    ):  # a file system without hard links: the first name is missing for a moment
        os.replace(path, aside)
    sync(aside.parent)


def sync(path: Path) -> None:
    """Make a file's content, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


PATIENCE_S = 20.0


class NotScrubbed(Exception):
    """A database still has remains of old rows; the message has the cause and the
    remedy.
    """


def scrub(file: Path) -> None:
    """Write a database anew without its free pages, and empty its write-ahead log,
    while it is in use.

    Raises `NotScrubbed`.
    """
    try:
        with closing(
            sqlite3.connect(file, timeout=PATIENCE_S, isolation_level=None)
        ) as database:
            database.execute("VACUUM")
            deadline = time.monotonic() + PATIENCE_S
            while _is_read(database):
                if time.monotonic() > deadline:
                    raise NotScrubbed(
                        f"{file} is in use: old rows stay in it until this is done again without that"
                    )
                time.sleep(0.1)
    except sqlite3.Error as error:
        raise NotScrubbed(
            f"{file} keeps old rows ({words_of(error)}): free some disk space, or end what uses it"
        ) from error


def _is_read(database: sqlite3.Connection) -> bool:
    """Whether a reader still needs the write-ahead log, which therefore can't be
    emptied.
    """
    (is_busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(is_busy)
