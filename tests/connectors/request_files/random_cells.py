"""Random cells in every format and column: what is read equals what the format means,
or it is refused or told.

What a cell means is said here once more, in other words than the product's: an
`Expected` is the text that a person sees, an exact number, nothing, or something that
must be refused.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.request_files import read_request_file
from domain.addresses import country_code
from domain.orders import OrderRequest
from tests.connectors.request_files.writing import (
    GOOD,
    NAMES,
    csv_bytes,
    number_cell,
    parquet_bytes,
    text_cell,
    xlsx_bytes,
    xlsx_row,
)

PIECES = [
    *"0123456789",
    *"abcXYZ-_.,;:'\"/\\%+=@#&<>()[]{}|",
    *(
        "12.50",
        "19.9",
        "007",
        "1e5",
        "E+12",
        "1,200.50",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\u3000",
        "\xa0",
        "\u200b",
        "\u200d",
    ),
    *(
        "\u200e",
        "\u202e",
        "\ufeff",
        "\u2060",
        "\xad",
        "\x85",
        "\u2028",
        "\x07",
        "\x9b",
        "\ufffd",
        "\u3164",
        "\U000e0041",
    ),
    *(
        "１",
        "２３",
        "．",
        "，",
        "²",
        "①",
        "½",
        "٣",
        "𝟙",
        "¥",
        "￥",
        "元",
        "$",
        "€",
        "CNY",
        "nan",
        "None",
        "n/a",
        "-",
        "TRUE",
    ),
    *(
        "#N/A",
        "=1+1",
        "'",
        "王小明",
        "Müller",
        "e\u0301",
        "😀",
        "👨\u200d👩",
        "Straße",
        "محمد",
        "taobao",
        "1688",
        "DE",
    ),
    *(
        "Germany",
        "672991141190",
        "cheapest",
        "https://item.taobao.com/item.htm?id=672991141190",
        "x" * 120,
        "_x0041_",
    ),
]
FORMATS: dict[str | int, str] = {
    **dict.fromkeys((0, 2, "#,##0.00", '"¥"#,##0.00', "0.00E+00"), "plain"),
    "00000": "zeros",
    **dict.fromkeys((9, 14, '"$"0.00', "yyyy-mm-dd"), "refused"),
}
ROWS = 250
CELLS_A_ROW = 7
LOWERED = (
    "cheapest",
    "fastest",
    "taobao",
    "1688",
    "big_major",
    "international",
    "poizon",
)
BLANKS = " \t\r\n\x0b\x0c\x85\u00a0\u2028\u2029\u3000"
FULL_WIDTH = str.maketrans("０１２３４５６７８９．", "0123456789.")
TYPED = str.maketrans("\u3000\xa0−", "  -") | {
    sign + 0xFEE0: chr(sign) for sign in range(ord("!"), ord("~") + 1)
}
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
PLAIN_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Cell:
    """A random cell: what is written to the file, and what it means (`refused`: nothing
    that can be understood).
    """

    written: Any
    means: str | Decimal | None
    refused: bool = False


def check_cells(folder: Path, suffix: str, *, cells: int, seed: int) -> int:
    """Read that many random cells of one format. Raises `AssertionError` for one that
    changed in silence.
    """
    chance = random.Random(f"{suffix} {seed}")
    done = 0
    while done < cells:
        rows = [
            {name: MAKERS[suffix](chance) for name in _some_columns(chance)}
            for _ in range(ROWS)
        ]
        if suffix == "parquet":
            rows = _typed(chance)
        _check_file(folder / f"random.{suffix}", suffix, rows)
        done += sum(map(len, rows))
    return done


def _some_columns(chance: random.Random) -> list[str]:
    chosen = chance.sample(
        [name for name in NAMES if name not in ("marketplace", "order_ref")],
        CELLS_A_ROW,
    )
    return (
        chosen
        if "item" in chosen or chance.random() > 0.2
        else [*chosen[1:], "marketplace"]
    )


def _check_file(path: Path, suffix: str, rows: list[dict[str, Cell]]) -> None:
    """Read the file, put good cells in place of those refused, and compare the rest."""
    notices: set[tuple[int, str]] = set()
    for _ in range(4):
        path.write_bytes(WRITERS[suffix](rows))
        parsed = read_request_file(path)
        notices |= {(warning.row, warning.column) for warning in parsed.warnings}
        if not parsed.faults:
            break
        for fault in parsed.faults:
            assert fault.column in NAMES, fault
            rows[fault.row - 2].pop(fault.column, None)
    assert not parsed.faults
    for order, row in zip(parsed.orders, rows, strict=True):
        for name, cell in row.items():
            is_told = (order.lines[0].row, name) in notices
            assert not cell.refused, (
                f"{name}: {cell} was taken for {value_of(order, name)!r}"
            )
            assert is_told or is_same(name, cell.means, value_of(order, name)), (
                f"{name}: {cell} -> {value_of(order, name)!r}"
            )


def value_of(order: OrderRequest, name: str) -> Any:
    line = order.lines[0]
    if name == "max_unit_price":
        return line.max_unit_price.major if line.max_unit_price else None
    if name in ("item", "sku", "quantity", "note"):
        return getattr(line, name)
    if name in ("order_ref", "marketplace", "freight"):
        return getattr(order, name)
    return getattr(order.receiver, name.removeprefix("receiver_"))


def is_same(name: str, means: str | Decimal | None, read: Any) -> bool:
    if name in ("quantity", "max_unit_price"):
        if not means or isinstance(means, Decimal):
            return bool(read == (means or None))
        digits = means.strip(BLANKS).translate(FULL_WIDTH)
        return bool(PLAIN_NUMBER.fullmatch(digits) and Decimal(digits) == read)
    if isinstance(means, Decimal):
        return bool(NUMBER.fullmatch(read) and Decimal(read) == means)
    text = (means or "").strip(BLANKS)
    if name == "country":
        return bool(read == country_code(text))
    if name in ("sku", "receiver_phone", "zip", "freight"):
        text = text.translate(TYPED)
    same = (
        {text, text.removesuffix(".0")}
        if name in ("item", "sku", "receiver_phone", "zip", "freight")
        else {text}
    )
    if name in ("marketplace", "freight"):
        same |= {text.lower()} if text.lower() in LOWERED else set()
    return read in (same if text or name != "freight" else {"cheapest"})


def _text(chance: random.Random) -> str:
    pieces = [
        chance.choice(PIECES)
        if chance.random() < 0.97
        else chr(chance.randrange(1, 0x3000))
        for _ in range(chance.randint(1, 4))
    ]
    return "".join(pieces)


def _number(chance: random.Random) -> str:
    total = str(chance.randrange(10 ** chance.randint(1, 19)))
    return (
        total
        if chance.random() < 0.5
        else f"{total}.{chance.randrange(10 ** chance.randint(1, 3))}"
    )


def _csv_cell(chance: random.Random) -> Cell:
    text = _number(chance) if chance.random() < 0.2 else _text(chance)
    return Cell(text, text or None)


def _json_cell(chance: random.Random) -> Cell:
    kind = chance.random()
    if kind < 0.5:
        text = _text(chance)
        return Cell(json.dumps(text, ensure_ascii=chance.random() < 0.5), text)
    if kind < 0.85:
        text = _number(chance) + chance.choice(
            ["", "", "", "e1", "E-1", "e+2", "0", ".0" if chance.random() < 0 else ""]
        )
        text = (
            text
            if text == "0" or not text.startswith("0") or text.startswith("0.")
            else "7" + text
        )
        text = f"-{text}" if chance.random() < 0.05 else text
        return Cell(text, Decimal(text))
    if kind < 0.9:
        return Cell("null", None)
    return Cell(
        chance.choice(
            ["true", "false", "NaN", "Infinity", "-Infinity", "[]", "[1]", "{}"]
        ),
        None,
        refused=True,
    )


def _xlsx_cell(chance: random.Random) -> Cell:
    kind = chance.random()
    if kind < 0.5:
        text = "".join(
            letter
            for letter in _text(chance)
            if letter.isprintable() or letter in "\t\n" or ord(letter) > 0x9F
        )
        meant = re.sub("_x0041_", "A", text)
        return Cell(text_cell("@", text), meant)
    if kind < 0.85:
        text = _number(chance)
        style = chance.randrange(len(FORMATS))
        label = list(FORMATS.values())[style]
        value = Decimal(repr(float(text))) if abs(float(text)) < 1e15 else None
        listing: str | Decimal | None = value
        if (
            label == "zeros"
            and value is not None
            and value == value.to_integral_value()
        ):
            listing = str(int(value)).zfill(5)
        return Cell(
            number_cell("@", text, style + 1),
            listing,
            refused=label == "refused" or value is None,
        )
    if kind < 0.9:
        text = _number(chance)[:12]
        return Cell(f'<c r="@"><f>A1</f><v>{text}</v></c>', Decimal(repr(float(text))))
    refused = ['<c r="@" t="b"><v>1</v></c>', '<c r="@" t="e"><v>#N/A</v></c>', '<c r="@"><f>A1</f></c>',
               '<c r="@"><f>A1</f><v></v></c>', '<c r="@" t="d"><v>2026-11-25</v></c>']  # fmt: skip
    return Cell(chance.choice(refused), None, refused=True)


def _typed(chance: random.Random) -> list[dict[str, Cell]]:
    """Rows of which some columns have a type of their own."""
    rows: list[dict[str, Cell]] = [{} for _ in range(ROWS)]
    for name in chance.sample(
        [name for name in NAMES if name not in ("marketplace", "order_ref", "country")],
        CELLS_A_ROW,
    ):
        make = chance.choice(
            [_parquet_text, _parquet_whole, _parquet_float, _parquet_decimal]
        )
        for row in rows:
            row[name] = (
                make(chance)
                if chance.random() < 0.9 or name in MUST
                else Cell(None, None)
            )
    return rows


def _parquet_text(chance: random.Random) -> Cell:
    text = _text(chance)
    return Cell(text, text)


def _parquet_whole(chance: random.Random) -> Cell:
    number = int(_number(chance).partition(".")[0]) % 2**63
    return Cell(number, Decimal(number))


def _parquet_float(chance: random.Random) -> Cell:
    if chance.random() < 0.1:
        return Cell(
            chance.choice([float("nan"), float("inf"), float("-inf")]),
            None,
            refused=True,
        )
    number = float(_number(chance))
    return Cell(number, Decimal(repr(number)), refused=abs(number) >= 2**53)


def _parquet_decimal(chance: random.Random) -> Cell:
    number = Decimal(_number(chance)).quantize(Decimal("0.001"))
    return Cell(number, number)


def _write_csv(rows: Sequence[dict[str, Cell]]) -> bytes:
    return csv_bytes(
        *({name: _cell(at, row, name) for name in NAMES} for at, row in enumerate(rows))
    )


def _write_json(rows: Sequence[dict[str, Cell]]) -> bytes:
    lines = []
    for at, row in enumerate(rows):
        cells = {
            name: row[name].written if name in row else json.dumps(_good(at, name))
            for name in NAMES
        }
        lines.append(
            "{" + ",".join(f'"{name}":{cell}' for name, cell in cells.items()) + "}"
        )
    return f"[{','.join(lines)}]".encode(errors="surrogatepass")


def _write_xlsx(rows: Sequence[dict[str, Cell]]) -> bytes:
    lines = [
        xlsx_row(
            at + 2,
            {name: _good(at, name) for name in NAMES},
            **{name: cell.written for name, cell in row.items()},
        )
        for at, row in enumerate(rows)
    ]
    return xlsx_bytes(*lines, formats=list(FORMATS))


def _write_parquet(rows: Sequence[dict[str, Cell]]) -> bytes:
    columns = {}
    for name in NAMES:
        kinds = {type(row[name].written) for row in rows if name in row} - {
            str,
            type(None),
        }
        good = NUMBERS.get(name, 7)
        numbers = [kind(good) if good is not None else None for kind in kinds]
        columns[name] = pa.array(
            [
                row[name].written
                if name in row
                else (numbers[0] if numbers else _good(at, name))
                for at, row in enumerate(rows)
            ]
        )
    return parquet_bytes(**columns)


NUMBERS = {
    "quantity": 2,
    "max_unit_price": 19,
    "item": 672991141190,
    "zip": 10115,
    "receiver_email": None,
}
MUST = ("quantity", "item", "receiver_name", "address")


def _cell(at: int, row: dict[str, Cell], name: str) -> Any:
    return row[name].written if name in row else _good(at, name)


def _good(at: int, name: str) -> str:
    return f"G{at}" if name == "order_ref" else str(GOOD[name])


MAKERS: dict[str, Callable[[random.Random], Cell]] = {
    "csv": _csv_cell,
    "json": _json_cell,
    "xlsx": _xlsx_cell,
    "parquet": _parquet_text,
}
WRITERS: dict[str, Callable[[Sequence[dict[str, Cell]]], bytes]] = {
    "csv": _write_csv,
    "json": _write_json,
    "xlsx": _write_xlsx,
    "parquet": _write_parquet,
}
