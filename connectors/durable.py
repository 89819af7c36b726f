"""Files that are whole or absent, whatever crashes: temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder's lock: one process or thread at a time. The system lets go of it when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def require_writable(root: Path) -> None:
    """Raise `OSError` unless files can be made in this folder, which is made where it is missing."""
    root.mkdir(parents=True, exist_ok=True)
    probe = root / f".writable-{os.getpid()}"
    os.close(os.open(probe, os.O_CREAT | os.O_WRONLY, 0o600))
    probe.unlink()


def move(source: Path, target: Path) -> None:
    """Put a synced file in its place at once, and make the new name last."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)
    sync(target.parent)
    sync(target.parent.parent)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file that takes its place when it is whole; folders that are missing are made.

    Raises `OSError`.
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


def keep_aside(path: Path, aside: Path) -> None:
    """Give a file's present content a second name that lasts when the first is replaced."""
    if aside.exists():
        return
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, aside)
    except FileNotFoundError:
        return
    except OSError:  # a file system without hard links: the first name is gone for a moment
        os.replace(path, aside)
    sync(aside.parent)


def sync(path: Path) -> None:
    """Make a file's content, or a folder's names, outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
