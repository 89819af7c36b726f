"""Reads the lines of a preview or create of a big seller's goods, in the order of the
contract's checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.alibaba_1688.cargo import MAX_SKUS, Cargo, check_address, read_cargo
from sandbox.fields import Fields
from sandbox.quotes import Line
from sandbox.refusals import bad_request
from sandbox.world import World

FLOW = "fenxiaonew"


@dataclass(frozen=True, slots=True)
class AskedOrder:
    """`lines` are offer, spec and quantity as asked; `cargo` adds item and price."""

    lines: list[Line]
    cargo: list[Cargo]
    address: dict[str, Any]


def read_asked(world: World, body: Fields) -> AskedOrder:
    """Shape first, then the address, then whether the offers exist."""
    if body.text("flow") != FLOW:
        raise bad_request("flow", f"must be {FLOW}")
    address, lines = body.object("addressParam"), _read_lines(body)
    check_address(address)
    return AskedOrder(lines, read_cargo(world, body, "big_major"), dict(address.raw))


def _read_lines(body: Fields) -> list[Line]:
    entries = body.objects("cargoParamList")
    if len(entries) > MAX_SKUS:
        raise bad_request("cargoParamList", f"at most {MAX_SKUS} SKUs")
    return [
        (entry.identifier("offerId"), entry.text("specId"), entry.quantity())
        for entry in entries
    ]
