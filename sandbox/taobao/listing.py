"""Filters and sorting of Taobao's order pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.lifecycle import modified_at
from sandbox.refusals import bad_request
from sandbox.taobao.views import status
from sandbox.world import World

SORT_FIELDS = ("create_time", "createTime", "createdTime", "modify_time", "modifyTime")


def select_orders(world: World, asked: Fields) -> Sequence[Order]:
    """The orders that pass every filter, newest first unless sorted. Ids and references
    are looked up, never searched for; without a filter nothing is scanned.
    """
    candidates = _candidates(world, asked)
    tests = _tests(asked, world.now())
    chosen = (
        [order for order in candidates if all(test(order) for test in tests)]
        if tests
        else candidates
    )
    return _ordered(chosen, asked, world.now())


def _candidates(world: World, asked: Fields) -> Sequence[Order]:
    """Oldest first."""
    start, end = (
        asked.optional_whole("createTimeStart"),
        asked.optional_whole("createTimeEnd"),
    )
    ids = asked.identifiers("purchaseIds") if asked.raw.get("purchaseIds") else []
    outer_id = asked.optional_text("outerPurchaseId")
    if not ids and not outer_id:
        return world.books.created_between("taobao", start, end)
    found = _with_ids(world, ids) if ids else world.books.referenced("taobao", outer_id)
    return [
        order
        for order in found
        if (not outer_id or order.reference == outer_id)
        and (start is None or order.created_at >= start)
        and (end is None or order.created_at <= end)
    ]


def _with_ids(world: World, ids: Sequence[str]) -> list[Order]:
    found = [
        order
        for order_id in dict.fromkeys(ids)
        if (order := world.books.order("taobao", order_id))
    ]
    return sorted(found, key=lambda order: order.sequence)


def _tests(asked: Fields, now: int) -> list[Callable[[Order], bool]]:
    wanted = asked.raw.get("status")
    start, end = (
        asked.optional_whole("modifyTimeStart"),
        asked.optional_whole("modifyTimeEnd"),
    )
    tests: list[Callable[[Order], bool]] = []
    if wanted is not None:
        code = asked.whole("status", minimum=-100)
        tests.append(lambda order: status(order, now) == code)
    if start is not None:
        tests.append(lambda order: modified_at(order, now) >= start)
    if end is not None:
        tests.append(lambda order: modified_at(order, now) <= end)
    return tests


def _ordered(orders: Sequence[Order], asked: Fields, now: int) -> Sequence[Order]:
    field, kind = (
        asked.optional_text("sortField"),
        asked.optional_text("sortType", "DESC").upper(),
    )
    if field and field not in SORT_FIELDS:
        raise bad_request("sortField", f"must be one of {', '.join(SORT_FIELDS)}")
    if kind not in ("ASC", "DESC"):
        raise bad_request("sortType", "must be ASC or DESC")
    if field.startswith("modify"):
        return sorted(
            orders,
            key=lambda order: (modified_at(order, now), order.sequence),
            reverse=kind == "DESC",
        )
    return orders[::-1] if kind == "DESC" else orders
