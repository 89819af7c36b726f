"""The orders that a run is asked to buy, and their batch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.blocks.system import Secret
from prefect.runtime import flow_run

from connectors.fetched_files import FOLDER, fetch_stored, is_address, is_fetched
from connectors.request_files import read_request_file, read_request_text
from connectors.settings import SourcingSettings
from domain.orders import OrderRequest
from domain.report import check_batch_id
from domain.request_remarks import BadRequests, Remark, merged_remarks
from flows.prefect_ui.artifacts import show_faults
from flows.prefect_ui.expected_errors import run_logger
from flows.prefect_ui.parameters import SECRET, BadInput, Requests, in_words

PASTED = "pasted-lines"
FETCHED = "a fetched file"
MOST_LOGGED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBatch:
    """The orders of a file or of pasted lines, and their batch."""

    batch_id: str
    source: str
    orders: Sequence[OrderRequest]
    warnings: Sequence[Remark] = ()


async def read_shown(requests: Requests, batch: str, *, require_limit: bool) -> RequestBatch:
    """Read requests for a run, which shows every fault, and logs what was cleaned or ignored."""
    requests = await _fetched(requests)
    try:
        asked = read_requests(requests, batch, require_limit=require_limit)
    except BadRequests as error:
        await show_faults(Path(requests.file).name or PASTED, error.faults)
        raise
    for line in merged_remarks(asked.warnings)[:MOST_LOGGED]:
        run_logger().warning("Request file: %s", line)
    return asked


async def _fetched(requests: Requests) -> Requests:
    """The requests, with a local file in place of an address. Raises `UnreadableFile`, or `BadInput`."""
    address = await _secret(requests.file) if requests.file.startswith(SECRET) else requests.file
    if not is_address(address) or requests.lines.strip():
        return requests
    file = await fetch_stored(address, SourcingSettings(), run_id=flow_run.id or "")
    run_logger().info("Fetched and kept as %s", file)
    return requests.model_copy(update={"file": str(file)})


async def _secret(file: str) -> str:
    """The address in a secret block of Prefect, which neither the run nor its page shows."""
    name = file.removeprefix(SECRET)
    try:
        block: Any = await Secret.aload(name)
        address = str(block.get())
    except ValueError as error:
        raise BadInput(f"Prefect has no block Secret named {name!r}: make it under Blocks, with the address") from error
    if not is_address(address):
        raise BadInput(f"the block Secret {name!r} holds no https address")
    return address


def read_requests(requests: Requests, batch: str = "", *, require_limit: bool = False) -> RequestBatch:
    """Read the file or the pasted lines. Raises `BadInput`, `UnreadableFile`, or `BadRequests` with every fault."""
    requests.check()
    if requests.file:
        parsed = read_request_file(Path(requests.file), encoding=requests.encoding, require_limit=require_limit)
    else:
        parsed = read_request_text(requests.lines, require_limit=require_limit)
    if parsed.faults:
        raise BadRequests(parsed.faults)
    if batch:
        batch_id = in_words("Name of the batch", lambda: check_batch_id(batch))
    elif requests.file:
        batch_id = default_batch_id(Path(requests.file))
    else:
        batch_id = batch_id_of(PASTED, requests.lines.strip().encode())
    return RequestBatch(
        batch_id=batch_id, source=requests.file or PASTED, orders=parsed.orders, warnings=parsed.warnings
    )


def default_batch_id(file: Path) -> str:
    """The file's name and the start of its hash: the same file is the same batch.

    A fetched file has no name but its hash, which stays when a receiver in it is erased.
    """
    return batch_id_with(FOLDER, file.stem[:8]) if is_fetched(file) else batch_id_of(file.stem, file.read_bytes())


def batch_id_of(name: str, content: bytes) -> str:
    """A name and the start of the content's hash; a name that ends with that hash already stays as it is."""
    return batch_id_with(name, hashlib.sha256(content).hexdigest()[:8])


def batch_id_with(name: str, digest: str) -> str:
    """A batch id from a name and the start of a hash."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", name.removesuffix(f"-{digest}"))[:60].strip("-") or "batch"
    return f"{words}-{digest}"
