"""Orders that wait in a shop, as a request file in the inbox: where receivers' data
lies, and `forget` reaches it.
"""

from __future__ import annotations

import csv
import fcntl
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Literal

from connectors.durable import whole
from connectors.inbox import ASKS
from connectors.ledger.overview import not_begun_of_shop, standing_of
from connectors.ledger.plans import THE_SHOP, closed_by_shop, ended_in_shop
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.process_locks import is_free
from connectors.request_files import UnreadableFile, read_request_text
from connectors.request_files.csv_file import DELIMITERS, header_of
from connectors.shop_files import profiles_in
from connectors.shops import KINDS
from connectors.shops.protocol import WaitingLine, WaitingOrder
from domain.cells import BLANKS, csv_cell, csv_text
from domain.orders import OrderRequest, Receiver
from domain.request_files import normal_name
from domain.shop_files import Profile, profile_of
from domain.sku_book import EMPTY_BOOK
from domain.states import OrderState

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


FILE = "read-from-{}.csv"
UTF_8, AS_IT_IS = "utf-8-sig", "surrogateescape"


def unknown_orders(
    ledger: Ledger, data_dir: Path, name: str, orders: Sequence[WaitingOrder]
) -> dict[str, WaitingOrder]:
    """Those by our name that the ledger has neither whole nor in parts, and whose
    receiver is not to be forgotten.

    Also those of which nothing was begun and that the shop shows with other lines or
    another receiver by now, and those that were closed for what it showed before. An
    order that would be called as another one is left out.
    """
    profiles, found = profiles_in(data_dir), dict[str, WaitingOrder]()
    profile = _profile(name, profiles)
    for one in orders:
        ref = profile.ref_of(one.name)
        same = found.setdefault(ref, one)
        if same.name != one.name:
            found[f"{ref} of {one.name}"] = WaitingOrder(
                name=one.name, why=f"it would be called {ref}, as another is"
            )
    refs = [*found]
    forgotten, parts = ledger.forgotten.known(refs), parts_of(ledger, refs)
    known = {*standing_of(ledger, order_refs=refs), *ledger.parts.of(refs), *forgotten}
    waits, records = (
        not_begun_of_shop(ledger, name, by=THE_SHOP),
        ledger.orders(set[str]().union(*parts.values())),
    )
    for ref in known.difference(forgotten):
        here = [records[part] for part in parts[ref] if part in records]
        is_shown_again = not found[ref].why and any(map(closed_by_shop, here))
        if is_shown_again or (
            parts[ref] <= {*waits} and _differs(found[ref], here, name, profiles)
        ):
            known.remove(ref)
    return {ref: one for ref, one in found.items() if ref not in known}


def parts_of(ledger: Ledger, order_refs: Collection[str]) -> dict[str, set[str]]:
    """The names of the orders that each of these was split into, its own where it was
    not.
    """
    stands = ledger.parts.of(order_refs)
    return {ref: {*stands.get(ref, {}).values()} or {ref} for ref in order_refs}


def shown_again(
    ledger: Ledger, order_refs: Collection[str], came: datetime, left: Collection[str]
) -> dict[str, OrderRecord]:
    """Those that were closed as their shop showed them before a file came, unless it
    left them to a newer one.
    """
    wholes, known = ledger.parts.wholes(order_refs), ledger.orders(order_refs)
    closed = {
        ref: one
        for ref, one in known.items()
        if ended_in_shop(one) and one.updated_at < came
    }
    return {ref: one for ref, one in closed.items() if wholes.get(ref, ref) not in left}


def write_requests(
    data_dir: Path, inbox: Path, name: str, orders: Sequence[WaitingOrder]
) -> dict[str, str]:
    """Write orders in place of a file that was not taken yet, but for those with a
    fault, which would refuse it whole.

    Answers why each of those is left out. A run that has one of the others in hand buys
    it once: orders have names.
    """
    inbox.mkdir(parents=True, exist_ok=True)
    _drop_unfinished(inbox)
    left = left_out(data_dir, name, orders)
    rows = [line for one in orders if one.name not in left for line in one.lines]
    path = inbox / f"{ASKS if KINDS[name].asks else ''}{FILE.format(name)}"
    if not rows:
        path.unlink(missing_ok=True)
        return left
    _put(path, _csv(name, rows).encode(UTF_8))
    return left


def left_out(
    data_dir: Path, name: str, orders: Sequence[WaitingOrder]
) -> dict[str, str]:
    """Those of these orders that can't be bought as their shop shows them, and why."""
    profiles = profiles_in(data_dir)
    return {
        one.name: why
        for one in orders
        if (why := one.why or _faults(name, one, profiles))
    }


def waiting_without(
    inboxes: Sequence[Path],
    order_refs: Collection[str],
    wholes: Mapping[str, str],
    profiles: Sequence[Profile],
) -> tuple[dict[Path, str], set[str]]:
    """The untaken files that have some of these orders, each as it is without them; and
    which orders they have.
    """
    found, had = dict[Path, str](), set[str]()
    for path in sorted(
        path for inbox in inboxes for path in inbox.glob(f"*{FILE.format('*')}")
    ):
        kept, of_it = without_orders(
            path.read_text(UTF_8, AS_IT_IS), order_refs, wholes, profiles
        )
        if of_it:
            found[path] = kept
            had |= of_it
    return found, had


def rewrite(inboxes: Sequence[Path], files: Mapping[Path, str]) -> None:
    """Write files anew, or take away those without orders; and what killed runs left of
    unfinished ones.
    """
    for inbox in inboxes:
        _drop_unfinished(inbox)
    for path, text in files.items():
        if len(text.splitlines()) > 1:
            _put(path, text.encode(UTF_8, AS_IT_IS))
        else:
            path.unlink(missing_ok=True)


def _drop_unfinished(inbox: Path) -> None:
    for path in inbox.glob(f".*{FILE.format('*')}.*"):
        if is_free(
            path, fcntl.LOCK_EX
        ):  # else of a run beside this one, maybe in another container
            path.unlink(missing_ok=True)


def _put(path: Path, content: bytes) -> None:
    """Write a file whole, and lock it until it has its name."""
    with ExitStack() as held, whole(path) as unfinished:
        file = held.enter_context(unfinished.open("wb"))
        fcntl.flock(file, fcntl.LOCK_SH)
        file.write(content)
        file.flush()


def _profile(name: str, profiles: Sequence[Profile]) -> Profile:
    return next(one for one in profiles if one.header[0] == f"{name} order")


def _differs(
    order: WaitingOrder,
    parts: Sequence[OrderRecord],
    name: str,
    profiles: Sequence[Profile],
) -> bool:
    """Whether a shop shows an order with other lines or another receiver than its parts
    have.
    """
    if order.why or any(one.state is OrderState.CANCELLED for one in parts):
        return False
    try:
        now = read_request_text(
            _csv(name, order.lines), book=EMPTY_BOOK, shops=profiles
        ).orders
    except UnreadableFile:
        return True
    return _goods_and_receiver(now) != _goods_and_receiver(
        [one.request for one in parts]
    )


def _goods_and_receiver(
    requests: Sequence[OrderRequest],
) -> tuple[set[Receiver], list[tuple[str, int]]]:
    return {one.receiver for one in requests}, sorted(
        (own.sku, own.quantity) for one in requests for own in one.own_skus
    )


def _faults(name: str, order: WaitingOrder, profiles: Sequence[Profile]) -> str:
    """The columns of an order that no file may have so; words of a fault may quote a
    receiver.
    """
    try:
        parsed = read_request_text(
            _csv(name, order.lines), book=EMPTY_BOOK, shops=profiles
        )
    except UnreadableFile:
        return "it can't be read as rows of a file"
    columns = dict.fromkeys(one.column or "row" for one in parsed.faults)
    return f"it can't be bought with this {', '.join(columns)}" if columns else ""


def _csv(name: str, rows: Sequence[WaitingLine]) -> str:
    header = [f"{name} order", *[one.name for one in fields(WaitingLine)][1:]]
    return csv_text(
        [
            header,
            *([csv_cell(str(cell)) for cell in asdict(row).values()] for row in rows),
        ]
    )
