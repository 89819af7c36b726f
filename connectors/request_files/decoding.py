"""Text of a request file: UTF-8, UTF-16 with a byte order mark, or an encoding that a person names. Never a guess.

Guessing can't work: Korean EUC-KR decodes to common Chinese characters, and Windows-1252 to rare ones.
"""

from __future__ import annotations

import codecs
import io

from connectors.request_files.opening import Unusable

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NO_TEXT = {
    *("charmap", "idna", "mbcs", "oem", "palmos", "punycode", "undefined", "utf-7"),
    *("raw-unicode-escape", "unicode-escape"),
}
SAVE_IT = "save it as CSV UTF-8 (in Excel: Save As, type “CSV UTF-8”)"
REMEDY = f"{SAVE_IT}, or name its encoding, such as --encoding gb18030 for Chinese Windows"


def check_encoding(name: str) -> str:
    """The name of an encoding in Python's codecs; empty stays empty. Raises `ValueError` for no encoding of text."""
    if not name.strip():
        return ""
    try:
        codec = codecs.lookup(name.strip())
    except (LookupError, ValueError):
        codec = None
    if codec is None or not codec._is_text_encoding or codec.name.replace("_", "-") in NO_TEXT:
        raise ValueError(
            f"{name[:40]!r} is no encoding of text that is known here; "
            "use a name such as utf-8, gb18030, big5, shift_jis, euc_kr or cp1252"
        )
    return codec.name


def text_of(content: bytes, named: str) -> io.TextIOWrapper:
    """The text as a stream without newline translation. Raises `Unusable`; reading raises `UnicodeDecodeError`."""
    return io.TextIOWrapper(io.BytesIO(content), encoding=_encoding(content, named), errors="strict", newline="")


def _encoding(content: bytes, named: str) -> str:
    marked = next((encoding for mark, encoding in MARKS if content.startswith(mark)), "")
    if marked == "utf-32" and not named:
        raise Unusable(f"is UTF-32 text; {REMEDY}")
    if marked:
        return marked  # a mark is certain, an option is for many files
    try:
        named = check_encoding(named)
    except ValueError as error:
        raise Unusable(str(error)) from error
    if not named:
        if b"\0" in content[:4096]:
            raise Unusable(f"is no UTF-8 text: UTF-16 without its mark, or no text at all; {REMEDY}")
        return "utf-8"
    if named not in ("utf-8", "ascii") and not content.isascii() and _is_utf_8(content):
        raise Unusable(f"looks like UTF-8, and you say {named}: name no encoding, or save it as CSV UTF-8")
    return named


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def undecodable(error: UnicodeDecodeError, lines_before: int) -> str:
    """The message for text of another encoding. `lines_before` lines were read whole."""
    line = lines_before + 1 + error.object[: error.start].decode(error.encoding, "ignore").count("\n")
    name = "UTF-8" if error.encoding.startswith("utf-8") else error.encoding
    return f"line {line} is no {name} text; {REMEDY}"
