"""Searches files of any kind for texts, byte by byte, in all encodings and escapings."""

from __future__ import annotations

import json
import mmap
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from html import escape
from pathlib import Path

UNPACKED = (".parquet", ".new", ".xlsx")


class Needles:
    """Search patterns: texts in every form that a file may have, in UTF-8, UTF-16, JSON's escapes, XML's, GB18030."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.forms = tuple(
            {form: None for text in texts for one in (text, text.lower(), text.upper()) for form in _forms(one)}
        )

    def __bool__(self) -> bool:
        return bool(self.forms)

    def are_in(self, content: bytes | mmap.mmap) -> bool:
        """Whether the content has any of the texts."""
        return any(content.find(form) >= 0 for form in self.forms)

    def are_in_file(self, path: Path) -> bool:
        """Whether a file has any of the texts, after decompression. False for a missing file and for no file."""
        try:
            if path.suffix in UNPACKED and (unpacked := _unpacked(path)) is not None:
                return any(map(self.are_in, unpacked))
            with path.open("rb") as file:
                if not os.fstat(file.fileno()).st_size:
                    return False
                with closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as content:
                    return self.are_in(content)
        except OSError:
            return False

    def overwritten(self, path: Path) -> bool:
        """Overwrite each text with as many `x`; returns whether there were any.

        The file keeps its length, so that a process that appends to it is not disturbed.
        """
        with path.open("r+b") as file:
            if not os.fstat(file.fileno()).st_size:
                return False
            with closing(mmap.mmap(file.fileno(), 0)) as content:
                found = False
                for form in self.forms:
                    at = content.find(form)
                    while at >= 0:
                        content[at : at + len(form)] = b"x" * len(form)
                        found, at = True, content.find(form, at + len(form))
                content.flush()
        return found

    def struck(self, content: bytes, instead: bytes) -> bytes:
        """The content with `instead` in place of each text."""
        for form in self.forms:
            content = content.replace(form, instead)
        return content


def _forms(text: str) -> Iterator[bytes]:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
        with suppress(UnicodeEncodeError):
            yield text.encode(encoding)
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode()
    yield escape(text, quote=False).encode()


def _unpacked(path: Path) -> Iterator[bytes] | None:
    """The contents of a compressed file; None for other and damaged files."""
    if path.suffix == ".xlsx":
        try:
            with zipfile.ZipFile(path) as packed:
                return iter([packed.read(name) for name in packed.namelist()])
        except (zipfile.BadZipFile, NotImplementedError):
            return None
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
    except (pa.ArrowException, OSError):
        return None
    return (repr(group.to_pylist()).encode() for group in groups)
