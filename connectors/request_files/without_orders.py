"""A text with lines of requests without those of some orders, as it is written else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from connectors.request_files.csv_file import DELIMITERS, header_of
from domain.cells import BLANKS
from domain.request_files import normal_name
from domain.shop_files import Profile, profile_of

ORDER = "order_ref"


def without_orders(
    text: str,
    order_refs: Collection[str],
    wholes: Mapping[str, str],
    profiles: Sequence[Profile],
) -> tuple[str, set[str]]:
    """The text without the lines of these orders, and which of them it had; unchanged
    where rows are unclear.

    An order that was split from another has the lines of the whole, which `wholes`
    names.
    """
    lines = io.StringIO(text, newline="").readlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    shop = profile_of(header_of(first), profiles)
    is_plain = shop is not None and not shop.quoted and delimiter == "\t"
    quoting: Literal[0, 3] = csv.QUOTE_NONE if is_plain else csv.QUOTE_MINIMAL
    if _is_open_ended(lines, delimiter, quoting):
        return text, set()
    records = csv.reader(iter(lines), delimiter=delimiter, quoting=quoting)
    try:
        found = [(cells, records.line_num) for cells in records]
    except csv.Error:
        return text, set()
    kept: list[str] = []
    had: set[str] = set()
    ref_in: Callable[[Sequence[str]], str] | None = None
    begin = 0
    for record, end in found:
        order_ref = ref_in(record) if ref_in else ""
        of_it = {ref for ref in order_refs if order_ref in (ref, wholes.get(ref))}
        if order_ref and of_it:
            had |= of_it
        else:
            kept += lines[begin:end]
        if ref_in is None:
            ref_in = _reader(record, profiles)
        begin = end
    return "".join(kept), had


def _reader(
    header: Sequence[str], profiles: Sequence[Profile]
) -> Callable[[Sequence[str]], str] | None:
    """What reads a line's order below this header, None for another line."""
    names = [normal_name(cell) for cell in header]
    if (profile := profile_of(header, profiles)) and profile.shown(
        ORDER
    ) in profile.named(header):
        at = profile.named(header).index(profile.shown(ORDER))
        return lambda cells: (
            profile.ref_of(cells[at].strip(BLANKS)) if at < len(cells) else ""
        )
    if ORDER in names:
        at = names.index(ORDER)
        return lambda cells: (
            cells[at].strip(BLANKS + "\u200b\ufeff") if at < len(cells) else ""
        )
    return None


def _is_open_ended(
    lines: Sequence[str], delimiter: str, quoting: Literal[0, 3]
) -> bool:
    """Whether a quote is never closed: the text after it parses as one cell, and has
    the rows of other orders.
    """
    try:
        for _ in csv.reader(
            iter(lines), delimiter=delimiter, quoting=quoting, strict=True
        ):
            pass
    except csv.Error as error:
        return "end of data" in str(error)
    return False
