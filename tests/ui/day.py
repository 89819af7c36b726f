"""A merchant's day with nothing but a browser: `python -m tests.ui.day FOLDER` beside `SOURCING_SETTLE_S=1 make serve`.

Without that setting nobody may say for a quarter of an hour that a lost booking did not arrive, which is right.

Paste orders, approve all but two, see the outcome, resolve an unknown, refund one, stop all buying, resume. Each page
is kept as a picture in FOLDER, as wide as a desk and as a phone; what is wrong raises.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.wording import ALL_BUT
from tests.running import COLUMNS, RunningSandbox, single_line_orders
from tests.ui.browser import Ui, field, window

if TYPE_CHECKING:
    from playwright.sync_api import Locator

WIDTHS = (1440, 390)
BOOKING = "/open/pp/logistics/orderBookingFreight"


def nothing(*_: object) -> None:
    pass


def pasted(sandbox: RunningSandbox, prefix: str, count: int) -> str:
    """Rows as they come out of a spreadsheet, tabs between the cells."""
    rows = [
        {**row, "order_ref": f"{prefix}-{n}"} for n, row in enumerate(single_line_orders(sandbox, {"taobao": count}), 1)
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, dialect="excel-tab", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@dataclass(frozen=True)
class Day:
    """One merchant, one window, one installation."""

    ui: Ui
    sandbox: RunningSandbox
    folder: Path | None = None

    def shot(self, name: str) -> None:
        """What the window shows, as wide as a desk and as a phone."""
        if self.folder is None:
            return
        for width in WIDTHS:
            self.ui.page.set_viewport_size({"width": width, "height": 900})
            self.ui.page.wait_for_timeout(700)  # transitions
            self.ui.page.screenshot(path=self.folder / f"{name}-{width}.png")
        self.ui.page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        self.ui.page.wait_for_timeout(500)

    def paste(self, prefix: str, count: int, at: Callable[[], None] = nothing, *, yes: bool = False) -> str:
        self.ui.open_form("buy-from-file")
        self.ui.fill_in(Pasted_lines=pasted(self.sandbox, prefix, count))
        self.ui.switch("Dry run", on=False)
        if yes:
            self.ui.switch("Approved beforehand", on=True)
        self.shot(f"{prefix}-form")
        at()
        return self.ui.submit("buy-from-file")

    def approve_all_but(
        self, run_id: str, left_out: Sequence[str], name: str, at: Callable[[Locator], None] = nothing
    ) -> None:
        assert self.ui.await_state(run_id, "PAUSED")["state_type"] == "PAUSED"
        self.ui.open_run(run_id)
        self.shot(f"{name}-paused")
        form = self.ui.open_question()
        self.shot(f"{name}-question")
        form.get_by_role("button", name="Select").first.click()
        self.ui.page.get_by_role("option", name=ALL_BUT).click()
        form.get_by_role("button", name="Select").last.click()
        for ref in left_out:
            self.ui.page.get_by_role("option", name=ref, exact=True).click()
        self.ui.page.keyboard.press("Escape")
        field(form, "Your name").fill("Mei Lin")
        field(form, "Note").fill("too dear this week")
        field(form, "Your name").scroll_into_view_if_needed()
        self.shot(f"{name}-answer")
        at(form)
        self.ui.press(form, "Resume", until=lambda: not form.is_visible())

    def see_the_outcome(self, run_id: str, name: str) -> dict[str, Any]:
        run = self.ui.await_state(run_id)
        self.ui.open_run(run_id)
        self.shot(f"{name}-ended")
        self.ui.page.get_by_role("tab", name="Artifacts").click()
        self.ui.page.wait_for_timeout(1000)
        self.shot(f"{name}-artifacts")
        return run

    def lose_one_answer(self) -> None:
        self.sandbox.faults({"path": BOOKING, "kind": "http_500", "probability": 1, "times": 1, "delay_s": 0})

    def see_what_waits(self, name: str) -> None:
        run_id = self.start("show-todo", name)
        self.ui.await_state(run_id)
        self.ui.open_artifact("what-waits")
        self.shot(f"{name}-what-waits")

    def bought(self, prefix: str) -> list[str]:
        """The references in the marketplace's own books."""
        references = [str(order["reference"]) for order in self.sandbox.books()["orders"]]
        return [one for one in references if re.fullmatch(rf"{prefix}-\d+", one)]

    def is_shipped(self, order_ref: str) -> bool:
        books = self.sandbox.books()
        (order_id,) = [order["order_id"] for order in books["orders"] if order["reference"] == order_ref]
        return order_id in [one["tmall_order_id"] for one in books["shipments"]]

    def start(self, deployment: str, name: str, **texts: str) -> str:
        self.ui.open_form(deployment)
        self.ui.fill_in(**texts)
        self.shot(f"{name}-form")
        return self.ui.submit(deployment)

    def resolve(self, order_ref: str) -> dict[str, Any]:
        """Ask what is asked, look into the warehouse's console, see what the answer would do, then give it."""
        asked = self.start("resolve-order", "resolve-asked-form", Order=order_ref)
        self.ended(asked, "resolve-asked", "answer")
        assert not self.is_shipped(order_ref)
        self._see_what_the_answer_would_do(order_ref)
        self._answer(order_ref)
        self.ui.switch("Only show", on=False)
        return self.ended(self.ui.submit("resolve-order"), "resolve-done", "answer")

    def _see_what_the_answer_would_do(self, order_ref: str) -> None:
        """Again until nothing may still arrive: two minutes and SOURCING_SETTLE_S after the booking."""
        for _ in range(12):
            self._answer(order_ref)
            if self.ended(self.ui.submit("resolve-order"), "resolve-shown", "")["state_type"] == "COMPLETED":
                return
            self.ui.page.wait_for_timeout(20_000)
        raise AssertionError(f"nobody may say what became of {order_ref}")

    def _answer(self, order_ref: str) -> None:
        self.ui.open_form("resolve-order")
        self.ui.choose("Your answer", "its shipment was not booked")
        self.ui.fill_in(Order=order_ref, Your_name="Mei Lin")
        self.shot("resolve-form")

    def refund(self, order_ref: str) -> dict[str, Any]:
        self.ended(self.start("request-refund", "refund-reasons", Order=order_ref), "refund-reasons", "")
        self.ui.open_form("request-refund")
        self.ui.fill_in(Order=order_ref, Reason="不想要了")
        self.ui.switch("Only show", on=False)
        self.shot("refund-form")
        return self.ended(self.ui.submit("request-refund"), "refund-done", "")

    def pause(self) -> dict[str, Any]:
        paused = self.start("pause-buying", "pause", Why="prices are odd", Your_name="Mei Lin")
        return self.ended(paused, "paused", "")

    def resume(self) -> dict[str, Any]:
        return self.ended(self.start("resume-buying", "resume", Your_name="Mei Lin"), "resumed", "")

    def ended(self, run_id: str, name: str, artifact: str) -> dict[str, Any]:
        run = self.ui.await_state(run_id)
        if artifact:
            self.ui.open_artifact(artifact)
        else:
            self.ui.open_run(run_id)
        self.shot(name)
        return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ui", default="http://127.0.0.1:4200")
    parser.add_argument("--sandbox", default="http://127.0.0.1:8790")
    parser.add_argument("--morning", default="morning", help="with another word it can be lived again")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with window(width=WIDTHS[0]) as page:
        live(
            Day(Ui(page, asked.ui), RunningSandbox(asked.sandbox), asked.folder), asked.morning, f"{asked.morning}-late"
        )


def live(day: Day, morning: str = "morning", evening: str = "evening") -> None:
    run_id = day.paste(morning, 6)
    day.lose_one_answer()
    day.approve_all_but(run_id, [f"{morning}-2", f"{morning}-5"], "morning")
    run = day.see_the_outcome(run_id, "morning")
    assert sorted(run["name"].split(": ")[1].split(", ")) == ["1 unknown", "2 held", "3 booked"], run["name"]
    mend(day, morning, batch=run["name"].split(":")[0])
    stop_and_go_on(day, evening)


def mend(day: Day, morning: str, batch: str) -> None:
    day.see_what_waits("todo")
    unknown, *booked = sorted(day.bought(morning), key=day.is_shipped)
    assert day.resolve(unknown)["name"] == f"resolve {unknown}: now paid"
    assert day.ended(day.start("finish-batch", "finish-form", Batch=batch), "finished", "")["state_type"] == "COMPLETED"
    assert day.is_shipped(unknown)
    assert day.refund(booked[0])["state_type"] == "COMPLETED"


def stop_and_go_on(day: Day, evening: str) -> None:
    assert day.pause()["state_type"] == "COMPLETED"
    paid = day.sandbox.books()["payments"]
    held = day.see_the_outcome(day.paste(evening, 2, yes=True), "evening-paused")
    assert day.sandbox.books()["payments"] == paid, held["name"]
    assert day.resume()["state_type"] == "COMPLETED"
    bought = day.see_the_outcome(day.paste(evening, 2, yes=True), "evening-resumed")
    assert bought["name"].endswith(": 2 booked"), bought["name"]
    assert [order["paid_times"] for order in day.sandbox.books()["orders"]].count(1) == len(paid) + 2
    day.see_what_waits("end")


if __name__ == "__main__":
    main()
