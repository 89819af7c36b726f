"""A column's declaration: its type, and the description that a reader needs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

ColumnKind = tuple[pa.DataType, bool]  # and whether it may be null

ID = (pa.string(), False)
TEXT = (pa.string(), True)
TEXTS = (pa.list_(pa.string()), False)
MAYBE_TEXTS = (pa.list_(pa.string()), True)
VOLUME_PRICES = (pa.list_(pa.struct([("start_quantity", pa.int64()), ("price_minor", pa.int64())])), True)
MINOR = COUNT = (pa.int64(), False)
MAYBE_MINOR = MAYBE_COUNT = (pa.int64(), True)
FLAG = (pa.bool_(), False)
MOMENT = (pa.timestamp("us", tz="UTC"), False)
TIME = (pa.timestamp("us", tz="UTC"), True)

AMOUNT = re.compile(r"minor units of `(\w+)`")
NEEDS_UNIT = {MINOR[0], MOMENT[0], VOLUME_PRICES[0]}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its values, and their meaning.

    `words` also explain 0 and an empty text. `source` names the API answer, the request file's column or the ledger.
    `example` is a value that the column can hold. `unit` is that of a number (`pieces`, `minor units of currency`), or
    the clock of a time. `null` says when a nullable column has no value. `personal` marks a receiver's name, address
    and contact, and free text, which may have anything.
    """

    kind: ColumnKind
    words: str
    source: str
    example: object
    unit: str = ""
    null: str = ""
    personal: bool = False

    @property
    def currency(self) -> str:
        """The column with the currency of an amount; empty for other columns."""
        amount = AMOUNT.fullmatch(self.unit)
        return amount[1] if amount else ""

    @property
    def lacks(self) -> list[str]:
        """The names of missing parts that a reader needs."""
        dtype, nullable = self.kind
        told = {
            "words": self.words,
            "source": self.source,
            "example": self.example is not None,
            "unit": self.unit or dtype not in NEEDS_UNIT,
            "words for null": bool(self.null) is nullable,
        }
        return [name for name, is_told in told.items() if not is_told]

    def field(self, name: str) -> pa.Field:
        """The Arrow field; its metadata has the parts of this description that are not empty."""
        told = {
            "description": self.words,
            "unit": self.unit,
            "example": self.shown_example,
            "source": self.source,
            "null": self.null,
            "personal": "yes" if self.personal else "",
        }
        dtype, nullable = self.kind
        return pa.field(name, dtype, nullable, {key: words for key, words in told.items() if words})

    @property
    def shown_example(self) -> str:
        """The example as text: a text as it is, a time in ISO 8601, anything else as JSON."""
        if isinstance(self.example, str):
            return self.example
        if isinstance(self.example, datetime):
            return self.example.isoformat().replace("+00:00", "Z")
        return json.dumps(self.example, ensure_ascii=False)
