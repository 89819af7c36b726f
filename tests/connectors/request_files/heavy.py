"""Files that would take gigabytes or hours if they were read as they ask to be."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tests.connectors.request_files.writing import (
    GOOD,
    NAMES,
    csv_bytes,
    header_row,
    xlsx_bytes,
)

MIB = 2**20


def _csv_rows(row: dict[str, str], count: int) -> bytes:
    head, line = csv_bytes(row).split(b"\r\n")
    return b"\n".join(
        [head, *(line.replace(b"A-1", b"A-%d" % at) for at in range(count))]
    )


def _xlsx(data: str, after: str = "") -> bytes:
    return xlsx_bytes(header=header_row() + data, after=after)


def _parquet(columns: dict[str, pa.Array], **options: object) -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, compression="zstd", **options)
    return out.getvalue()


def _repeated(text: str, times: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(
        pa.array([0] * times, pa.int32()), pa.array([text])
    )


HEAVY: dict[str, Callable[[], bytes]] = {
    "line-feeds.csv": lambda: b"\n" * 20_000_000,
    "line-feeds-below-a-header.csv": lambda: csv_bytes() + b"\n" * 20_000_000,
    "commas.csv": lambda: b"," * 30 * MIB,
    "quotes.csv": lambda: b'"' * 30 * MIB,
    "one-cell.csv": lambda: csv_bytes() + b'\n"' + b"x" * 30 * MIB,
    "ragged.csv": lambda: csv_bytes() + b"\na,b" * 5_000_000,
    "wrong-rows.csv": lambda: _csv_rows(GOOD | {"quantity": "x", "country": "Germny", "zip": "1" * 30}, 150_000),
    "too-many-rows.csv": lambda: _csv_rows({name: GOOD[name] for name in NAMES}, 150_000),
    "no-text.csv": lambda: b"\0" * 30 * MIB,
    "too-large.csv": lambda: b"x" * 40 * MIB,
    "brackets.json": lambda: b"[" * 30 * MIB,
    "empty-lists.json": lambda: b"[" + b"[]," * 10 * MIB,
    "empty-objects.json": lambda: b"[" + b"{}," * 10 * MIB,
    "list-in-a-row.json": lambda: b'[{"note":[' + b"[]," * 10 * MIB,
    "digits.json": lambda: b'[{"quantity":' + b"9" * 30 * MIB + b"}]",
    "keys.json": lambda: b"[" + b",".join(b'{"k%d":1}' % at for at in range(2_000_000)) + b"]",
    "one-row.json": lambda: b"[{" + b",".join(b'"k%d":1' % at for at in range(2_000_000)) + b"}]",
    "blanks.xlsx": lambda: _xlsx(" " * 180 * MIB),
    "rows.xlsx": lambda: _xlsx("<row/>" * 5_000_000),
    "cells.xlsx": lambda: _xlsx("".join(f'<row r="{at}">{"<c/>" * 9}{at}</row>' for at in range(2, 400_000))),
    "long-text.xlsx": lambda: _xlsx('<row r="2"><c t="inlineStr"><is><t>' + "abcdefg" * 10_000_000),
    "long-tag.xlsx": lambda: _xlsx('<row r="' + "1" * 15 * MIB),
    "merged.xlsx": lambda: _xlsx("", '<mergeCells>' + '<mergeCell ref="A1:B2"/>' * 500_000 + "</mergeCells>"),
    "rows.parquet": lambda: _parquet({"note": _repeated("x", 2_000_000)}),
    "one-text-everywhere.parquet": lambda: _parquet({name: _repeated("x" * MIB, 90_000) for name in NAMES}),
    "packed.parquet": lambda: _parquet({"note": pa.array(["x" * MIB] * 400)}, use_dictionary=False),
}  # fmt: skip


def write(name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(HEAVY[name]())
    return path
