"""A running sandbox and the `sourcing` command, as a test uses them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

from typer.testing import CliRunner, Result

from cli.main import app

ROOT = Path(__file__).parent.parent
PATIENCE_S = 600
"""So long a test waits for what must come; a busy machine takes ten times as long as a
quiet one.
"""
COLUMNS = [
    *["order_ref", "marketplace", "item", "sku", "quantity", "max_unit_price"],
    *[
        "receiver_name",
        "receiver_phone",
        "receiver_email",
        "country",
        "state",
        "city",
        "zip",
        "address",
    ],
    *["freight", "note"],
]
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


@dataclass(frozen=True)
class RunningSandbox:
    """The control side of a sandbox."""

    url: str

    def control(self, method: str, path: str, body: object = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(
            f"{self.url}/_sandbox/{path}", content, headers, method=method
        )
        with urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def reset(self, *, keep_ids: bool = False) -> None:
        self.control("POST", "reset", {"keep_ids": keep_ids})

    def books(self) -> dict[str, Any]:
        books: dict[str, Any] = self.control("GET", "books")
        return books

    def advance(self, seconds: float) -> None:
        self.control("POST", "clock", {"advance_s": seconds})

    def faults(self, *rules: Mapping[str, object], seed: int = 1) -> None:
        self.control("PUT", "faults", {"seed": seed, "rules": list(rules)})

    def catalogue(
        self, marketplace: str, limit: int, offset: int = 0
    ) -> list[dict[str, Any]]:
        query = f"catalogue?marketplace={marketplace}&limit={limit}&offset={offset}"
        items: list[dict[str, Any]] = self.control("GET", query)["items"]
        return items


@contextmanager
def own_sandbox() -> Iterator[RunningSandbox]:
    """A sandbox in memory, in a process of its own, that posts no messages."""
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        text = process.stdout.readline().split()
        try:
            yield RunningSandbox(text[text.index("on") + 1])
        finally:
            process.terminate()


@dataclass(frozen=True)
class Merchant:
    """Somebody with a data folder who runs `sourcing` against a sandbox."""

    sandbox: RunningSandbox
    folder: Path
    settings: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The merchant's settings and nobody else's."""
        neighbours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("XPORTCN_", "SOURCING_"))
        }
        own = {
            "XPORTCN_BASE_URL": self.sandbox.url,
            "SOURCING_DATA_DIR": str(self.folder / "data"),
            "COLUMNS": "200",
        }
        return {**neighbours, **own, **self.settings}

    def start(self, *arguments: str | Path, **settings: str) -> subprocess.Popen[str]:
        """Start a command as a process of its own; its output is kept."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *map(str, arguments)],
            cwd=ROOT,
            env={**self.environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sourcing(self, *arguments: str | Path, **settings: str) -> Result:
        """Run a command to its end, in this process; what it leaves in context
        variables ends with it.
        """
        with patch.dict(os.environ, {**self.environment, **settings}, clear=True):
            text = [str(argument) for argument in arguments]
            return copy_context().run(CliRunner().invoke, app, text)

    def report(self, *arguments: str | Path, **settings: str) -> Any:
        """Run a command with `--json` and read what it prints."""
        done = self.sourcing(*arguments, "--json", **settings)
        assert done.stdout, (done.stderr, done.exception)
        return json.loads(done.stdout)


def single_line_orders(
    sandbox: RunningSandbox, counts: Mapping[str, int]
) -> list[dict[str, object]]:
    """One order for each of the first SKUs of each marketplace, at its minimum quantity
    and its price.
    """
    return [
        {
            **RECEIVER,
            "order_ref": f"{marketplace}-{index:03d}",
            "marketplace": marketplace,
            "item": sku["item_id"],
            "sku": sku["sku_id"],
            "quantity": sku["min_quantity"],
            "max_unit_price": sku["price_fen"] / 100,
            "freight": "cheapest",
            "note": "",
        }
        for marketplace, count in counts.items()
        for index, sku in enumerate(sandbox.catalogue(marketplace, count))
    ]


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A request file with all columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def assert_books_are_exact(books: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Every booked order is in the books once, paid once for that amount and shipped
    once; nothing is there twice.
    """
    booked = {
        order["order_ref"]: order
        for order in report["orders"]
        if order["state"] == "booked"
    }
    assert {order["reference"] for order in books["orders"]} >= set(booked)
    assert max(Counter(order["reference"] for order in books["orders"]).values()) == 1
    assert (
        max(
            Counter(
                shipment["tmall_order_id"] for shipment in books["shipments"]
            ).values()
        )
        == 1
    )
    assert all(order["paid_times"] <= 1 for order in books["orders"])
    by_reference = {order["reference"]: order for order in books["orders"]}
    for reference, order in booked.items():
        assert by_reference[reference]["paid_fen"] == order["paid_fen"]
        assert by_reference[reference]["order_id"] == order["order_id"]
    shipped = {
        shipment["tmall_order_id"]: shipment["tracking_numbers"]
        for shipment in books["shipments"]
    }
    for order in booked.values():
        assert shipped[order["order_id"]] == order["tracking_numbers"]
    wallet = books["wallet"]
    assert wallet["opening_fen"] - wallet["balance_fen"] == sum(
        payment["amount_fen"] for payment in books["payments"]
    )
