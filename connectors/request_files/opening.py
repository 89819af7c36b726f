"""The bytes of a request file, which must be a regular file of limited size."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MOST_BYTES = 32 * 2**20
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class Malformed(ValueError):
    """The content of the file is invalid in its format; the message says how, without a library's words."""


class Unusable(Exception):
    """The file can't be read as a table; the message has the cause and the remedy, without the file's name."""


def content_of(path: Path) -> bytes:
    """The bytes of a file. Raises `OSError`, and `Unusable` for an irregular or too large file."""
    # a pipe without a writer would block an ordinary open for ever
    _require_file(path.stat())  # opening a device may already trigger it
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(_required(descriptor), "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Unusable(too_large(len(content)))
    return content


def _required(descriptor: int) -> int:
    """A descriptor of a regular file that is not too large; any other is closed, and raises `Unusable`."""
    try:
        _require_file(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unusable(f"is {KINDS.get(stat.S_IFMT(status.st_mode), 'no file')}; give a regular file")
    if status.st_size > MOST_BYTES:
        raise Unusable(too_large(status.st_size))


def too_large(size: int) -> str:
    """The message for a file of `size` bytes."""
    return f"has {size / 2**20:,.0f} MiB; up to {MOST_BYTES // 2**20} MiB are possible: split the file"
