"""Whether an offer is on sale, as each marketplace says it; an unknown word is neither
yes nor no.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.marketplaces import international as international_reading
from connectors.marketplaces import poizon as poizon_reading
from connectors.marketplaces.alibaba_1688 import reading as alibaba_1688_reading
from connectors.marketplaces.taobao import reading as taobao_reading
from connectors.xportcn.operations import (
    alibaba_product,
    international,
    poizon,
    taobao_product,
)
from domain.marketplace import Marketplace
from domain.offers import Offer
from tests.connectors.marketplaces import test_taobao as taobao

READERS: dict[str, Callable[[str], Offer]] = {
    "published": lambda text: alibaba_1688_reading.offer(
        alibaba_product.Product.model_validate({"offerId": "1", "status": text}),
        Marketplace.ALIBABA_1688,
    ),
    "online": lambda text: international_reading.offer(
        international.Product.model_validate({"productId": "1", "status": text})
    ),
    "ON_SALE": lambda text: poizon_reading.offer(
        poizon.Product.model_validate({"dwSpuId": "1", "status": text})
    ),
    "active": lambda text: taobao_offer(text, "active"),
}


def taobao_offer(word: str, *skus: str) -> Offer:
    rows = [
        {"skuId": f"1{no}", "mpSkuId": "8", "price": 1000, "status": sku}
        for no, sku in enumerate(skus)
    ]
    return taobao_reading.offer(
        taobao_product.Product.model_validate(
            taobao.product(status=word, skuList=rows)
        ),
        None,
    )


@pytest.mark.parametrize("on_sale", READERS)
def test_words_for_on_and_off_sale_are_known_and_others_are_told(on_sale: str) -> None:
    offers = {
        text: READERS[on_sale](text)
        for text in (on_sale, "offline", "OFF_SALE", "warming_up", "")
    }
    assert {
        text: (offer.active, offer.unknown_state) for text, offer in offers.items()
    } == {
        on_sale: (True, ""),
        "offline": (False, ""),
        "OFF_SALE": (False, ""),
        "warming_up": (False, "warming_up"),
        "": (False, "none told"),
    }


@pytest.mark.parametrize(
    ("skus", "unknown"),
    [
        (("offline", "paused"), "paused"),
        (("offline",), ""),
        (("active", "offline"), ""),
    ],
)
def test_a_variant_s_unknown_word_is_told(skus: tuple[str, ...], unknown: str) -> None:
    assert taobao_offer("active", *skus).unknown_state == unknown
    assert taobao_offer("offline", *skus).unknown_state == ""
