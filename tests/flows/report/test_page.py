"""The page of a report: one file without network, whatever words stand in it, that says
all figures in tables too.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from flows.report.figures import Figures
from flows.report.page import page, write_page
from flows.report.sections import sections, took, totals
from tests.flows.report.test_report_figures import hours, order, told

XSS = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&$title"
DAY = datetime(2026, 11, 2, 20, tzinfo=UTC)


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
def busy() -> Figures:
    """Two currencies, two days, an order that waits, and words of others that mean
    harm.
    """
    bought = {
        "created_at": DAY,
        "paid_at": hours(1),
        "booked_at": hours(2),
        "shipment_order_id": "1",
    }
    pay = {"marketplace": "taobao", "currency": "CNY", "paid_at": DAY}
    return told(
        timezone="Asia/Shanghai",
        orders=[
            order(
                "A",
                "booked",
                **bought,
                paid_minor=1000,
                quoted_minor=1000,
                freight_minor=250,
                freight_currency="USD",
            ),
            order("B", "held", reason=XSS, updated_at=DAY),
        ],
        requests=[
            {
                "order_ref": "A",
                "quantity": 1,
                "max_unit_price_minor": 1200,
                "currency": "CNY",
            }
        ],
        order_lines=[
            {
                "order_ref": "A",
                "title": f"帆布 {XSS}",
                "item_id": "600001",
                "amount_minor": 900,
            }
        ],
        payments=[
            {**pay, "order_ref": "A", "amount_minor": 1000},
            {**pay, "order_ref": "C", "amount_minor": 500, "paid_at": hours(48)},
            {**pay, "order_ref": "D", "amount_minor": 7, "currency": "JPY"},
        ],
        shipments=[{"order_ref": "A", "shipment_order_id": "1", "company": XSS}],
    )


@pytest.fixture(scope="module")
def content(busy: Figures) -> str:
    return page(busy, "Asia/Shanghai")


def test_words_of_others_stay_words(content: str) -> None:
    """Titles, reasons and companies are shown as they are written, and nothing of them
    becomes an element.
    """
    parsed = Parsed(content)
    assert parsed.text.count(XSS) == 3
    assert {"script", "img", "iframe", "object", "link"}.isdisjoint(
        tag for tag, _ in parsed.elements
    )
    links = [given["href"] for tag, given in parsed.elements if tag == "a"]
    assert links == [
        "https://item.taobao.com/item.htm?id=600001"
    ]  # of what was bought; of B no item is known
    assert not [
        name
        for _, attributes in parsed.elements
        for name in attributes
        if name.startswith("on")
    ]


def test_the_page_asks_nothing_of_the_network(content: str) -> None:
    """It has no address in it but of links to goods, and forbids itself the rest."""
    assert re.findall(r'(?<!<a href=")https?:', content) == []
    assert "default-src 'none'; style-src 'unsafe-inline'" in content


def test_every_chart_says_in_words_what_it_shows(content: str) -> None:
    """A chart is an image with a label, in the colours and letters of the page, and has
    no size of its own.
    """
    charts = [
        attributes for tag, attributes in Parsed(content).elements if tag == "svg"
    ]
    labels = [str(attributes["aria-label"]) for attributes in charts]
    assert "Paid, CNY: taobao 15.00" in labels
    assert "Paid, JPY: taobao 7" in labels
    assert "Paid day by day, CNY: 2026-11-03 10.00; 2026-11-05 5.00" in labels
    assert "Paid of what your limits allowed, CNY: taobao 25.0 % saved" in labels
    assert "Freight on each 100 CNY of goods and postage: taobao 25.00 USD" in labels
    assert all(chart["role"] == "img" and "width" not in chart for chart in charts)
    variables = set(re.findall(r"var\((--[a-z0-9-]+)\)", content))
    assert variables <= set(
        re.findall(r"^ +.*?(--[a-z0-9-]+):", content, re.MULTILINE)
    ) | set(re.findall(r" (--[a-z0-9-]+):", content))


def test_the_same_figures_make_the_same_bytes(busy: Figures, content: str) -> None:
    """Nothing of the moment or of chance is in it."""
    assert page(busy, "Asia/Shanghai") == content


def test_currencies_stand_beside_each_other(busy: Figures) -> None:
    """Totals are one a currency; days and hours are of the merchant's zone."""
    assert totals(busy) == [
        ("orders", "2"),
        ("wait for you", "1"),
        ("delivered", "0"),
        ("paid", "15.00 CNY"),
        ("paid", "7 JPY"),
        ("below your limits", "3.00 CNY"),
        ("freight abroad", "2.50 USD"),
    ]
    parts = {part.key: part for part in sections(busy, "Asia/Shanghai")}
    assert parts["waiting"].rows == [("B", "held", "1", XSS, "2026-11-03 04:00")]
    assert parts["freight"].rows == [
        ("taobao", "1", "2.50 USD", "2.50 USD", "25.00 USD for each 100.00 CNY")
    ]
    assert parts["landed"].words == [
        "1 paid order not worked out yet: sourcing costs, with your exchange rates."
    ]


def test_many_orders_make_no_large_page() -> None:
    """Two hundred orders and reasons are shown, with what shows the rest; long titles
    are cut.
    """
    content = page(
        told(
            orders=[
                order(
                    f"A{n:05}",
                    "held",
                    reason=f"reason {n} " + "长" * 300,
                    updated_at=DAY,
                )
                for n in range(3000)
            ],
            order_lines=[
                {"order_ref": f"A{n:05}", "title": "名" * 2000} for n in range(3000)
            ],
        ),
        "UTC",
    )
    where = "where batch_id = 'b' and state in ('held', 'refused', 'unknown')"
    shown = Parsed(content).text
    assert (
        f'and 2,800 more: see all with sourcing sql "select order_ref, state, reason from orders {where}"'
        in shown
    )
    assert (
        "and 2,800 more: see all with sourcing sql \"select * from orders where batch_id = 'b'\""
        in shown
    )
    assert "名" * 79 + "…" in shown
    assert "名" * 80 not in shown
    assert len(content.encode()) < 500_000


def test_nothing_yet_is_a_page_too() -> None:
    """It says how to begin; a plan alone says that it is one."""
    assert "nothing is there yet: sourcing run FILE" in page(told(batch=""), "UTC")
    planned = page(
        told(requests=[{"order_ref": "A", "line_no": n} for n in (1, 2)]), "UTC"
    )
    assert "Nothing was bought yet: a plan of 2 lines." in planned


def test_a_page_that_can_not_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    """Whole or not at all, and nothing else beside it."""
    file = tmp_path / "reports" / "b.html"
    write_page(told(), "UTC", file)
    before = file.read_text(encoding="utf-8")
    (tmp_path / "taken.html").mkdir()
    with pytest.raises(OSError, match=r"taken\.html"):
        write_page(told(), "UTC", tmp_path / "taken.html")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
    assert file.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2.0 h"), (172_800, "2.0 d")],
)
def test_times_are_told_in_the_unit_that_suits(seconds: int, words: str) -> None:
    """Below two of a unit the smaller one says more."""
    assert took(seconds) == words
