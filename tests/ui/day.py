"""A merchant's day with nothing but a browser: `python -m tests.ui.day FOLDER` beside a fresh `make serve`.

Paste orders, approve all but two, see the outcome, resolve an unknown, refund one, stop all buying, resume. Each page
is kept as a picture in FOLDER, as wide as a desk and as a phone; what is wrong raises.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.choices import ALL_BUT
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
            self.ui.page.wait_for_timeout(1200)  # transitions
            self.ui.page.screenshot(path=self.folder / f"{name}-{width}.png")
        self.ui.page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        self.ui.page.wait_for_timeout(500)

    def paste(self, prefix: str, count: int, at: Callable[[], None] = nothing) -> str:
        self.ui.open_form("manual")
        self.shot(f"{prefix}-form-empty")
        self.ui.fill_in(Pasted_lines=pasted(self.sandbox, prefix, count))
        self.ui.switch_off("Dry run")
        self.shot(f"{prefix}-form")
        at()
        return self.ui.submit("manual")

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
        form.get_by_role("button", name="Resume").click()
        form.wait_for(state="hidden")

    def see_the_outcome(self, run_id: str, name: str) -> dict[str, Any]:
        run = self.ui.await_state(run_id)
        self.ui.open_run(run_id)
        self.shot(f"{name}-ended")
        self.ui.page.get_by_role("tab", name="Artifacts").click()
        self.ui.page.wait_for_timeout(1000)
        self.shot(f"{name}-artifacts")
        return run

    def lose_one_answer(self) -> None:
        rule = {"path": BOOKING, "kind": "drop_after", "probability": 1, "times": 1, "delay_s": 0}
        self.sandbox.faults(rule)

    def see_what_waits(self, name: str) -> None:
        run_id = self.start("todo", name)
        self.ui.await_state(run_id)
        self.ui.open_artifact("what-waits")
        self.shot(f"{name}-what-waits")

    def start(self, deployment: str, name: str, **texts: str) -> str:
        self.ui.open_form(deployment)
        self.ui.fill_in(**texts)
        self.shot(f"{name}-form")
        return self.ui.submit(deployment)

    def unknown(self) -> str:
        """The order that nobody knows of whether it was booked: in the books, the last shipment."""
        return "morning-1"

    def resolve(self, order_ref: str) -> dict[str, Any]:
        """Ask what is asked, look into the console, see what the answer would do, then give it."""
        asked = self.start("resolve", "resolve-asked", Order=order_ref)
        self.ended(asked, "resolve-asked", "answer")
        booked = self.sandbox.books()
        (order,) = [one for one in booked["orders"] if one["reference"] == order_ref]
        (shipment,) = [one for one in booked["shipments"] if one["tmall_order_id"] == order["order_id"]]
        answer = {"Id": shipment["order_id"], "Tracking_numbers": " ".join(shipment["tracking_numbers"])}
        self.ui.open_form("resolve")
        self.ui.choose("no answer yet: show what is asked", "its shipment was booked")
        self.ui.fill_in(Order=order_ref, Your_name="Mei Lin", **answer)
        self.shot("resolve-answer-form")
        self.ended(self.ui.submit("resolve"), "resolve-shown", "answer")
        self.ui.open_form("resolve")
        self.ui.choose("no answer yet: show what is asked", "its shipment was booked")
        self.ui.fill_in(Order=order_ref, Your_name="Mei Lin", **answer)
        self.ui.switch_off("Only show")
        return self.ended(self.ui.submit("resolve"), "resolve-done", "answer")

    def refund(self, order_ref: str) -> dict[str, Any]:
        self.ended(self.start("refund", "refund-reasons", Order=order_ref), "refund-reasons", "")
        self.ui.open_form("refund")
        self.ui.fill_in(Order=order_ref, Reason="不想要了")
        self.ui.switch_off("Only show")
        self.shot("refund-form")
        return self.ended(self.ui.submit("refund"), "refund-done", "")

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
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with window(width=WIDTHS[0]) as page:
        live(Day(Ui(page, asked.ui), RunningSandbox(asked.sandbox), asked.folder))


def live(day: Day) -> None:
    run_id = day.paste("morning", 6)
    day.lose_one_answer()
    day.approve_all_but(run_id, ["morning-2", "morning-5"], "morning")
    run = day.see_the_outcome(run_id, "morning")
    assert run["name"].endswith(": 3 booked, 1 unknown, 2 held"), run["name"]
    day.see_what_waits("todo")
    unknown = day.unknown()
    print(day.resolve(unknown)["name"])
    print(day.refund("morning-1" if unknown != "morning-1" else "morning-3")["name"])
    print(day.pause()["name"])
    evening = day.paste("evening", 2)
    paused = day.see_the_outcome(evening, "evening")
    print(paused["name"], paused["state"])
    print(day.resume()["name"])


if __name__ == "__main__":
    main()
