"""Text of a request file: UTF-8, UTF-16 with a byte order mark, or an encoding that a
person names. Never a guess.

Guessing can't work: Korean EUC-KR decodes to common Chinese characters, and
Windows-1252 to rare ones.
"""

from __future__ import annotations

import codecs
import io
import stat
from pathlib import Path

MOST_BYTES = 32 * 2**20


class Malformed(ValueError):
    """The content of the file is invalid in its format; the message says how, without a
    library's words.
    """


class Unusable(Exception):
    """The file can't be read as a table; the message has the cause and the remedy,
    without the file's name.
    """


def content_of(path: Path) -> bytes:
    """The bytes of a file. Raises `OSError`, and `Unusable` for an irregular or too
    large file.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise Unusable("is a folder, a pipe or a device; give a regular file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Unusable(too_large(status.st_size))
    return content


def too_large(size: int) -> str:
    """The message for a file of `size` bytes."""
    return f"has {size / 2**20:,.0f} MiB; up to {MOST_BYTES // 2**20} MiB are possible: split the file"


MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NO_TEXT = {
    *("charmap", "idna", "mbcs", "oem", "palmos", "punycode", "undefined", "utf-7"),
    *("raw-unicode-escape", "unicode-escape"),
}
SAVE_IT = "save it as CSV UTF-8 (in Excel: Save As, type “CSV UTF-8”)"
REMEDY = (
    f"{SAVE_IT}, or name its encoding, such as gb18030 for Chinese Windows: --encoding at a terminal, "
    "the field of a form"
)


def check_encoding(name: str) -> str:
    """The name of an encoding in Python's codecs; empty stays empty. Raises
    `ValueError` for no encoding of text.
    """
    if not name.strip():
        return ""
    try:
        known = codecs.lookup(name.strip()).name
        "a".encode(known)  # codecs from bytes to bytes, such as hex, are no encodings
    except (LookupError, ValueError):
        known = ""
    if not known or known.replace("_", "-") in NO_TEXT:
        raise ValueError(
            f"{name[:40]!r} is no encoding of text that is known here; "
            "use a name such as utf-8, gb18030, big5, shift_jis, euc_kr or cp1252"
        )
    return known


def text_of(content: bytes, named: str) -> io.TextIOWrapper:
    """The text as a stream without newline translation. Raises `Unusable`."""
    encoding = _encoding(content, named)
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding, "ignore")
        name = "UTF-8" if encoding.startswith("utf-8") else encoding
        raise Unusable(
            f"line {before.count(chr(10)) + 1} is no {name} text; {REMEDY}"
        ) from error
    return io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")


def _encoding(content: bytes, named: str) -> str:
    marked = next(
        (encoding for mark, encoding in MARKS if content.startswith(mark)), ""
    )
    if marked:
        return marked  # a mark is certain, an option is for many files
    try:
        named = check_encoding(named)
    except ValueError as error:
        raise Unusable(str(error)) from error
    if not named:
        if b"\0" in content[:4096]:
            raise Unusable(
                f"is no UTF-8 text: UTF-16 without its mark, or no text at all; {REMEDY}"
            )
        return "utf-8"
    if named not in ("utf-8", "ascii") and not content.isascii() and is_utf_8(content):
        raise Unusable(
            f"looks like UTF-8, and you say {named}: name no encoding, or save it as CSV UTF-8"
        )
    return named


def is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
