"""The page of a report in a real browser, from disk and without network, on a desk and
on a phone, light and dark.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from domain.report import ReportLine
from domain.states import OrderState
from flows.report.page import page as page_of
from flows.report.sections import describe
from tests.flows.report.test_page import BOUGHT, REPORT

if TYPE_CHECKING:
    from playwright.sync_api import Page

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
    lines: list[ReportLine] = [
        replace(
            BOUGHT,
            order_ref=f"INTERNATIONAL-{n:04}",
            marketplace="international",
            paid_fen=1_234_567,
            freight_minor=45_678,
        )
        for n in range(3)
    ]
    reason = "可折叠 帆布 " + "x" * 300 + "<script>document.title = 'run'</script>"
    held = replace(BOUGHT, order_ref="A" * 60, state=OrderState.HELD, reason=reason)
    report = replace(REPORT, orders=[*lines, held])
    file = tmp_path / "report.html"
    content = page_of("Batch b", "as of now", describe(report))
    file.write_text(content, encoding="utf-8")
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url))
    page.on("console", lambda message: calls.append(message.text))
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
    assert calls == [file.as_uri()] * 2
    assert inks == {"rgb(27, 31, 36)", "rgb(230, 234, 239)"}
