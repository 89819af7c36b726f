"""Calls by operation and plain fields, so that samples are written in the contract's
words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.operations.operation import (
    Call,
    EffectCall,
    Operation,
    ReadCall,
)
from tests.connectors.xportcn.orders import claim
from tests.connectors.xportcn.sandbox_process import Sandbox

PAGING = {"pageNo": 1, "pageSize": 10}


class Shop:
    """The connector's client and the sandbox behind it; `price` and so on of rows as in
    the sandbox's catalogue.
    """

    def __init__(self, client: XportcnClient, sandbox: Sandbox) -> None:
        self._client = client
        self.sandbox = sandbox
        self._references = count(1)

    def reference(self) -> str:
        """A new name for an order: where it is an idempotency key, the same again would
        be the same order.
        """
        return f"R-{next(self._references)}"

    async def call(self, call: Operation, fields: dict[str, Any]) -> Any:
        assert isinstance(call, Call)
        request = call.request.model_validate(fields)
        if isinstance(call, EffectCall):
            return await self._client.effect(call, request, claim=claim(call.action))
        assert isinstance(call, ReadCall)
        return await self._client.read(call, request)

    def rows(self, marketplace: str) -> list[dict[str, Any]]:
        """What can be bought, one SKU an item, all in the sellers' first depots."""
        findings: dict[str, dict[str, Any]] = {}
        for row in self.sandbox.rows(marketplace):
            if row["stock"] >= 2 * row["min_quantity"] and "二仓" not in row["title"]:
                findings.setdefault(row["item_id"], row)
        return list(findings.values())

    def row(self, marketplace: str) -> dict[str, Any]:
        return min(
            self.rows(marketplace),
            key=lambda row: row["price_fen"] * row["min_quantity"],
        )


Sample = Callable[[Shop], Awaitable[dict[str, Any]]]
