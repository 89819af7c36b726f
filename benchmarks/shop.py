"""The control side of the service, and the request file that all ways buy."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

MARKETPLACES = ("taobao", "1688", "big_major", "international", "poizon")
WALLET_FEN = 10**13
RECEIVER = {
    "receiver_name": "Jane Doe",
    "receiver_phone": "5083326888",
    "receiver_email": "jane@example.com",
    "country": "US",
    "state": "California",
    "city": "VALLEY VLG",
    "zip": "91607",
    "address": "5818 WHITSETT AVE 401",
}


def control(url: str, method: str, path: str, body: object = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(
        Request(f"{url}/{path}", content, headers, method=method), timeout=120
    ) as answer:
        return json.load(answer)


def begin(
    url: str,
    record: Path | None,
    *,
    latency_s: float,
    stragglers: tuple[float, float],
    seed: int = 7,
) -> None:
    """Empty books, a full wallet, and a new record; without a file it keeps only when
    calls were made.
    """
    control(url, "POST", "_sandbox/reset", {})
    control(url, "PUT", "_sandbox/wallet", {"balance_fen": WALLET_FEN})
    calls = {
        "file": str(record or ""),
        "latency_s": latency_s,
        "stragglers": stragglers,
        "seed": seed,
    }
    control(url, "PUT", "_bench/record", calls)


def end(url: str, at_once: int) -> dict[str, Any]:
    """The sums of the record."""
    sums: dict[str, Any] = control(url, "GET", f"_bench/record?at_once={at_once}")
    return sums


def books(url: str) -> tuple[int, int, int, int]:
    """What was bought: orders, those of them paid once, fen that left the wallet, and
    orders shipped once.
    """
    orders, paid, spent, shipped = control(url, "GET", "_bench/books")
    return orders, paid, spent, shipped


def request_file(url: str, path: Path, orders: int, *, named: str = "") -> Path:
    """So many orders of one line each, the marketplaces in turn; `named` begins their
    references.
    """
    share = -(-orders // len(MARKETPLACES))
    shelves = [
        control(url, "GET", f"_sandbox/catalogue?marketplace={name}&limit={share}")
        for name in MARKETPLACES
    ]
    if share > min(shelf["total"] for shelf in shelves):
        raise SystemExit(
            f"{orders} orders: the sandbox's shelves hold {min(shelf['total'] for shelf in shelves) * 5}"
        )
    goods = [shelf["items"] for shelf in shelves]
    rows = [
        _row(f"{named}{name}-{index:06d}", name, shelf[index])
        for index in range(share)
        for name, shelf in zip(MARKETPLACES, goods, strict=True)
    ]
    return _written(path, rows[:orders])


def _row(order_ref: str, marketplace: str, sku: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "order_ref": order_ref,
        "marketplace": marketplace,
        "item": sku["item_id"],
        "sku": sku["sku_id"],
        "quantity": sku["min_quantity"],
        "max_unit_price": sku["price_fen"] / 100,
        **RECEIVER,
        "freight": "cheapest",
        "note": "",
    }


def _written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
