"""The bytes of a request file: only of a regular file, and only so many."""

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
    """What stands in the file is not of its format; the message says how, in words of our own."""


class Unusable(Exception):
    """The file can't be read as a table; the message says why and the remedy, without the file's name."""


def content_of(path: Path) -> bytes:
    """All of a file. Raises `OSError`, and `Unusable` for what is no regular file or too large."""
    # a pipe that nobody writes to would block an ordinary open for ever
    _require_file(path.stat())  # opening a device alone may set it going
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(_required(descriptor), "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Unusable(too_large(len(content)))
    return content


def _required(descriptor: int) -> int:
    """The same descriptor, of a regular file that is not too large; any other is closed."""
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
    """The sentence for a file of `size` bytes."""
    return f"has {size / 2**20:,.0f} MiB; up to {MOST_BYTES // 2**20} MiB are possible: split the file"
