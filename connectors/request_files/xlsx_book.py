"""The parts of an XLSX file beside its sheet: the list of sheets, the texts and the
number formats.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from xml.parsers import expat
from zipfile import ZipFile

from connectors.request_files.decoding import Malformed, Unusable
from domain.cells import DATE, NotACell

# Formats that a file names by number alone; others of the first 50 are dates, which
# differ by language.
BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "#,##0", 6: "#,##0", 7: "#,##0.00", 8: "#,##0.00",
    9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 37: "#,##0", 38: "#,##0", 39: "#,##0.00",
    40: "#,##0.00", 41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00", 48: "##0.0E+0", 49: "@",
}  # fmt: skip
OWN_WORDS = frozenset(("", "-", "¥", "￥", "元", "CNY", "RMB", "人民币"))
QUOTED = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)(-[^\]]*)?\]|[_*].')
BRACKETS = re.compile(r"\[[^\]]*\]")
PLAIN = re.compile(r"[-+() ¥￥]*[#0?](?:[#0?,. ()-]*[#0?])?(?:\.|E[+-]0+)?[-+() ¥￥]*")
SCALED = re.compile(r"[#0?.],+(?![#0?,])")
ZEROS = re.compile(r"0{2,}")
JAPANESE = ("411", "ja-JP")
YEN = ("¥", "￥")


@dataclass(frozen=True, slots=True)
class Shown:
    """How a format shows numbers: with at least `zeros` digits; `refused` says why the
    shown text is not the value.
    """

    zeros: int = 0
    refused: NotACell | None = None


AS_IT_IS = Shown()
PERCENT = Shown(
    refused=NotACell("a percentage stands here; write the number or text that is meant")
)
A_DATE = Shown(refused=DATE)


def shown_by(code: str) -> Shown:
    """What a format code shows of a number."""
    if code.strip().lower() in ("general", "@", "", "standard"):
        return AS_IT_IS
    if ZEROS.fullmatch(code):
        return Shown(zeros=len(code))
    words: list[str] = []
    bare = BRACKETS.sub("", QUOTED.sub(lambda found: _noted(found, words), code))
    if "%" in bare:
        return PERCENT
    sections = [section.strip() for section in bare.split(";")]
    if not {word.strip() for word in words} <= OWN_WORDS or not all(
        _is_plain(one) for one in sections[:3] if one
    ):
        return (
            A_DATE
            if re.search("[dmyhsaegb年月日]", bare, re.IGNORECASE)
            else _another(code)
        )
    if not sections[0] or re.search(
        "0[0#?]", sections[0].partition(".")[0].replace(",", "").replace("E+00", "")
    ):
        return _another(code)
    return AS_IT_IS


def _noted(found: re.Match[str], words: list[str]) -> str:
    quoted, escaped, currency, language = found.groups()
    words.append(
        quoted
        or (escaped if escaped and escaped not in " -()" else "")
        or currency
        or ""
    )
    if language and language.lstrip("-").endswith(JAPANESE) and (currency in YEN):
        words.append("yen")
    return ""


def _is_plain(section: str) -> bool:
    return bool(PLAIN.fullmatch(section) and not SCALED.search(section)) or section in (
        "-",
        "@",
        "General",
    )


def _another(code: str) -> Shown:
    return Shown(
        refused=NotACell(
            f"the number's format ({code[:40]}) shows something else than its value; format the cell as text and "
            "enter again what is meant"
        )
    )


MOST_UNPACKED = 192 * 2**20
SURELY_FINE = 16 * 2**20
MOST_TIMES = (
    200  # unpacked to packed size: a sheet of equal rows has less than half of it
)
MOST_TEXT = 48 * 2**20  # characters of all texts in cells
MOST_PARTS = 5_000
PART = 2**16
LONGEST_TAG = 2**22
MOST_NAMES = 1_000
PEEK = 2**18
LOCAL_DATES = range(14, 48)
FILLED = re.compile(rb"<(?:\w+:)?(?:v|is)>[^<]|<(?:\w+:)?(?:t|is)[ >]")
ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


class Workbook:
    """An open workbook whose first sheet is `name`."""

    def __init__(self, archive: ZipFile) -> None:
        self.archive = archive
        self.unpacked = 0
        self.is_stale = False
        self._sheets = self._read_sheets()
        self.name, self.part = self._first()
        self.texts = self._texts()
        self.formats = self._formats()

    def other_sheets(self) -> Iterator[str]:
        """The names of further sheets with filled cells."""
        for name, kind, part, _ in self._sheets[1:]:
            if kind == "worksheet" and part in self.archive.NameToInfo:
                with self.archive.open(part) as file:
                    start = file.read(PEEK)
                if FILLED.search(start) or len(start) == PEEK:
                    yield name

    def chunks(self, part: str) -> Iterator[bytes]:
        """The content of a part. Raises `Unusable` when the book unpacks to more than
        `MOST_UNPACKED`.
        """
        with self.archive.open(part) as file:
            while chunk := file.read(PART):
                self.unpacked += len(chunk)
                if self.unpacked > MOST_UNPACKED:
                    raise Unusable(_too_large(self.unpacked))
                yield chunk

    def parse(
        self,
        part: str,
        start: Start,
        end: End | None = None,
        data: Callable[[str], None] | None = None,
    ) -> None:
        """Parse a part; the handlers get element names without prefix."""
        parser = XmlParser(start, end, data)
        for chunk in self.chunks(part):
            parser.feed(chunk)
        parser.close()

    def _read_sheets(self) -> list[tuple[str, str, str, str]]:
        """Name, kind, part and state of each sheet, in the order of their tabs."""
        root = self._targets("_rels/.rels", "")
        part = next(
            (target for kind, target in root.values() if kind == "officeDocument"),
            "xl/workbook.xml",
        )
        folder = posixpath.dirname(part)
        self.related = self._targets(
            f"{folder}/_rels/{posixpath.basename(part)}.rels", folder
        )
        sheets: list[tuple[str, str, str, str]] = []

        def start(name: str, attributes: dict[str, str]) -> None:
            if name == "sheet":
                link = next(
                    (value for key, value in attributes.items() if key.endswith(":id")),
                    "",
                )
                kind, target = self.related.get(link, ("missing", ""))
                sheets.append(
                    (
                        attributes.get("name", ""),
                        kind,
                        target,
                        attributes.get("state", "visible"),
                    )
                )
            elif name == "calcPr":
                self.is_stale = attributes.get("fullCalcOnLoad") in ("1", "true")

        self.parse(part, start)
        return sheets

    def _targets(self, part: str, folder: str) -> dict[str, tuple[str, str]]:
        """Kind and part of each relationship, by its id."""
        found: dict[str, tuple[str, str]] = {}

        def start(name: str, attributes: dict[str, str]) -> None:
            if name == "Relationship":
                target = posixpath.normpath(
                    posixpath.join("/", folder, attributes.get("Target", ""))
                ).lstrip("/")
                found[attributes.get("Id", "")] = (
                    attributes.get("Type", "").rpartition("/")[2],
                    target,
                )

        if part in self.archive.NameToInfo:
            self.parse(part, start)
        return found

    def _first(self) -> tuple[str, str]:
        if not self._sheets:
            raise Malformed("it has no sheet")
        name, kind, part, state = self._sheets[0]
        if kind == "missing":
            raise Malformed(f"its first sheet, {name!r}, is not there")
        if kind != "worksheet":
            what = "a chart" if kind == "chartsheet" else "no table"
            raise Unusable(
                f"the first sheet, {name!r}, is {what}; move the sheet with the rows to the front"
            )
        if state != "visible":
            raise Unusable(
                f"the first sheet, {name!r}, is hidden; show it, or move the sheet with the rows to the front"
            )
        return name, part

    def _related_part(self, kind: str) -> str:
        part = next(
            (target for one, target in self.related.values() if one == kind), ""
        )
        return part if part in self.archive.NameToInfo else ""

    def _texts(self) -> list[str]:
        reader = TextReader()
        if part := self._related_part("sharedStrings"):
            self.parse(part, reader.start, reader.end, reader.data)
        return reader.texts

    def _formats(self) -> list[Shown]:
        """How each cell style shows numbers."""
        codes, used, styles = dict(BUILT_IN), defaultdict[str, list[int]](list), ""

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal styles
            if name == "numFmt":
                codes[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
            elif name in ("cellStyleXfs", "cellXfs"):
                styles = name
            elif name == "xf":
                used[styles].append(int(attributes.get("numFmtId", 0)))

        if part := self._related_part("styles"):
            self.parse(part, start)
        shown = {
            number: _format(number, codes.get(number)) for number in {*used["cellXfs"]}
        }
        return [shown[number] for number in used["cellXfs"]]


class TextReader:
    """Collects the texts of `si` or `is` elements, without the phonetic readings of
    Japanese texts.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.length = 0
        self._parts: list[str] = []
        self._is_text = False
        self._in_reading = False

    def start(self, name: str, _attributes: Mapping[str, str]) -> None:
        if name == "t":
            self._is_text = not self._in_reading
        elif name == "rPh":
            self._in_reading = True
        elif name in ("si", "is"):
            self._parts = []

    def end(self, name: str) -> None:
        if name == "t":
            self._is_text = False
        elif name == "rPh":
            self._in_reading = False
        elif name == "si":
            self.texts.append(self.take())

    def data(self, text: str) -> None:
        if self._is_text:
            self._bound(len(text))
            self._parts.append(text)

    def take(self) -> str:
        """The text of the element that has just ended."""
        self._bound(16)  # part of the memory that an empty text takes
        return unescaped("".join(self._parts))

    def _bound(self, length: int) -> None:
        self.length += length
        if self.length > MOST_TEXT:
            raise Unusable(
                f"has more than {MOST_TEXT / 2**20:,.0f} million characters of text; split it"
            )


def _format(number: int, code: str | None) -> Shown:
    if code is not None:
        return shown_by(code)
    return A_DATE if number in LOCAL_DATES or number in range(50, 82) else AS_IT_IS


@contextmanager
def open_book(content: bytes) -> Iterator[Workbook]:
    """The workbook in these bytes. Raises `Unusable`, and for a damaged one any of a
    dozen other errors (`DAMAGE`).
    """
    if (
        content.count(b"PK\x01\x02") > MOST_PARTS
    ):  # the list of parts alone would fill the memory
        raise Unusable(
            f"is an archive of more than {MOST_PARTS:,} parts, and no workbook"
        )
    with ZipFile(io.BytesIO(content)) as archive:
        declared = sum(
            part.file_size
            for part in archive.infolist()
            if part.filename.endswith((".xml", ".rels"))
        )
        if declared > MOST_UNPACKED or (
            declared > SURELY_FINE and declared > MOST_TIMES * len(content)
        ):
            raise Unusable(_too_large(declared))
        if len(archive.NameToInfo) < len(archive.infolist()):
            raise Malformed("it has a part twice")
        yield Workbook(archive)


def _too_large(unpacked: int) -> str:
    return (
        f"unpacks to {unpacked / 2**20:,.0f} MiB; up to {MOST_UNPACKED // 2**20} MiB, and {MOST_TIMES} times its size, "
        "are possible: split it"
    )


def unescaped(text: str) -> str:
    """A text with its escapes replaced by their characters, which XML can't hold."""
    return (
        ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        if "_x" in text
        else text
    )


class XmlParser:
    """Parses XML to element names without prefix. Refuses a document type: workbooks
    have none, entities can grow.
    """

    def __init__(
        self,
        start: Start,
        end: End | None = None,
        data: Callable[[str], None] | None = None,
    ) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._fed = 0
        local = _Local()
        self._parser.StartElementHandler = lambda name, attributes: start(
            local[name], attributes
        )
        if end:
            self._parser.EndElementHandler = lambda name: end(local[name])
        if data:
            self._parser.CharacterDataHandler = data
        self._parser.StartDoctypeDeclHandler = _no_doctype

    def feed(self, chunk: bytes) -> None:
        self._parser.Parse(chunk)
        self._fed += len(chunk)
        if self._fed - self._parser.CurrentByteIndex > LONGEST_TAG:
            raise Malformed("a tag has no end")

    def close(self) -> None:
        self._parser.Parse(b"", True)  # noqa: FBT003 - takes no names


class _Local(dict[str, str]):
    """A cache of names without their prefixes."""

    def __missing__(self, name: str) -> str:
        if len(self) > MOST_NAMES:
            raise Malformed("its tags are those of no workbook")
        self[name] = name.rpartition(":")[2]
        return self[name]


def _no_doctype(*_: object) -> None:
    raise Malformed("it declares a document type")
