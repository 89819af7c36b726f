"""Basics: the account's warehouse addresses (nav 75-76)."""

from __future__ import annotations

from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Operation

_GROUP = "Basics"
ADDRESSES = Operation(75, _GROUP, "Get user address information", "GET", "/open/address/get", ASSUMED)
ADDRESS_UPSERT = Operation(
    76, _GROUP, "Address added and updated", "POST", "/open/address/addOrUpdate", SIBLING, effect=True
)
