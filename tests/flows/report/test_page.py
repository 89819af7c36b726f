"""The page of a report: one file without network, whatever words stand in it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from domain.report import BatchReport, ReportLine
from domain.states import OrderState
from flows.report.page import page
from flows.report.sections import describe
from tests.flows.prefect_ui.test_goods import order as planned

XSS = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&$title"
BOUGHT = ReportLine(
    order_ref="P-1",
    marketplace="taobao",
    state=OrderState.BOOKED,
    reason="",
    paid_fen=1000,
    tracking_numbers=["SF1"],
    freight_minor=250,
    freight_currency="USD",
)
HELD = replace(
    BOUGHT,
    order_ref="B",
    marketplace="1688",
    state=OrderState.HELD,
    reason=XSS,
    paid_fen=None,
    tracking_numbers=[],
    freight_minor=None,
)
REPORT = BatchReport(
    batch_id="b",
    orders=[BOUGHT, HELD],
    spent_this_run_fen=0,
    bought_this_run=0,
    snapshot_id=None,
    snapshot_root="",
    plans=[planned(f"帆布 {XSS}")],
)


class Parsed(HTMLParser):
    """The elements of a page, and the text between them."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def content() -> str:
    return page("Batch b", "as of now", describe(REPORT))


def test_words_of_others_stay_words(content: str) -> None:
    """Titles and reasons are shown as they are written, and nothing of them becomes an
    element.
    """
    parsed = Parsed(content)
    assert parsed.text.count(XSS) == 2
    assert {"script", "img", "iframe", "object", "link"}.isdisjoint(
        tag for tag, _ in parsed.elements
    )
    links = [inputs["href"] for tag, inputs in parsed.elements if tag == "a"]
    assert links == [
        "https://item.taobao.com/item.htm?id=672991141190",
        "https://t.17track.net/en#nums=SF1",
    ]
    assert not [
        name
        for _, attributes in parsed.elements
        for name in attributes
        if name.startswith("on")
    ]


def test_the_page_asks_nothing_of_the_network(content: str) -> None:
    """It has no address in it but of links, and forbids itself the rest."""
    assert re.findall(r'(?<!<a href=")https?:', content) == []
    assert "default-src 'none'; style-src 'unsafe-inline'" in content


def test_every_plot_says_what_it_shows_and_the_table_says_the_same(
    content: str,
) -> None:
    """A plot is an image with a label, and has no size of its own."""
    parsed = Parsed(content)
    plots = [attributes for tag, attributes in parsed.elements if tag == "svg"]
    labels = [plot["aria-label"] for plot in plots]
    assert labels == ["Orders", "Paid", "Freight, USD"] * 2
    assert all(plot["role"] == "img" and "width" not in plot for plot in plots)
    widths = re.findall(r'<rect [^>]*width="([0-9.]+)"', content)
    assert widths[:4] == ["120.0", "120.0", "120.0", "0.0"]
    variables = set(re.findall(r"var\((--[a-z0-9-]+)\)", content))
    assert variables <= set(re.findall(r" (--[a-z0-9-]+):", content))


def test_many_orders_make_no_large_page() -> None:
    """Fifty reasons and two hundred orders are shown, with what shows the rest."""
    lines = [
        replace(HELD, order_ref=f"A{n:05}", reason=f"reason {n} " + "长" * 300)
        for n in range(3000)
    ]
    report = replace(REPORT, orders=lines, plans=[])
    content = page("Batch b", "as of now", describe(report))
    text = Parsed(content).text
    assert "And 2,950 further reasons: sourcing todo" in text
    assert "And 2,800 more: sourcing sql, table orders" in text
    assert len(content.encode()) < 500_000
