"""The watch over the SKU book, where some look-ups fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.crawl_files import Item
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import Misconfigured, Unanswered
from domain.marketplace import Marketplace
from domain.orders import Component
from domain.sku_book import BookRow
from flows.watch_book import offers_of
from tasks.fetch_offers import FetchedOffers, fetch_offers
from tests.clock import MovableClock


class Looking:
    """Resources of a run that only looks."""

    def __init__(self, folder: Path, clock: MovableClock) -> None:
        self.settings, self.clock = SourcingSettings(data_dir=folder), clock


async def test_what_fails_keeps_no_other_item_s_news(
    tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of a book's parts times out, and another marketplace is not open to the
    account.
    """

    async def fetch(
        _run: object,
        _files: object,
        items: list[Item],
        found: dict[Item, Any],
        **_: object,
    ) -> Any:
        for at, item in items:
            if at is Marketplace.ALIBABA_1688:
                raise Misconfigured("1688 is not open to this account")
            found[at, item] = (
                Unanswered("timed out") if item == "600101" else (None, [])
            )
        if items == [(Marketplace.TAOBAO, "600101")]:
            raise Unanswered("timed out")
        return FetchedOffers(items=len(items))

    monkeypatch.setattr(fetch_offers, "fn", fetch)
    wanted = [(Marketplace.TAOBAO, str(n)) for n in range(600001, 600102)]
    wanted[:0] = [(Marketplace.ALIBABA_1688, "600009")]
    wanted += [(Marketplace.POIZON, "600007")]
    rows = [
        BookRow(
            row=2,
            own_sku=f"FERN-{item}",
            country="",
            rank=1,
            marketplace=at,
            component=Component(item=item, sku="", pieces=1, max_unit_price=None),
            group="",
        )
        for at, item in wanted
    ]
    run: Any = Looking(tmp_path, clock)
    offers, troubles = await offers_of(run, rows)
    assert set(offers) == {*wanted} - {
        (Marketplace.ALIBABA_1688, "600009"),
        (Marketplace.TAOBAO, "600101"),
    }
    assert [str(one) for one in troubles] == [
        "1688 is not open to this account",
        "timed out",
    ]
