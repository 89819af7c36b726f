"""The account's own things: the warehouse addresses that domestic parcels go to."""

from __future__ import annotations

from typing import Any

from sandbox.operations import Call, Envelope, Operations
from sandbox.world import World

operations = Operations()
bare_operations = Operations(Envelope.BARE)

ADDRESS_FIELDS = ("name", "province", "city", "district", "address", "phone")


@operations.get("/open/address/get")
def warehouse_addresses(world: World, call: Call) -> list[dict[str, Any]]:
    return world.addresses.every()


@bare_operations.post("/open/address/addOrUpdate", effect=True)
def add_or_update(world: World, call: Call) -> None:
    """Replace an address, or add one: without an id a repeat makes another."""
    fields = {name: call.body.text(name) for name in ADDRESS_FIELDS}
    if call.body.has("id"):
        known = world.addresses.named(str(call.body.whole("id")))
        world.addresses.replace(known, fields)
    else:
        world.addresses.add(fields)
