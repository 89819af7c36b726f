"""The columns of the SKU book, and the check of its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from domain.cell_table import CheckedTable
from domain.cells import half_width, with_formula
from domain.marketplace import ItemId, Marketplace, read_item, sku_of
from domain.money import Money
from domain.orders import Component
from domain.request_cells import BY_NAME, OWN_SKU, Column
from domain.request_remarks import HEADER_ROW, UNNAMED
from domain.sku_book import BookRow, SkuBook

RANK = re.compile("[1-9][0-9]?")
GROUP = re.compile("[A-Za-z0-9._-]{1,20}")


def _rank(text: str) -> str:
    if not RANK.fullmatch(half_width(text)):
        raise ValueError(
            "a rank is 1 for what is bought, 2 for the first spare, and so on"
        )
    return half_width(text)


def _group(text: str) -> str:
    if not GROUP.fullmatch(text):
        raise ValueError(
            "a group is 1 to 20 of the characters A-Z, a-z, 0-9, '-', '_' and '.'"
        )
    return text.lower()


def _own_sku(text: str) -> str:
    """Without the `'` that keeps a spreadsheet from taking it for a formula."""
    return OWN_SKU.check(with_formula(text))


def _optional(name: str, words: str, default: str = "") -> Column:
    return replace(
        BY_NAME[name],
        words=words,
        empty_means="cells may be empty",
        may_be_absent=True,
        default=default,
    )


COLUMNS = (
    replace(
        OWN_SKU,
        words="your own SKU",
        example="FERN-1",
        empty_means=None,
        may_be_absent=False,
        check=_own_sku,
    ),
    Column(
        name="rank",
        words="1, or 2 and more for what is bought where the rank before can't be; rows of one rank are a bundle",
        example="1",
        most=10,
        check=_rank,
        empty_means="cells may be empty, which is 1",
        may_be_absent=True,
        default="1",
    ),
    BY_NAME["marketplace"],
    replace(BY_NAME["item"], words="an id or a product URL"),
    BY_NAME["sku"],
    replace(
        _optional("quantity", "how many pieces make one own SKU; empty is 1", "1"),
        name="pieces",
    ),
    _optional(
        "max_unit_price", "the most one piece may cost, in yuan; empty is no limit"
    ),
    Column(
        name="group",
        words="what is bought together, such as the seller: each group of a shop's order becomes an order",
        example="b",
        most=100,
        check=_group,
        empty_means="cells may be empty",
        may_be_absent=True,
    ),
    BY_NAME["note"],
)


class BookTable(CheckedTable):
    """The rows of a SKU book. With `require_limit` each needs a price limit."""

    def __init__(self, *, require_limit: bool = False) -> None:
        super().__init__(COLUMNS)
        self._require_limit = require_limit
        self._rows: list[BookRow] = []
        self._first: dict[str, BookRow] = {}
        self._seen: dict[tuple[str, int, str, str], int] = {}

    def warn(self, row: int, column: str, message: str) -> None:
        """A further sheet or a hidden row does no harm; a column that lost its name may
        be that of the limits.
        """
        if message == UNNAMED:
            self.fault(row, column, message)

    def finish(self) -> SkuBook:
        """The book; a header alone is a book too. Raises `BadTable` with every
        fault.
        """
        if not self._columns:
            self.fault(HEADER_ROW, "", "the file is empty: it has no header")
        self.raise_faults()
        return SkuBook(self._rows)

    def keep(self, row: int, texts: Mapping[str, str]) -> None:
        """Check the row beside the others of its own SKU."""
        marketplace = Marketplace(texts["marketplace"])
        try:
            item = read_item(marketplace, texts["item"])
            sku = sku_of(texts["item"], texts["sku"])
        except ValueError as error:
            self.fault(row, "item", str(error))
            return
        if not isinstance(item, ItemId):
            self.fault(
                row,
                "item",
                "words may mean another item tomorrow; give an id or a product URL",
            )
            return
        if self._require_limit and not texts["max_unit_price"]:
            self.fault(
                row,
                "max_unit_price",
                "SOURCING_REQUIRE_PRICE_LIMIT asks for a limit in every row; write it",
            )
        made = BookRow(
            row=row,
            own_sku=texts["own_sku"],
            rank=int(texts["rank"]),
            marketplace=marketplace,
            component=Component(
                item=item.id,
                sku=sku,
                pieces=int(texts["pieces"]),
                max_unit_price=Money.parse(texts["max_unit_price"])
                if texts["max_unit_price"]
                else None,
            ),
            group=texts["group"],
        )
        first = self._first.setdefault(made.own_sku, made)
        for column in ("marketplace", "group"):
            if (there := str(getattr(first, column))) != getattr(made, column):
                self.fault(
                    row,
                    column,
                    f"differs from row {first.row} of {made.own_sku} ({there!r} there)",
                )
        same = (made.own_sku, made.rank, item.id, made.component.sku)
        if (before := self._seen.setdefault(same, row)) != row:
            self.fault(
                row,
                "item",
                f"row {before} has it already at this rank; put the sum of pieces in one row",
            )
        self._rows.append(made)
