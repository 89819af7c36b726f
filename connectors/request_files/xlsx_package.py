"""The parts of an XLSX file, unpacked and parsed in bounded memory."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, XMLPullParser
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from connectors.request_files.decoding import Malformed, Unusable

MAX_PARTS = 5_000
MAX_UNPACKED_BYTES = 192 * 2**20
HARMLESS_UNPACKED_BYTES = 16 * 2**20
MAX_GROWTH = 200  # a sheet of equal rows unpacks to less than half as many times
CHUNK_BYTES = 2**16
MAX_BYTES_BETWEEN_TAGS = 2**22
MAX_TAGS_OF_ENTRY = 200_000  # a row has at most 16,384 cells
MAX_ENTRIES = 2_000_000
ENTRY_IN_LIST = 2
ENTRY_IN_GROUP = 3


class Package:
    """An open XLSX file. Raises `Unusable` for one out of bounds, and for a damaged one
    any of a dozen other errors.
    """

    def __init__(self, content: bytes) -> None:
        # the list of parts alone would fill the memory
        if content.count(b"PK\x01\x02") > MAX_PARTS:
            raise Unusable(
                f"is an archive of more than {MAX_PARTS:,} parts, and no workbook"
            )
        self._archive = ZipFile(io.BytesIO(content))
        parts = self._archive.infolist()
        if len(self._archive.NameToInfo) < len(parts):
            raise Malformed("it has a part twice")
        # other methods unpack without a bound
        if any(part.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for part in parts):
            raise Malformed("it is packed as no spreadsheet packs")
        # `zipfile` unpacks no more of a part than is declared here
        unpacked = sum(
            part.file_size
            for part in parts
            if part.filename.endswith((".xml", ".rels"))
        )
        is_bomb = unpacked > max(HARMLESS_UNPACKED_BYTES, MAX_GROWTH * len(content))
        if is_bomb or unpacked > MAX_UNPACKED_BYTES:
            raise Unusable(
                f"unpacks to {unpacked / 2**20:,.0f} MiB; up to {MAX_UNPACKED_BYTES // 2**20} MiB, and {MAX_GROWTH} "
                "times its size, are possible: split it"
            )

    def related(self, part: str = "") -> dict[str, tuple[str, str]]:
        """The parts that a part names, or the whole file: kind and path by their
        ids.
        """
        folder, name = posixpath.split(part)
        related: dict[str, tuple[str, str]] = {}
        links = posixpath.join(folder, "_rels", f"{name}.rels")
        for _, link in self.entries(links, ENTRY_IN_LIST):
            path = posixpath.join("/", folder, link.get("Target", ""))
            kind = link.get("Type", "").rpartition("/")[2]
            related[link.get("Id", "")] = (kind, posixpath.normpath(path).lstrip("/"))
        return related

    def entries(self, part: str, depth: int) -> Iterator[tuple[str, Element]]:
        """The elements of a part down to a depth, each with the name of its group.

        Each is emptied afterwards: a part may be larger than the memory.
        """
        parser: Any = XMLPullParser(("start", "end"))
        groups: list[Element] = []
        tags = 0
        entries = 0
        silent_bytes = 0
        for chunk in self._chunks(part):
            parser.feed(chunk)
            silent_bytes += len(chunk)
            for event, element in parser.read_events():
                silent_bytes = 0
                if event == "start":
                    groups.append(element)
                    tags += 1
                    continue
                groups.pop()
                if not 0 < len(groups) < depth:
                    continue
                yield local_name(groups[-1]), element
                element.clear()
                groups[-1].clear()
                tags = 0
                entries += 1
            if silent_bytes > MAX_BYTES_BETWEEN_TAGS:
                raise Malformed("a tag or text has no end")
            if tags > MAX_TAGS_OF_ENTRY or entries > MAX_ENTRIES:
                raise Malformed("it has more entries than any workbook")
        parser.close()

    def _chunks(self, part: str) -> Iterator[bytes]:
        with self._archive.open(part) as file:
            chunk = file.read(CHUNK_BYTES)
            _refuse_document_type(chunk)
            while chunk:
                yield chunk
                chunk = file.read(CHUNK_BYTES)


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def _refuse_document_type(start: bytes) -> None:
    """Raise `Malformed` where entities may be declared, which can grow without end: a
    declaration stands before the first tag.
    """
    tags: list[str] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _raise_document_type
    parser.StartElementHandler = lambda name, _attributes: tags.append(name)
    parser.Parse(start)
    if not tags:
        raise Malformed("it begins with no tag")


def _raise_document_type(*_: object) -> None:
    raise Malformed("it declares a document type")
