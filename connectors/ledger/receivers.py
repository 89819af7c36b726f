"""Names, phones, e-mails and streets of receivers: one row an order in `receivers`, and nothing of it in `orders`.

A request without its row can't be read, not by an earlier program either: nothing is ordered without a receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection, Executable

from connectors.ledger.codec import DECODED_AT_ONCE, from_json
from connectors.ledger.schema import receivers
from domain.orders import CONTACT, OrderRequest


def divided(request: Mapping[str, Any]) -> tuple[Any, Any]:
    """A request as `orders` has it, and what `receivers` has of it."""
    receiver = request.get("receiver") or {}
    contact = {part: receiver[part] for part in CONTACT if part in receiver}
    others = {part: text for part, text in receiver.items() if part not in CONTACT}
    return {**request, "receiver": others} if contact else request, contact


@lru_cache(maxsize=DECODED_AT_ONCE)
def request_of(stored: str, contact: str | None) -> OrderRequest:
    """The whole request. Parts in `orders` outrank the row: an earlier program wrote them, or they were erased.

    Results are cached: orders are read often, domain objects are frozen.
    """
    request = orjson.loads(stored)
    request["receiver"] = orjson.loads(contact or "{}") | request["receiver"]
    return from_json(OrderRequest, request)


def put_receivers(
    insert: Callable[..., Any], connection: Connection, contact: Mapping[str, Any], refs: Iterable[str]
) -> None:
    """Write the rows of these orders over earlier ones."""
    rows = [{"order_ref": ref, "receiver": contact[ref]} for ref in refs if contact[ref]]
    if rows:
        connection.execute(_writing(insert), rows)


@cache
def _writing(insert_into: Callable[..., Any]) -> Executable:
    insert = insert_into(receivers)
    statement: Executable = insert.on_conflict_do_update(
        index_elements=["order_ref"], set_={"receiver": insert.excluded.receiver}
    )
    return statement
