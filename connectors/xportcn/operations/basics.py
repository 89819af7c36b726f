"""Basics: the account's warehouse addresses (nav 75-76)."""

from __future__ import annotations

from functools import partial

from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Operation

_entry = partial(Operation, "Basics")
ADDRESSES = _entry(75, "Get user address information", "GET", "/open/address/get", ASSUMED)
ADDRESS_UPSERT = _entry(76, "Address added and updated", "POST", "/open/address/addOrUpdate", SIBLING, effect=True)
