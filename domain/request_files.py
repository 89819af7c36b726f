"""From the rows of a merchant's file to orders, or to every fault of the file at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from domain.items import ItemId, read_item
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderRequest, Receiver, RequestLine
from domain.request_cells import COLUMNS, STRAY, cell_text, check_cell

HEADER_ROW = 1
POSITION = {column.name: position for position, column in enumerate(COLUMNS)}
RECEIVER = ("receiver_name", "receiver_phone", "receiver_email", "country", "state", "city", "zip", "address")
SHARED = ("marketplace", *RECEIVER, "freight")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to mend in the file. `row` counts as a CSV file does: the header is row 1.

    `column` is empty when the whole row is meant.
    """

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        place = f"row {self.row}, column {self.column}" if self.column else f"row {self.row}"
        return f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class ParsedRequests:
    """The orders of a file in its order, or its faults: a file with any fault gives no orders."""

    orders: tuple[OrderRequest, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """The faultless cells of one row, in normal form, by column name.

    `item` tells one item from another, however the cell writes it; it is empty while the cells don't say.
    """

    row: int
    cells: dict[str, str]
    item: str


def parse_requests(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, found: Sequence[Fault] = ()
) -> ParsedRequests:
    """Check every cell, then what rows of one `order_ref` must share.

    `rows[0]` is row 2 of the file, and a blank row stays in `rows` so that later rows keep their numbers.
    `found` are faults that reading the file has shown already; their rows aren't checked again.
    """
    spelled, faults = _read_header(columns, bare=not rows)
    broken = {fault.row for fault in found}
    lines: list[_Line] = []
    for number, row in enumerate(rows, start=HEADER_ROW + 1):
        texts = {name: cell_text(row.get(spelling)) for name, spelling in spelled.items()}
        if number not in broken and any(texts.values()):
            line, row_faults = _check_row(number, texts)
            lines.append(line)
            faults.extend(row_faults)
    if not lines and not broken and (spelled or not rows):
        faults.append(Fault(HEADER_ROW, "", "the file has no data rows; add one row for each item to buy"))
    faults += [*found, *_disagreements(lines), *_repetitions(lines)]
    return ParsedRequests(() if faults else _orders(lines), tuple(sorted(faults, key=_place)))


def _place(fault: Fault) -> tuple[int, int, str]:
    position = POSITION.get(fault.column, len(POSITION)) if fault.column else -1
    return fault.row, position, fault.column


def _read_header(columns: Sequence[str], *, bare: bool) -> tuple[dict[str, str], list[Fault]]:
    """How the file spells each column that it has, and what is wrong with its header.

    A bare file (no rows, and so no columns in JSON) isn't blamed for lacking columns.
    """
    names = [column.strip(STRAY).lower() for column in columns]
    spelled = {name: column for name, column in zip(names, columns, strict=True) if name in POSITION}
    twice = [name for name, times in Counter(names).items() if times > 1 and name in POSITION]
    faults = [Fault(HEADER_ROW, name, "this column is there more than once; keep one of them") for name in twice]
    if columns or not bare:
        faults += _missing_columns(spelled)
    return spelled, faults + _misspelled_columns(names, spelled)


def _missing_columns(spelled: Mapping[str, str]) -> list[Fault]:
    missing = [column for column in COLUMNS if not column.may_be_absent and column.name not in spelled]
    hints = [f" ({column.empty_means})" if column.empty_means else "" for column in missing]
    return [
        Fault(HEADER_ROW, column.name, f"this column is missing; add it{hint}")
        for column, hint in zip(missing, hints, strict=True)
    ]


def _misspelled_columns(names: Sequence[str], spelled: Mapping[str, str]) -> list[Fault]:
    """Columns that look like an absent optional one: passing over `freigth` would ship by the wrong service."""
    absent = [column.name for column in COLUMNS if column.may_be_absent and column.name not in spelled]
    return [
        Fault(HEADER_ROW, name, f"this column is not known; rename it to {near[0]}, or remove it")
        for name in names
        if name not in spelled and (near := get_close_matches(name, absent, n=1, cutoff=0.8))
    ]


def _check_row(number: int, texts: Mapping[str, str]) -> tuple[_Line, list[Fault]]:
    cells = {column.name: column.default for column in COLUMNS if column.may_be_absent and column.name not in texts}
    faults: list[Fault] = []
    for column in COLUMNS:
        if column.name in texts:
            try:
                cells[column.name] = check_cell(column, texts[column.name])
            except ValueError as error:
                faults.append(Fault(number, column.name, str(error)))
    try:
        item = _item_of(cells)
    except ValueError as error:
        item = ""
        faults.append(Fault(number, "item", str(error)))
    return _Line(number, cells, item), faults


def _item_of(cells: Mapping[str, str]) -> str:
    if "item" not in cells or "marketplace" not in cells:
        return ""
    item = read_item(Marketplace(cells["marketplace"]), cells["item"])
    return item.id if isinstance(item, ItemId) else item.text.casefold()


def _disagreements(lines: Sequence[_Line]) -> Iterator[Fault]:
    first: dict[tuple[str, str], _Line] = {}
    for line in lines:
        if not (order_ref := line.cells.get("order_ref")):
            continue
        for column in SHARED:
            if column not in line.cells:
                continue
            leader = first.setdefault((order_ref, column), line)
            if line.cells[column] != leader.cells[column]:
                there = leader.cells[column]
                yield Fault(line.row, column, f"differs from row {leader.row} of order {order_ref} ({there!r} there)")


def _repetitions(lines: Sequence[_Line]) -> Iterator[Fault]:
    first: dict[tuple[str, str, str], int] = {}
    for line in lines:
        order_ref = line.cells.get("order_ref")
        if not order_ref or not line.item or "sku" not in line.cells:
            continue
        row = first.setdefault((order_ref, line.item, line.cells["sku"]), line.row)
        if row != line.row:
            message = f"the same item and sku as row {row} of order {order_ref}; put the sum of both in one row"
            yield Fault(line.row, "item", message)


def _orders(lines: Sequence[_Line]) -> tuple[OrderRequest, ...]:
    grouped: dict[str, list[_Line]] = {}
    for line in lines:
        grouped.setdefault(line.cells["order_ref"], []).append(line)
    return tuple(_order(order_ref, members) for order_ref, members in grouped.items())


def _order(order_ref: str, lines: Sequence[_Line]) -> OrderRequest:
    cells = lines[0].cells
    receiver = {column.removeprefix("receiver_"): cells[column] for column in RECEIVER}
    return OrderRequest(
        order_ref=order_ref,
        marketplace=Marketplace(cells["marketplace"]),
        receiver=Receiver(**receiver),
        freight=cells["freight"],
        lines=tuple(_request_line(line) for line in lines),
    )


def _request_line(line: _Line) -> RequestLine:
    cells = line.cells
    return RequestLine(
        row=line.row,
        item=cells["item"],
        sku=cells["sku"],
        quantity=int(cells["quantity"]),
        max_unit_price=Money.parse(cells["max_unit_price"]) if cells["max_unit_price"] else None,
        note=cells["note"],
    )
