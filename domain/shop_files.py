"""A shop's export as rows of a request file, by a profile of its columns."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from domain.cell_table import Row, RowOrRemark
from domain.cells import BLANKS, is_date, value_text
from domain.marketplace import shortened
from domain.orders import RequestLine, ShopLine
from domain.request_cells import BY_NAME, IN_THE_BOOK, OWN_SKU, check_cell, read_cell
from domain.request_files import ParsedRequests
from domain.request_remarks import HEADER_ROW, TWICE, WHOLE_FILE, Fault, Remark
from domain.shop_tracking import Sheet, Strict
from domain.wording import pluralize, shorten

MOST_NAMED = 8
AS_TEXT = re.compile(r"^'(?=[0-9+=@(-])")
NOT_IN_A_REF = re.compile("[^A-Za-z0-9._-]+")
LEAST_ALIKE = 3
NO_TEXT = "\0"
A_DATE = "a date (1/1)"  # with a digit, by which a rule knows one
OF_A_NUMBER = re.compile(
    r"(?P<cut>-?[0-9][.,]?[0-9]*[eE]\+[0-9]+|-?[0-9](?:[.,][0-9]+)?[eE][0-9]{1,2})|[0-9]+[.,]0{1,2}"
    r"|[0-9]{1,3}(?:[,'’\s][0-9]{3})+(?:\.0+)?|[0-9]{1,3}(?:\.[0-9]{3}){2,}(?:,0+)?"  # 1.234 is one of some shop
)
ROUNDED = "this is a number that a spreadsheet cut short; use the shop's file untouched"
REWRITTEN = "a program wrote this id as a number; use the shop's file untouched"
FINALITY = (
    "",
    "sent",
    "void",
    "sums",
)  # the last one of the rules of a row, the first one of the rows of an order
NOT_FIRST = "blank in this order's first row, which says it of all: use the shop's file as it is, not sorted"
COLUMNS = [name for name in BY_NAME if name not in IN_THE_BOOK]


class Keep(Strict):
    """A row is kept whose cell in `column` is one of `values`, or filled, or above a
    number.

    A file without the column is faulty, unless it is `optional`. What it turns away is
    so for good where the cell is as one of the patterns in `ends`: as `void`, or as
    `sent`, which a shop may say of a whole order once a part of it was; a row of `sums`
    says nothing of its own. Any other word may be of a spreadsheet, and ends nothing.
    """

    column: str
    values: tuple[str, ...] = ()
    filled: bool = False
    above: int | None = None
    optional: bool = False
    ends: Mapping[Literal["sent", "void", "sums"], tuple[str, ...]] = {}

    def keeps(self, cell: str) -> bool:
        plain = cell.casefold()
        if self.values:
            return plain in {value.casefold() for value in self.values}
        if self.above is not None:
            return cell.isascii() and cell.isdecimal() and int(cell) > self.above
        return bool(cell) or not self.filled

    def ending(self, cell: str) -> str:
        """How a cell that is turned away ends its order; empty where it does not."""
        plain = cell.casefold()
        return next(
            (
                end
                for end, of in self.ends.items()
                if any(fnmatchcase(plain, record.casefold()) for record in of)
            ),
            "",
        )


class Joined(Strict):
    """The filled cells of several columns, with a comma between them."""

    join: tuple[str, ...]


Source = str | tuple[str | Joined, ...] | Joined


class Profile(Strict):
    """What is known of a shop's export.

    The file is recognised by all columns in `header`, by any of their names in
    `aliases`; one in another language by its `signs`. `columns` say where a column of a
    request file is from: one column of the shop, the first filled one of several, or
    several joined. A blank cell of a column in `fill_down` has the text of the order's
    first row. `skip` are patterns of lines that are no data; where `explained` is set,
    the row below the header explains the columns. `line` is the column of an id that
    each line has once. `encoding` is of files that are no UTF-8. Where `quoted` is
    unset, a quote in a tab file is a character like any other. `tracking` is the file
    by which the shop takes tracking numbers.
    """

    shop: str = Field(pattern="^[a-z0-9_-]{1,40}$")
    title: str
    header: tuple[str, ...] = Field(min_length=2)
    columns: Mapping[str, Source]
    aliases: Mapping[str, str] = {}
    signs: tuple[str, ...] = ()
    prefix: str = ""
    fill_down: tuple[str, ...] = ()
    keep: tuple[Keep, ...] = ()
    skip: tuple[str, ...] = ()
    explained: bool = False
    line: str = ""
    encoding: str = ""
    quoted: bool = True
    tracking: Sheet | None = None

    def model_post_init(self, _context: object) -> None:
        unknown = [name for name in self.columns if name not in COLUMNS]
        missing_columns = [
            name
            for name in ("order_ref", "own_sku", "quantity")
            if name not in self.columns
        ]
        if unknown or missing_columns:
            raise ValueError(
                f"columns: {', '.join(unknown) or 'none'} not known, {', '.join(missing_columns) or 'none'} missing"
            )
        if not isinstance(self.columns["order_ref"], str):
            raise ValueError("columns: order_ref is one column")

    def named(self, header: Iterable[str]) -> list[str]:
        """The header with the names that the profile uses."""
        return [self.aliases.get(name, name) for name in map(_bare, header)]

    def fits(self, header: Sequence[str]) -> bool:
        return {*self.header} <= {*self.named(header)}

    def alike(self, header: Sequence[str]) -> int:
        """How many columns of a header are known to be of this shop."""
        return len({*self.named(header)} & {*self.header, *self.signs, *self.used})

    def differs(self, header: Sequence[str]) -> str:
        """What keeps a header that resembles this export from being one."""
        missing = [name for name in self.header if name not in self.named(header)]
        return (
            f"this resembles {self.title}, and lacks {shorten(missing, MOST_NAMED)}: export it with all columns, and "
            "in English; or write a profile for it (docs/shops.md)"
        )

    def ref_of(self, shop_ref: str) -> str:
        """Our name for an order of the shop; empty for a row that names none, which
        must not join others.
        """
        own = NOT_IN_A_REF.sub("-", shop_ref).strip("-")
        return self.prefix + own if own else ""

    def shown(self, column: str) -> str:
        """The shop's name of a column of a request file."""
        return next(_names(self.columns.get(column, column)))

    @property
    def used(self) -> set[str]:
        """The columns of the shop that decide what is bought."""
        sources = {name for source in self.columns.values() for name in _names(source)}
        return {
            *sources,
            *(rule.column for rule in self.keep),
            *filter(None, [self.line]),
        }


def profile_of(header: Sequence[str], profiles: Sequence[Profile]) -> Profile | None:
    """The profile of a header: of several the one that demands most, the earlier of
    equals.
    """
    return max(
        (profile for profile in profiles if profile.fits(header)),
        key=lambda profile: len(profile.header),
        default=None,
    )


def resembled(header: Sequence[str], profiles: Sequence[Profile]) -> Profile | None:
    """The profile that a header which has none comes closest to, if it comes close; a
    request file's has none.
    """
    best = max(profiles, key=lambda profile: profile.alike(header), default=None)
    known_count = sum(1 for name in header if name.strip().lower() in BY_NAME)
    return (
        best
        if best and best.alike(header) >= max(LEAST_ALIKE, known_count + 1)
        else None
    )


class ShopExport:
    """A shop's export as rows of a request file, by the profile of its header; another
    file stays as it is.
    """

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._profiles = profiles
        self._profile: Profile | None = None
        self._faults: list[Fault] = []
        self._header: list[str] = []
        self._of_first: set[str] = set()
        self._firsts: dict[str, Mapping[str, object]] = {}
        self._last = ""
        self._lines: dict[str, int] = {}
        self._kept: dict[tuple[str, str], tuple[int, dict[str, object]]] = {}
        self._left = Counter[str]()
        self._turned_away = dict[str, str]()
        self._shop_refs: dict[str, str] = {}
        self._shop_lines: dict[int, list[ShopLine]] = {}

    def rows(self, found: Iterator[RowOrRemark]) -> Iterator[RowOrRemark]:
        """The rows that are to be bought, in the columns of a request file."""
        for item in found:
            if isinstance(item, Remark):
                yield item
            elif self._profile:
                yield from self._read(self._profile, item)
            else:
                columns = [*map(str, item.cells)]
                self._profile = profile_of(columns, self._profiles)
                if self._profile:
                    self._begin(self._profile, columns)
                elif other := resembled(columns, self._profiles):
                    yield Fault(HEADER_ROW, "", other.differs(columns))
                    return
                else:
                    yield item
                    yield from found
        if self._profile:
            yield from self._to_buy(self._profile)

    def orders(self, parsed: ParsedRequests) -> ParsedRequests:
        """The requests with what the shop calls them; faults are in its columns."""
        if (profile := self._profile) is None:
            return parsed
        orders = [
            replace(
                order,
                shop=profile.shop,
                shop_ref=self._shop_refs[order.order_ref][:80],
                lines=tuple(map(self._with_shop_lines, order.lines)),
            )
            for order in parsed.orders
        ]
        faults = [
            Fault(fault.row, profile.shown(fault.column), fault.message)
            for fault in parsed.faults
        ]
        turned_away = {
            ref: end
            for ref, end in self._turned_away.items()
            if ref and end in ("sent", "void") and ref not in self._shop_refs
        }
        return ParsedRequests(
            tuple(orders), tuple(faults), parsed.warnings, turned_away
        )

    def _begin(self, profile: Profile, columns: Sequence[str]) -> None:
        self._header = profile.named(columns)
        self._of_first = {
            name
            for name in self._header
            if any(fnmatchcase(name, pattern) for pattern in profile.fill_down)
        }
        needed = [rule.column for rule in profile.keep if not rule.optional]
        for name in filter(None, [*needed, profile.line]):
            if name not in self._header:
                problem = "this column is missing, and says what must not be bought"
                self._fault(HEADER_ROW, name, problem)
        for name, times in sorted(Counter(map(_bare, columns)).items()):
            if times > 1 and profile.aliases.get(name, name) in profile.used:
                self._fault(HEADER_ROW, name, TWICE)

    def _fault(self, row: int, column: str, message: str) -> None:
        self._faults.append(Fault(row, column, message))

    def _read(self, profile: Profile, found: Row) -> Iterator[Remark]:
        row, raw_cells, problem = found
        values = [*map(_cell, raw_cells)]
        line = ",".join(map(_text, values)).strip(",")
        if not line or any(re.fullmatch(pattern, line) for pattern in profile.skip):
            return
        if problem:
            self._fault(row, "", problem)
            return
        cells: dict[str, object] = dict.fromkeys(self._header, "")
        for name, value in zip(self._header, values, strict=False):
            # of two names for one column the filled one counts
            cells[name] = cells[name] if cells[name] != "" else value
        yield from self._take(profile, row, cells)

    def _take(
        self, profile: Profile, row: int, cells: dict[str, object]
    ) -> Iterator[Remark]:
        shop_ref = _text(cells.get(profile.shown("order_ref"), ""))
        if (
            profile.explained
            and row == HEADER_ROW + 1
            and not re.search("[0-9]", shop_ref)
        ):
            return
        line = _text(cells.get(profile.line, "")) if profile.line else ""
        shop_ref = self._id(row, "order_ref", shop_ref)
        self._require_once(
            row, shop_ref, profile.line, self._id(row, profile.line, line)
        )
        self._fill_from_first(profile, row, shop_ref, cells)
        order_ref = profile.ref_of(shop_ref)
        if self._is_turned_away(profile, order_ref, cells):
            return
        if order_ref and self._shop_refs.setdefault(order_ref, shop_ref) != shop_ref:
            problem = (
                f"this would be called {order_ref}, as another order of the file is"
            )
            self._fault(row, "order_ref", problem)
        fields = {
            name: _value(cells, source) for name, source in profile.columns.items()
        } | {"order_ref": order_ref}
        if cells.get(profile.shown("own_sku"), "") == "":
            fields["own_sku"] = line_name(_text(fields["own_sku"]), cells.values())
        own_sku = _text(fields["own_sku"])
        first_row, before = self._kept.setdefault((order_ref, own_sku), (row, fields))
        if (pieces := _text(fields["quantity"])).isdecimal():
            self._shop_lines.setdefault(first_row, []).append(
                ShopLine(line=line, quantity=int(pieces))
            )
        if before is fields:
            return
        # shops write one SKU of an order twice, such as for a gift
        quantities = [_text(record["quantity"]) for record in (before, fields)]
        if before | {"quantity": ""} == fields | {"quantity": ""} and all(
            map(str.isdecimal, quantities)
        ):
            before["quantity"] = str(sum(map(int, quantities)))
            words = f"the pieces of this row are added to row {first_row}: both are of one order and SKU"
            yield Remark(row, "", words)
        else:
            self._kept[order_ref, f"{own_sku} in row {row}"] = row, fields

    def _is_turned_away(
        self, profile: Profile, order_ref: str, cells: Mapping[str, object]
    ) -> bool:
        """Whether a rule turns a row away; note how that ends its order."""
        failed: list[tuple[Keep, str]] = []
        for rule in profile.keep:
            if rule.column in cells:
                text = _text(cells[rule.column], dated=A_DATE)
                if not rule.keeps(text):
                    failed.append((rule, text))
        if not failed:
            return False
        rule, text = failed[0]
        self._left[f"{rule.column} {shortened(text, 30) or 'empty'}"] += 1
        end = max((rule.ending(text) for rule, text in failed), key=FINALITY.index)
        before = self._turned_away.get(order_ref, end)
        self._turned_away[order_ref] = min(before, end, key=FINALITY.index)
        return True

    def _fill_from_first(
        self, profile: Profile, row: int, shop_ref: str, cells: dict[str, object]
    ) -> None:
        """Fill what the first row of an order says of all; fault a later one that alone
        says what a rule asks.

        What a row of sums leaves blank of that the one below it says.
        """
        first = self._firsts.setdefault(shop_ref, cells)
        if first is not cells and any(
            "sums" in of.ends and first.get(of.column) == "" for of in profile.keep
        ):
            asked_columns = {
                of.column
                for of in profile.keep
                if not of.keeps("") and first.get(of.column) == ""
            }
            first = self._firsts[shop_ref] = {
                **first,
                **{name: cells[name] for name in asked_columns},
            }
        for name in self._of_first:
            if cells[name] == "":
                cells[name] = first[name]
            elif (
                first[name] == ""
                and shop_ref
                and any(of.column == name and not of.keeps("") for of in profile.keep)
            ):
                self._fault(row, name, NOT_FIRST)

    def _id(self, row: int, column: str, text: str) -> str:
        """An id as its shop wrote it, where that is known; also where a number made of
        it is a fault.
        """
        if not (number := OF_A_NUMBER.fullmatch(text)):
            return text
        self._fault(row, column, ROUNDED if number["cut"] else REWRITTEN)
        return (
            ""
            if number["cut"]
            else re.sub("[^0-9]", "", re.sub("[.,]0{1,2}$", "", text))
        )

    def _require_once(self, row: int, shop_ref: str, column: str, line: str) -> None:
        """Fault a line that is there twice, as in a file of two exports; without an id,
        an order that begins anew.
        """
        if line:
            if (first := self._lines.setdefault(line, row)) != row:
                self._fault(
                    row,
                    column,
                    f"the same line as row {first}; use one export at a time",
                )
        elif shop_ref and shop_ref != self._last and shop_ref in self._firsts:
            problem = "rows of this order stand apart, as in a file of two exports; use one, its rows sorted by order"
            self._fault(row, "order_ref", problem)
        self._last = shop_ref or self._last

    def _to_buy(self, profile: Profile) -> Iterator[RowOrRemark]:
        yield from self._faults
        if self._left:
            reason = shorten(
                [
                    f"{count:,} with {reason}"
                    for reason, count in self._left.most_common()
                ],
                MOST_NAMED,
            )
            left_lines = pluralize(sum(self._left.values()), "line")
            words = f"of this {profile.title} {left_lines} must not be bought: {reason}"
            yield Remark(WHOLE_FILE, "", words)
        if not self._kept:
            problem = f"no line of this {profile.title} is paid and left to be bought"
            yield Fault(HEADER_ROW, "", problem)
            return
        absent = [name for name in COLUMNS if name not in profile.columns]
        yield Row(HEADER_ROW, [*profile.columns, *absent])
        for row, fields in self._kept.values():
            yield Row(row, [*fields.values()])
        self._kept.clear()

    def _with_shop_lines(self, line: RequestLine) -> RequestLine:
        shop_lines = tuple(self._shop_lines.get(line.row, ()))
        return (
            replace(line, own=replace(line.own, shop_lines=shop_lines))
            if line.own and shop_lines
            else line
        )


def _bare(name: str) -> str:
    return name.strip(BLANKS + "\ufeff")


def _cell(cell: object) -> object:
    """The cell without the marks around a text; another value stays, for the checks of
    a request file.
    """
    return (
        ""
        if cell is None
        else AS_TEXT.sub("", cell.strip(BLANKS))
        if isinstance(cell, str)
        else cell
    )


def _text(cell: object, *, dated: str = NO_TEXT) -> str:
    """What a rule reads; a cell that no request file could have is no text of one, and
    a date is as `dated`.
    """
    if is_date(cell):
        return dated
    try:
        return str(cell).lower() if isinstance(cell, bool) else value_text(cell)
    except ValueError:
        return NO_TEXT


def _value(cells: Mapping[str, object], source: Source) -> object:
    if isinstance(source, str):
        return cells.get(source, "")
    columns = source.join if isinstance(source, Joined) else source
    filled = [cell for column in columns if (cell := _value(cells, column)) != ""]
    return (
        ", ".join(map(_text, filled))
        if isinstance(source, Joined)
        else filled[0]
        if filled
        else ""
    )


def line_name(text: str, cells: Container[object]) -> str:
    """What stands for a SKU: one of the cells as it was written, where it can be an own
    SKU.

    Else, and for a title with its variant, one line, and where it is too long a hash in
    place of its end.
    """
    with suppress(ValueError):
        if check_cell(OWN_SKU, read_cell(OWN_SKU, text)[0]) and text in cells:
            return text
    plain = " ".join(
        "".join(char if char.isprintable() else " " for char in text).split()
    )
    cut = f"… {hashlib.sha256(plain.encode(errors='replace')).hexdigest()[:8]}"
    return (
        plain if len(plain) <= OWN_SKU.most else plain[: OWN_SKU.most - len(cut)] + cut
    )


def _names(source: Source) -> Iterator[str]:
    if isinstance(source, str):
        yield source
    else:
        for column in source.join if isinstance(source, Joined) else source:
            yield from _names(column)
