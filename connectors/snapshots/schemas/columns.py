"""What a column and a table are made of: kind, and the words that a reader needs."""

from __future__ import annotations

import json
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
FLAG = (pa.bool_(), False)
MOMENT = (pa.timestamp("us", tz="UTC"), False)
TIME = (pa.timestamp("us", tz="UTC"), True)


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    `words` say what it means, with what 0 means where an amount may be missing. `unit` is that of a number (`pieces`,
    `minor units of currency`) or whose clock a time is. `source` names the API answer, the request file's column, or
    the ledger. `example` is a value that the column can hold. `null` says when there is none. `personal` marks what
    tells who or where a receiver is.
    """

    kind: ColumnKind
    words: str = ""
    source: str = ""
    example: object = None
    unit: str = ""
    null: str = ""
    personal: bool = False

    def field(self, name: str) -> pa.Field:
        """The Arrow field, with the words as its metadata."""
        told = {
            "description": self.words,
            "unit": self.unit,
            "source": self.source,
            "example": self.shown_example,
            "null": self.null,
            "personal": "yes" if self.personal else "",
        }
        dtype, nullable = self.kind
        return pa.field(name, dtype, nullable, {key: value for key, value in told.items() if value})

    @property
    def shown_example(self) -> str:
        """The example as text: a text as it is, a time in ISO 8601, anything else as JSON."""
        if isinstance(self.example, str):
            return self.example
        if isinstance(self.example, datetime):
            return self.example.isoformat(timespec="seconds").replace("+00:00", "Z")
        return json.dumps(self.example, ensure_ascii=False)
