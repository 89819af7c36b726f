"""A merchant's day with nothing but a browser, from `sourcing serve` on: `python -m
tests.ui.day FOLDER`.

On a phone: upload a file, begin the night, approve all but two of its plan, ask for the
money of one, see it come back, download the month's costs. Then, with `--whole`, at a
desk: paste orders, resolve an unknown, stop all buying, resume. Each page is kept as a
picture in FOLDER, as wide as a desk and as a phone; what is wrong raises.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from openpyxl import load_workbook

from tests.deployments.conftest import serve
from tests.deployments.served import Served, wait_for
from tests.running import COLUMNS, RunningSandbox, single_line_orders
from tests.ui.browser import LISTS, PLACES, Ui, window

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

WIDTHS = (1440, 390)
DESK, PHONE = WIDTHS
SETTLES_SOON = {"SOURCING_SETTLE_S": "1"}
"""Without it nobody may say for a quarter of an hour that a lost booking did not
arrive, which is right.
"""
BOOKING = "/open/pp/logistics/orderBookingFreight"


def nothing(*_: object) -> None:
    pass


def rows_of(
    sandbox: RunningSandbox, prefix: str, count: int, dialect: str = "excel"
) -> str:
    """Rows of a file, or as they come out of a spreadsheet: in `excel-tab`."""
    orders = single_line_orders(sandbox, {"taobao": count})
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, dialect=dialect, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {**order, "order_ref": f"{prefix}-{n}"} for n, order in enumerate(orders, 1)
    )
    return out.getvalue()


@dataclass(frozen=True)
class Day:
    """One merchant, one window, one installation."""

    ui: Ui
    sandbox: RunningSandbox
    folder: Path | None = None
    page: str = ""
    width: int = DESK

    def shot(self, name: str) -> None:
        """What the window shows, as wide as a desk and as a phone."""
        if self.folder is None:
            return
        for width in WIDTHS:
            self.ui.page.set_viewport_size({"width": width, "height": 900})
            self.ui.page.wait_for_timeout(700)  # transitions
            self.ui.page.screenshot(path=self.folder / f"{name}-{width}.png")
        self.ui.page.set_viewport_size({"width": self.width, "height": 900})
        self.ui.page.wait_for_timeout(500)

    def paste(
        self,
        prefix: str,
        count: int,
        at: Callable[[], None] = nothing,
        *,
        yes: bool = False,
    ) -> str:
        self.ui.open_form("buy-from-file")
        self.ui.fill_in(Pasted_lines=rows_of(self.sandbox, prefix, count, "excel-tab"))
        self.ui.switch("Dry run", on=False)
        if yes:
            self.ui.switch("Approved beforehand", on=True)
        self.shot(f"{prefix}-form")
        at()
        return self.ui.submit("buy-from-file")

    def approve_all_but(
        self,
        run_id: str,
        left_out: Sequence[str],
        name: str,
        at: Callable[[Locator], None] = nothing,
    ) -> str:
        """From the run that ended with its plan, by its link: the run that buys."""
        run = self.ui.await_state(run_id)
        assert run["state_name"] == "WaitsForApproval", run["state_name"]
        self.ui.open_run(run_id)
        self.shot(f"{name}-planned")
        batch = run["name"].partition(":")[0]
        self.ui.open_artifact(f"approval-{batch}")
        self.ui.page.get_by_role("link", name="Approve or refuse").first.wait_for()
        self.shot(f"{name}-question")
        at(self.ui.page.locator("body"))
        self.ui.page.get_by_role("link", name="Approve or refuse").first.click()
        self.answer_form(left_out)
        self.shot(f"{name}-answer")
        return self.ui.submit("approve-batch")

    def answer_form(self, left_out: Sequence[str]) -> None:
        """Fill in the form of a plan, which its link has opened."""
        self.ui.await_form()
        assert self.ui.field("Plan").input_value()
        self.ui.choose("Answer", "all but")
        self.ui.fill_in(
            Orders=", ".join(left_out), Your_name="Mei Lin", Why="too dear this week"
        )

    def see_the_outcome(self, run_id: str, name: str) -> dict[str, Any]:
        run = self.ui.await_state(run_id)
        self.ui.open_run(run_id)
        self.shot(f"{name}-ended")
        self.ui.page.get_by_role("tab", name="Artifacts").click()
        self.ui.page.wait_for_timeout(1000)
        self.shot(f"{name}-artifacts")
        return run

    def lose_one_answer(self) -> None:
        self.sandbox.faults(
            {
                "path": BOOKING,
                "kind": "http_500",
                "probability": 1,
                "times": 1,
                "delay_s": 0,
            }
        )

    def see_what_waits(self, name: str) -> None:
        run_id = self.start("show-todo", name)
        self.ui.await_state(run_id)
        self.ui.open_artifact("what-waits")
        self.shot(f"{name}-what-waits")

    def bought(self, prefix: str) -> list[str]:
        """The references in the marketplace's own books."""
        references = [
            str(order["reference"]) for order in self.sandbox.books()["orders"]
        ]
        return [
            reference
            for reference in references
            if re.fullmatch(rf"{prefix}-\d+", reference)
        ]

    def is_shipped(self, order_ref: str) -> bool:
        books = self.sandbox.books()
        (order_id,) = [
            order["order_id"]
            for order in books["orders"]
            if order["reference"] == order_ref
        ]
        return order_id in [book["tmall_order_id"] for book in books["shipments"]]

    def start(self, deployment: str, name: str, **texts: str) -> str:
        self.ui.open_form(deployment)
        self.ui.fill_in(**texts)
        self.shot(f"{name}-form")
        return self.ui.submit(deployment)

    def see(self, name: str, *links: str) -> None:
        """The page as it is now: its links are on a phone's screen, and it is no wider
        than that.
        """
        self.shot(name)
        assert (
            self.ui.page.evaluate("document.documentElement.scrollWidth") <= self.width
        ), name
        for link in links:
            self.on_screen(self.ui.page.get_by_role("link", name=link).first)

    def on_screen(self, place: Locator) -> None:
        place.wait_for()
        box = place.bounding_box()
        assert box
        assert (box["x"] >= 0, box["x"] + box["width"] <= self.width) == (True, True), (
            box
        )

    def open_page(self, link: str = "") -> None:
        """The first page of its own, or the one behind a link of it."""
        self.ui.page.goto(self.page)
        if link:
            self.ui.page.get_by_role("link", name=link).first.click()

    def upload(self, prefix: str, count: int) -> None:
        self.open_page("Send a file")
        content = rows_of(self.sandbox, prefix, count).encode()
        self.ui.page.get_by_label("Request file").set_input_files(
            {"name": f"{prefix}.csv", "mimeType": "text/csv", "buffer": content}
        )
        self.shot(f"{prefix}-upload")
        self.ui.page.get_by_role("button", name="Check and put into the inbox").click()
        self.ui.page.get_by_text(f"{count} orders, in the inbox").wait_for()
        self.see(f"{prefix}-uploaded")

    def begin_the_night(self) -> str:
        self.open_page()
        self.see("today", "Send a file", "Begin the night now", "Stop all buying")
        return self.follow("Begin the night now", "buy-from-inbox")

    def follow(
        self, link: str, deployment: str, fill: Callable[[], None] = nothing
    ) -> str:
        """A link to a form, and the form as it is filled: the id of the run that
        began.
        """
        self.ui.page.get_by_role("link", name=link).first.click()
        self.ui.await_form()
        fill()
        self.shot(f"{deployment}-form")
        return self.ui.submit(deployment)

    def open_what_asks(self) -> None:
        """The form of the plan that waits, by its link on the first page."""
        link = self.ui.page.get_by_role("link", name="approve or refuse")

        def is_there() -> bool:
            self.open_page()
            return bool(link.count())

        wait_for(is_there)
        self.see("today-asks", "approve or refuse")
        link.click()

    def ask_back(self, order_ref: str) -> None:
        self.open_page()
        self.ui.page.get_by_label("Search").fill(order_ref)
        self.ui.page.keyboard.press("Enter")
        self.ui.page.get_by_role("heading", name=f"Order {order_ref}").wait_for()
        self.see("order", "Refund", "Cancel")

        def fill() -> None:
            assert self.ui.field("Order").input_value() == order_ref
            self.ui.fill_in(Reason="不想要了")
            self.ui.switch("Only show", on=False)

        self.ended(
            self.follow("Refund", "request-refund", fill), "refund-asked", "after-sale"
        )

    def let_it_come_back(self, order_ref: str) -> None:
        """The seller answers within a day of the sandbox, and its callback is heard."""
        self.open_page()
        self.ui.page.get_by_role("button", name="Let a day pass").click()
        self.ui.page.wait_for_url(f"{self.page}/")
        came_back = self.ui.page.get_by_text("came back", exact=True)
        wait_for(
            lambda: (
                self.ui.page.goto(f"{self.page}/order?ref={order_ref}")
                and came_back.count() > 1
            )
        )
        self.see("order-refunded")

    def costs(self, order_ref: str) -> tuple[float, float]:
        """Paid and refunded of an order, by the sheet of its month."""
        self.open_page()
        self.ended(
            self.follow("Compute the costs now", "compute-costs"),
            "costs",
            "costs-summary",
        )
        self.open_page("Downloads")
        self.see("downloads")
        with self.ui.page.expect_download() as started:
            self.ui.page.get_by_role(
                "link", name=re.compile(r"landed-costs-CNY-.*\.xlsx")
            ).click()
        sheet = load_workbook(
            io.BytesIO(Path(started.value.path()).read_bytes())
        ).active
        header, *lines = sheet.iter_rows(values_only=True)  # type: ignore[union-attr]
        notices = [dict(zip(header, line, strict=True)) for line in lines]
        (own_rows,) = [line for line in notices if line["order_ref"] == order_ref]
        return own_rows["goods"] + own_rows["postage"], own_rows["refunded"]

    def paid_and_refunded(self, order_ref: str) -> tuple[float, float]:
        (order,) = [
            order
            for order in self.sandbox.books()["orders"]
            if order["reference"] == order_ref
        ]
        return order["paid_fen"] / 100, order["refunded_fen"] / 100

    def resolve(self, order_ref: str) -> dict[str, Any]:
        """Ask what is asked, look into the warehouse's console, then give the
        answer.
        """
        query = self.start("resolve-order", "resolve-asked-form", Order=order_ref)
        self.ended(query, "resolve-asked", "answer")
        assert not self.is_shipped(order_ref)
        return self._answered(order_ref)

    def _answered(self, order_ref: str) -> dict[str, Any]:
        """Again until nothing may still arrive: two minutes and SOURCING_SETTLE_S after
        the booking.
        """
        for _ in range(12):
            self._answer(order_ref)
            ended = self.ended(self.ui.submit("resolve-order"), "resolve-done", "")
            if ended["state_type"] == "COMPLETED":
                return ended
            self.ui.page.wait_for_timeout(20_000)
        raise AssertionError(f"nobody may say what became of {order_ref}")

    def _answer(self, order_ref: str) -> None:
        self.ui.open_form("resolve-order")
        self.ui.choose("Your answer", "not-booked")
        self.ui.fill_in(Order=order_ref, Your_name="Mei Lin")
        self.shot("resolve-form")

    def refund(self, order_ref: str) -> dict[str, Any]:
        self.ended(
            self.start("request-refund", "refund-reasons", Order=order_ref),
            "refund-reasons",
            "",
        )
        self.ui.open_form("request-refund")
        self.ui.fill_in(Order=order_ref, Reason="不想要了")
        self.ui.switch("Only show", on=False)
        self.shot("refund-form")
        return self.ended(self.ui.submit("request-refund"), "refund-done", "")

    def pause(self) -> dict[str, Any]:
        paused = self.start(
            "pause-buying", "pause", Why="prices are odd", Your_name="Mei Lin"
        )
        return self.ended(paused, "paused", "")

    def resume(self) -> dict[str, Any]:
        return self.ended(
            self.start("resume-buying", "resume", Your_name="Mei Lin"), "resumed", ""
        )

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
    parser.add_argument(
        "--whole", action="store_true", help="the hours at the desk too"
    )
    namespace = parser.parse_args()
    namespace.folder.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as location,
        opened(Path(location), namespace.folder) as (served, day),
    ):
        live_on_a_phone(day)
        assert open_links_of(served.alerts(), day.ui) == PLACES
        if namespace.whole:
            live(replace(day, width=DESK))


@contextmanager
def opened(place: Path, folder: Path | None = None) -> Iterator[tuple[Served, Day]]:
    """A new installation, as `make serve` starts it, in front of a phone."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    (rates := place / "rates.csv").write_text(
        f"from,to,rate,date,source\nUSD,CNY,7.1,{today},ECB\n"
    )
    books = {"SOURCING_CURRENCY": "CNY", "SOURCING_RATES": str(rates)}
    with (
        serve(place, None, **SETTLES_SOON, **books) as served,
        window(width=PHONE) as page,
    ):
        yield served, of(served, page, folder, PHONE)


def of(
    served: Served, page: Page, folder: Path | None = None, width: int = DESK
) -> Day:
    return Day(
        Ui(page, served.api.removesuffix("/api")),
        served.sandbox,
        folder,
        served.page,
        width,
    )


def goods_are_seen(form: Locator) -> None:
    """Each order has its picture and its variant."""
    loaded = "every => every.map(one => one.naturalWidth > 0)"
    assert (
        form.locator("img").evaluate_all(loaded)
        == [True] * form.locator("tbody tr").count()
    )
    assert form.get_by_text("颜色").count()


def open_links_of(messages: Sequence[Mapping[str, str]], ui: Ui) -> set[str]:
    """Open each link of these messages, and the lists, where those about the server
    lead; answers their places.
    """
    links = {
        link
        for message in messages
        for link in re.findall(r"http://\S+", message["body"])
    }
    return {
        ui.open_link(link)
        for link in [*links, *(f"{ui.url}/v2/{text}" for text in LISTS)]
    }


def live_on_a_phone(day: Day, prefix: str = "phone", count: int = 5) -> str:
    """From the file to its month in the books; answers the order whose money came
    back.
    """
    refs = [f"{prefix}-{n}" for n in range(1, count + 1)]
    day.upload(prefix, count)
    day.ui.await_state(day.begin_the_night())
    batch = day.ui.newest_artifact("approval-")["key"].removeprefix("approval-")
    day.ui.open_artifact(f"approval-{batch}")
    day.ui.page.get_by_role("link", name="Approve or refuse").first.wait_for()
    day.ui.page.wait_for_timeout(3000)  # pictures
    goods_are_seen(day.ui.page.locator("body"))
    day.open_what_asks()
    day.answer_form(refs[-2:])
    day.shot(f"{prefix}-answer")
    run = day.see_the_outcome(day.ui.submit("approve-batch"), prefix)
    assert run["name"].endswith(f": {count - 2} booked, 2 held"), run["name"]
    assert sorted(day.bought(prefix)) == refs[:-2]
    day.ask_back(refs[0])
    day.let_it_come_back(refs[0])
    assert day.costs(refs[0]) == day.paid_and_refunded(refs[0])
    return refs[0]


def live(day: Day, morning: str = "morning", evening: str = "evening") -> None:
    run_id = day.paste(morning, 6)
    day.lose_one_answer()
    bought = day.approve_all_but(run_id, [f"{morning}-2", f"{morning}-5"], "morning")
    run = day.see_the_outcome(bought, "morning")
    assert sorted(run["name"].split(": ")[1].split(", ")) == [
        "1 unknown",
        "2 held",
        "3 booked",
    ], run["name"]
    mend(day, morning, batch=run["name"].split(":")[0])
    stop_and_go_on(day, evening)


def mend(day: Day, morning: str, batch: str) -> None:
    day.see_what_waits("todo")
    unknown, *booked = sorted(day.bought(morning), key=day.is_shipped)
    assert day.resolve(unknown)["name"] == f"resolve {unknown}: now paid"
    assert (
        day.ended(day.start("finish-open", "finish-form", Batch=batch), "finished", "")[
            "state_type"
        ]
        == "COMPLETED"
    )
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
    assert [order["paid_times"] for order in day.sandbox.books()["orders"]].count(
        1
    ) == len(paid) + 2
    day.see_what_waits("end")


if __name__ == "__main__":
    main()
