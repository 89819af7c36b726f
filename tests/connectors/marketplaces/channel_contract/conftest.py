"""The shop: each test of the suite runs in all five."""

from __future__ import annotations

import pytest
import pytest_asyncio

from connectors.marketplaces import freight, offering_of
from connectors.xportcn.client import XportcnClient
from domain.marketplace import Marketplace
from tests.connectors.marketplaces.channel_contract.shop import Shop, shelf
from tests.connectors.xportcn.sandbox_process import Sandbox


@pytest_asyncio.fixture(params=list(Marketplace))
async def shop(
    request: pytest.FixtureRequest, sandbox: Sandbox, live: XportcnClient
) -> Shop:
    marketplace: Marketplace = request.param
    warehouse = freight.warehouse_of(await freight.addresses_of(live))
    offering = offering_of(marketplace, live)
    return Shop(
        sandbox,
        live,
        offering.channel,
        offering.browser,
        warehouse,
        shelf(sandbox.url, marketplace),
    )
