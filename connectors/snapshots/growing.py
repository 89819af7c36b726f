"""A Parquet file that rows are added to."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import pyarrow as pa
from pyarrow import parquet

ROW_GROUP = 2_000


class Growing:
    """A file that is written in groups of at least `ROW_GROUP` rows; `rows` counts them."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._waiting: list[pa.Table] = []
        self._has_group = False
        self._writer = parquet.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None and (self._waiting or not self._has_group):
            self.write(pa.concat_tables([self._schema.empty_table(), *self._waiting]).combine_chunks())
        self._writer.close()

    def take(self, table: pa.Table) -> None:
        self._waiting.append(table)
        if sum(part.num_rows for part in self._waiting) >= ROW_GROUP:
            self.write(pa.concat_tables(self._waiting).combine_chunks())
            self._waiting = []

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)
        self._has_group = True
        self.rows += table.num_rows
