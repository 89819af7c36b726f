"""1688's states of an order beyond the contract's seven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark, each

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

OF_PAID = ("paid_but_not_fund", "wait_seller_accept_order")
"""Right after a payment, then until the seller ships: by the hour of the service's
clock.
"""
OTHERS = {
    "waitbuyerreceive": (
        "waitlogisticstakein",
        "waitbuyersign",
        "signinsuccess",
        "signinfailed",
        "send_goods_but_not_fund",
    ),
    "success": ("confirm_goods_but_not_fund", "confirm_goods_and_has_subsidy"),
}
AFTER_MS = 600_000


def _answer(world: World, _path: str, _call: Call, data: Any) -> Any:
    def change(name: str, value: Any) -> Any:
        if name != "baseInfo":
            return value
        order = world.books.order("1688", value["idOfStr"])
        assert order is not None, "an answer shows orders of the books"
        return value | {
            "status": _state(
                value["status"], int(order.id), world.now() - (order.paid_at or 0)
            )
        }

    return each(data, change)


def _state(word: str, number: int, paid_for_ms: int) -> str:
    if word == "waitsellersend":
        return OF_PAID[paid_for_ms > AFTER_MS]
    others = OTHERS.get(word, (word,))
    return others[number % len(others)]


STATES_1688 = Dialect(
    name="states-1688",
    sentence=(
        "Orders of 1688 are paid_but_not_fund for ten minutes after their payment, then wait_seller_accept_order, and "
        "later in one of seven further states."
    ),
    source="1688's manual of the order list names nine states that the contract does not have.",
    mark=Mark.UPSTREAM,
    changes_answer=_answer,
)
