"""The account at the sandbox: what is refused, and what freight it is offered. The
suite is in `channel_contract`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.marketplaces import freight, offering_of
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Misconfigured, Refused
from domain.marketplace import Marketplace
from tests.connectors.xportcn.orders import RECEIVER, client_of, line, order, settings
from tests.connectors.xportcn.sandbox_process import Sandbox


@pytest.mark.parametrize("marketplace", list(Marketplace))
async def test_every_marketplace_has_its_channel(
    live: XportcnClient, marketplace: Marketplace
) -> None:
    """The channel says itself which marketplace it is for."""
    assert offering_of(marketplace, live).channel.marketplace is marketplace


async def test_nobody_ships_everywhere(live: XportcnClient, sandbox: Sandbox) -> None:
    """A country without a service is refused by its code."""
    row = sandbox.rows(Marketplace.TAOBAO)[0]
    sourcing_order = order(line(item_id=row["item_id"], sku_id=row["sku_id"]))
    abroad = replace(
        sourcing_order,
        request=replace(
            sourcing_order.request, receiver=replace(RECEIVER, country="AQ")
        ),
    )
    with pytest.raises(Refused) as caught:
        await freight.render(live, abroad)
    assert caught.value.code == "42001"


WRONG: list[tuple[dict[str, Any], Callable[[], float] | None, str]] = [
    ({"access_key": "wrong"}, None, "XPORTCN_ACCESS_KEY"),
    ({"access_secret": SecretStr("wrong")}, None, "XPORTCN_ACCESS_SECRET"),
    ({"user_id": "2100007300009"}, None, "XPORTCN_USER_ID"),
    ({"logistics_sign": "none"}, None, "XPORTCN_LOGISTICS_SIGN"),
    (
        {},
        lambda: datetime.now(UTC).timestamp() + 3600,
        "clock is 36[0-9]{2} seconds ahead of",
    ),
]


@pytest.mark.parametrize(("changes", "clock", "remedy"), WRONG)
async def test_a_wrong_account_is_told_with_its_remedy(
    sandbox: Sandbox,
    changes: dict[str, Any],
    clock: Callable[[], float] | None,
    remedy: str,
) -> None:
    """Each part of the account and the clock, as the service itself refuses them."""
    extra: dict[str, Any] = {"clock": clock} if clock else {}
    async with XportcnClient(settings(sandbox.url, **changes), **extra) as client:
        with pytest.raises(Misconfigured, match=remedy):
            await freight.estimate(client, order())


@pytest.mark.parametrize("unit", ["s", "ms"])
async def test_both_time_stamp_units_are_taken(sandbox: Sandbox, unit: str) -> None:
    """The service reads ten digits as seconds and thirteen as milliseconds."""
    async with client_of(sandbox.url, timestamp_unit=unit) as client:
        assert freight.warehouse_of(await freight.addresses_of(client)).phone
