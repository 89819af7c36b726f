"""Goods of 1688's big sellers: a catalogue of their own, with 1688's requests and
answers.
"""

from __future__ import annotations

from typing import Any

from sandbox.alibaba_1688.products import found_offers, offer_details
from sandbox.operations import Call, Operations
from sandbox.world import World

operations = Operations()


@operations.post("/alibaba/ka/product/keywords/query")
def keyword_query(world: World, call: Call) -> dict[str, Any]:
    return found_offers(world, call.body, "big_major")


@operations.post("/alibaba/ka/product/detail/get")
def product_details(world: World, call: Call) -> dict[str, Any]:
    return offer_details(world, call.body, "big_major")
