"""The orders that a run is asked to buy, and their batch."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from prefect.blocks.system import Secret
from prefect.runtime import flow_run

from connectors.book_file import book_text, missing_file, reading_by
from connectors.durable import put
from connectors.fetched_files import (
    FOLDER,
    fetch_anew,
    fetch_stored,
    is_address,
    is_fetched,
)
from connectors.foreign import words_of
from connectors.ledger.store import Ledger
from connectors.request_files import (
    Reading,
    UnreadableFile,
    read_request_file,
    read_request_text,
)
from connectors.settings import SourcingSettings
from domain.orders import OrderRequest
from domain.report import BatchReport, check_batch_id
from domain.request_remarks import BadInput, BadRequests, Fault, Remark, merged_remarks
from domain.sku_book import by_seller, parts_of
from domain.wording import pluralize
from flows.prefect_ui.artifacts import show_faults
from flows.prefect_ui.expected_errors import run_logger
from flows.prefect_ui.parameters import SECRET, Requests, in_words

PASTED = "pasted-lines"
FETCHED = "a fetched file"
MOST_LOGGED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBatch:
    """The orders of a file or of pasted lines, its contents, and their batch."""

    batch_id: str
    source: str
    orders: Sequence[OrderRequest]
    content: bytes
    suffix: str = ".csv"
    warnings: Sequence[Remark] = ()


async def read_shown(
    requests: Requests, batch: str, settings: SourcingSettings
) -> RequestBatch:
    """Read requests for a run, which shows every fault, and logs what was cleaned or
    ignored.
    """
    requests = await _fetched(requests)
    reading = await reading_by(settings)
    try:
        request_batch = read_requests(requests, batch, **reading)
    except (BadRequests, UnreadableFile) as error:
        fetch_anew(settings, flow_run.id or "")
        if isinstance(error, BadRequests):
            await show_faults(Path(requests.file).name or PASTED, error.faults)
        raise
    for line in merged_remarks(request_batch.warnings)[:MOST_LOGGED]:
        run_logger().warning("Request file: %s", line)
    return request_batch


async def _fetched(requests: Requests) -> Requests:
    """The requests, with a local file in place of an address. Raises `UnreadableFile`,
    or `BadInput`.
    """
    address = (
        await _secret(requests.file)
        if requests.file.startswith(SECRET)
        else requests.file
    )
    if not is_address(address) or requests.lines.strip():
        return requests
    file = await fetch_stored(address, SourcingSettings(), run_id=flow_run.id or "")
    run_logger().info("Fetched and kept as %s", file)
    return requests.model_copy(update={"file": str(file)})


async def _secret(file: str) -> str:
    """The address in a secret block of Prefect, which neither the run nor its page
    shows.
    """
    name = file.removeprefix(SECRET)
    try:
        block: Any = await Secret.aload(name)
        address = str(block.get())
    except ValueError as error:
        raise BadInput(
            f"Prefect has no block Secret named {name!r}: make it under Blocks, with the address"
        ) from error
    if not is_address(address):
        raise BadInput(f"the block Secret {name!r} holds no https address")
    return address


def read_requests(
    requests: Requests, batch: str = "", **reading: Unpack[Reading]
) -> RequestBatch:
    """Read the file or the pasted lines. Raises `BadInput`, `UnreadableFile`, or
    `BadRequests` with every fault.
    """
    requests.check()
    file = Path(requests.file) if requests.file else None
    if file:
        content = b""
        with suppress(OSError):  # the reader says so
            content = file.read_bytes()
        parsed = read_request_file(file, encoding=requests.encoding, **reading)
        if file.read_bytes() != content:
            raise BadInput(f"{file} is being written to: run it once it is whole")
    else:
        content = requests.lines.lstrip("\r\n").encode(errors="surrogatepass")
        parsed = read_request_text(requests.lines, **reading)
    if parsed.faults:
        raise BadRequests(parsed.faults)
    if batch:
        batch_id = in_words("Name of the batch", lambda: check_batch_id(batch))
    elif file:
        batch_id = default_batch_id(file)
    else:
        batch_id = batch_id_of(PASTED, requests.lines.strip().encode())
    return RequestBatch(
        batch_id=batch_id,
        source=requests.file or PASTED,
        orders=parsed.orders,
        content=content,
        suffix=file.suffix.lower() if file else ".csv",
        warnings=parsed.warnings,
    )


def orders_to_buy(
    ledger: Ledger, requests: Sequence[OrderRequest], *, dry_run: bool
) -> Sequence[OrderRequest]:
    """The requests, those with own SKUs split into an order a seller, as the ledger has
    it where it was done before.

    Raises `BadRequests` where an order would get another's name, or one too long.
    """
    own = {request.order_ref: request for request in requests if request.own_skus}
    stands = ledger.parts.of(own) if own else {}
    orders = _split(ledger, requests, stands)
    new = {
        ref
        for ref, request in own.items()
        if ref not in stands and not request.lacks_an_entry
    }
    if dry_run or not new:
        return orders
    stored_parts = ledger.parts.keep(
        {ref: parts_of(by_seller(own[ref], {})) for ref in new}
    )
    return _split(ledger, requests, stands | stored_parts)


def _split(
    ledger: Ledger,
    requests: Sequence[OrderRequest],
    stands: Mapping[str, Mapping[str, str]],
) -> Sequence[OrderRequest]:
    changed = [
        split
        for request in requests
        if (split := stands.get(request.order_ref))
        and {*parts_of([request])} - {*split}
    ]
    begun_refs = ledger.parts.begun(
        {ref for split in changed for ref in split.values()}
    )
    orders = [
        order_request
        for request in requests
        for order_request in by_seller(
            request, stands.get(request.order_ref, {}), begun_refs
        )
    ]
    counts = Counter(order.order_ref for order in orders)
    if faults := [
        Fault(
            order.lines[0].row,
            "order_ref",
            f"its part would be called {ref!r}: {NO_NAME}",
        )
        for order in orders
        if counts[ref := order.order_ref] > 1 or len(ref) > LONGEST_REF
    ]:
        fetch_anew(SourcingSettings(), flow_run.id or "")
        raise BadRequests(faults)
    return orders


def note_missing(report: BatchReport, data_dir: Path) -> None:
    """Write the rows that the SKU book lacks into a file to be filled in; where it
    lacks none the file goes.
    """
    file = missing_file(data_dir, report.batch_id)
    rows = report.missing_entries
    try:
        put(file, book_text(rows)) if rows else file.unlink(missing_ok=True)
    except OSError as error:  # the run has bought by now, and its report has them too
        run_logger().warning(
            "%s, what the SKU book lacks, can't be kept: %s", file, words_of(error)
        )
        return
    if rows:
        run_logger().warning(
            "The SKU book lacks %s: fill in %s", pluralize(len(rows), "own SKU"), file
        )


NO_NAME = "another order has that name, or it is too long; change the order_ref, or the group in the SKU book"
LONGEST_REF = 64


def default_batch_id(file: Path) -> str:
    """The file's name and the start of its hash: the same file is the same batch.

    A fetched file has no name but its hash, which stays when a receiver in it is
    erased.
    """
    return (
        batch_id_with(FOLDER, file.stem[:8])
        if is_fetched(file)
        else batch_id_of(file.stem, file.read_bytes())
    )


def batch_id_of(name: str, content: bytes) -> str:
    """A name and the start of the content's hash; a name that ends with that hash
    already stays as it is.
    """
    return batch_id_with(name, hashlib.sha256(content).hexdigest()[:8])


def batch_id_with(name: str, digest: str) -> str:
    """A batch id from a name and the start of a hash."""
    message = (
        re.sub(r"[^A-Za-z0-9]+", "-", name.removesuffix(f"-{digest}"))[:60].strip("-")
        or "batch"
    )
    return f"{message}-{digest}"
