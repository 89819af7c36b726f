"""Offerings of fakes, for tests whose marketplace is not a service."""

from __future__ import annotations

from typing import Any, cast

from connectors.xportcn.offering import Offering


def fake_offering(channel: object = None, *, cart: object = None, after_sale: object = None) -> Offering:
    """An offering of which only what the test needs is there."""
    return Offering(*cast(Any, (channel, None, cart, after_sale)))
