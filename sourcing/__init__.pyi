from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pandas as pd
import pyarrow as pa
from pyarrow.compute import Expression

__all__ = ["SITE", "Snapshots", "__version__"]

SITE: Path
__version__: str

def from_site(name: str) -> ModuleType: ...

class Snapshots:
    def __init__(self, root: str | Path | None = None) -> None: ...
    def __getitem__(self, name: str) -> pd.DataFrame: ...
    def __iter__(self) -> Iterator[str]: ...
    @property
    def tables(self) -> tuple[str, ...]: ...
    def table(
        self,
        name: str,
        at: datetime | str | None = None,
        columns: Sequence[str] | None = None,
        where: Expression | Sequence[object] | None = None,
        *,
        money: bool = False,
        categories: bool = False,
    ) -> pd.DataFrame: ...
    def batches(
        self,
        name: str,
        rows: int = 50_000,
        columns: Sequence[str] | None = None,
        where: Expression | Sequence[object] | None = None,
        *,
        money: bool = False,
    ) -> Iterator[pd.DataFrame]: ...
    def arrow(
        self,
        name: str,
        at: datetime | str | None = None,
        columns: Sequence[str] | None = None,
        where: Expression | Sequence[object] | None = None,
    ) -> pa.Table: ...
    def history(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: Expression | Sequence[object] | None = None,
        *,
        money: bool = False,
        categories: bool = False,
    ) -> pd.DataFrame: ...
    def sql(
        self, query: str, *, money: bool = False, categories: bool = False
    ) -> pd.DataFrame: ...
