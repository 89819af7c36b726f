"""The page of a report in a real browser, from disk and without network, on a desk and
on a phone, light and dark.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flows.report.page import write_page
from tests.flows.report.test_report_figures import DAY, hours, order, told

if TYPE_CHECKING:
    from playwright.sync_api import Page

BOUGHT = {
    "created_at": DAY,
    "paid_at": hours(1),
    "booked_at": hours(30),
    "shipment_order_id": "1",
}
PAID = {
    "paid_minor": 1_234_567,
    "quoted_minor": 1_234_567,
    "freight_minor": 45_678,
    "freight_currency": "USD",
}
SMALLEST_LETTERS = """() => Math.min(...[...document.querySelectorAll("svg text")].map(
    text => parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a))"""
CUT_OFF = """() => [...document.querySelectorAll("svg text")].filter(text => {
    const [own, of] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
    return own.left < of.left - 1 || own.right > of.right + 1;
}).map(text => text.textContent)"""


def test_the_page_is_read_from_disk_on_a_phone_and_on_a_desk(
    page: Page, tmp_path: Path
) -> None:
    """Nothing is asked for, nothing runs out of the window, letters of charts can be
    read in both schemes.
    """
    orders = [
        order(f"INTERNATIONAL-{n:04}", "booked", **BOUGHT, **PAID) for n in range(3)
    ]
    orders += [
        order(
            "A" * 60,
            "held",
            reason="可折叠 帆布 "
            + "x" * 300
            + "<script>document.title = 'run'</script>",
        )
    ]
    payments = [
        {**PAID, **one, "amount_minor": PAID["paid_minor"], "paid_at": DAY}
        for one in orders[:3]
    ]
    fields = ("order_ref", "marketplace", "currency", "amount_minor", "paid_at")
    figures = told(
        orders=orders,
        payments=[{name: row[name] for name in fields} for row in payments],
    )
    file = tmp_path / "report.html"
    write_page(figures, "UTC", file)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.context.set_offline(True)
    inks = set()
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(SMALLEST_LETTERS) >= 10
        assert page.evaluate(CUT_OFF) == []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            inks.add(
                page.evaluate(
                    "getComputedStyle(document.querySelector('svg text')).fill"
                )
            )
    assert page.title() == "Batch b"
    assert asked == [file.as_uri()] * 2
    assert inks == {"rgb(27, 31, 36)", "rgb(230, 234, 239)"}
