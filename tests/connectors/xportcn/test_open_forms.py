"""What the contract leaves open, and no call shows for certain: a setting says it, or
nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.marketplaces import freight
from connectors.marketplaces.taobao.channel import TaobaoChannel
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import NEVER_S, NotSent, SettingUnset
from connectors.xportcn.operations import taobao_product
from connectors.xportcn.settings import SANDBOX_URL, XportcnSettings
from domain.effects import Action
from domain.money import Money
from domain.offers import FreightQuote, FreightService
from domain.reasons import ReasonCode
from domain.states import OrderState
from tasks.engine.gathering import not_read
from tests.connectors.xportcn.fake_service import FakeService, ok
from tests.connectors.xportcn.orders import WAREHOUSE, claim, client_of, line, order

REAL = "https://service.example/api"
OPEN: list[Callable[[XportcnSettings], str]] = [
    lambda settings: settings.ids_of_freight,
    lambda settings: settings.receiver_of_taobao,
]
FORMS = [
    ("freight_ids", "shop", "distribution"),
    ("taobao_receiver", "abroad", "warehouse"),
]


@pytest.mark.parametrize(("form_of", "names"), [*zip(OPEN, FORMS, strict=True)])
def test_a_form_is_set_or_nothing_is_sent(
    form_of: Callable[[XportcnSettings], str], names: tuple[str, str, str]
) -> None:
    """At a sandbox alone the contract's form is taken for granted."""
    name, contracts, second = names
    real = XportcnSettings(base_url=REAL)
    assert form_of(XportcnSettings(base_url=SANDBOX_URL)) == contracts
    for form in (contracts, second):
        assert form_of(real.model_copy(update={name: form})) == form
    with pytest.raises(SettingUnset) as unset:
        form_of(real)
    assert isinstance(unset.value, NotSent)
    assert unset.value.retry_after_s == NEVER_S
    verdict = not_read("could not be previewed", unset.value)
    assert (verdict.state, verdict.is_postponed) == (OrderState.HELD, False)
    assert verdict.why is not None
    assert verdict.why.code is ReasonCode.SETTING_UNSET
    assert f"set XPORTCN_{name.upper()} to {contracts} or {second}" in str(verdict.why)


@pytest.fixture
def unset(client: XportcnClient) -> XportcnClient:
    """A client whose service is answered as the real one: no form is set."""
    client.settings = client.settings.model_copy(update={"base_url": REAL})
    return client


async def test_no_estimate_preview_or_booking_leaves_while_a_form_is_open(
    service: FakeService, unset: XportcnClient
) -> None:
    """Of Taobao's goods: those of other marketplaces have one sort of ids."""
    quote = FreightQuote(render_id="7", services=())
    chosen = FreightService(
        service_id="1",
        company="UPS",
        category="express",
        price=Money(1),
        min_days=1,
        max_days=2,
    )
    channel = TaobaoChannel(unset)
    sourcing_order = order(line())
    for calls in (
        freight.estimate(unset, sourcing_order),
        freight.render(unset, sourcing_order),
        freight.book(unset, claim(Action.BOOK), sourcing_order, "9", quote, chosen),
        channel.quote(sourcing_order, WAREHOUSE),
        channel.create(
            claim(Action.CREATE), sourcing_order, WAREHOUSE, approved=Money(1)
        ),
    ):
        with pytest.raises(SettingUnset):
            await calls
    assert service.asked == []


@pytest.mark.parametrize(("first_page", "asked"), [(1, [1, 2]), (0, [0, 1])])
async def test_pages_are_counted_as_the_setting_says(
    service: FakeService, first_page: int, asked: list[int]
) -> None:
    service.answers("/open/product/search", lambda: ok({"data": []}))
    async with client_of(service.url, first_page=first_page) as client:
        for page in (1, 2):
            request = taobao_product.SearchRequest(
                keyword="杯", page_no=page, page_size=9
            )
            await client.read(taobao_product.SEARCH, request)
    assert [call.body["pageNo"] for call in service.asked] == asked
