"""The Prefect UI as a person uses it: forms, answers, pages; and what Chromium needs to
be asked for that.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-software-rasterizer",
        "--no-first-run",
    ),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ),
)
PATIENCE_MS = 120_000
NAMED = {
    "runs/flow-run": ("flow_runs", "name"),
    "artifacts/artifact": ("artifacts", "description"),
}
"""Where Prefect's API has the words of what a link opens; of others they are in the
link.
"""
LEAST_WORDS = 20
LISTS = {"runs", "deployments"}
FORM = "deployments/deployment/run"
PLACES = {*NAMED, "artifacts/key", FORM, *LISTS}
"""Where links of messages lead."""
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def chromium() -> str | None:
    """Where it is; None where none is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def window(*, width: int = 1280, height: int = 900, scale: float = 1) -> Iterator[Page]:
    """One window of a real browser. Playwright's event loop ends with it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        page: Page = browser.new_page(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            reduced_motion="reduce",
        )
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


@dataclass(frozen=True)
class Ui:
    """The UI of an installation at `url`, in one window."""

    page: Page
    url: str

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """The answer of Prefect's API: to learn how a run stands, never to do
        anything.
        """
        content = None if body is None else json.dumps(body).encode()
        with urlopen(
            Request(
                f"{self.url}/api/{path}", content, {"content-type": "application/json"}
            )
        ) as answer:
            return json.load(answer)

    def open_form(self, deployment: str) -> None:
        """The form of a deployment, as links lead to it."""
        form = self.ask(f"deployments/name/{deployment}/{deployment}")["id"]
        self.page.goto(f"{self.url}/v2/deployments/deployment/{form}/run")
        self.await_form()

    def await_form(self) -> None:
        self.page.get_by_role("button", name="Submit").wait_for()
        self.page.wait_for_timeout(1500)  # the form is drawn more than once

    def field(self, title: str) -> Locator:
        return field(self.page, title)

    def fill_in(self, **texts: str) -> None:
        """Fields by their title, blanks as `_`. A form may be drawn anew and lose what
        is there: it has to stand.
        """
        stood = 0
        for _ in range(60):
            wrong = {
                title: text
                for title, text in texts.items()
                if self._input(title).input_value() != text
            }
            stood = 0 if wrong else stood + 1
            if stood == 3:
                return
            for title, text in wrong.items():
                self._input(title).fill(text)
            self.page.wait_for_timeout(350)
        raise AssertionError("the form does not keep what is filled in")

    def _input(self, title: str) -> Locator:
        return self.field(title.replace("_", " "))

    def switch(self, title: str, *, on: bool) -> None:
        switch = self.field(title)
        for _ in range(20):
            if switch.is_checked() == on:
                return
            switch.click()
            self.page.wait_for_timeout(500)
        raise AssertionError(f"the switch {title!r} does not keep its place")

    def opened(self, button: Locator, option: Locator) -> None:
        """Open a list: once more where the one before it was still closing, and closed
        this one too.
        """
        for _ in range(4):
            button.click()
            self.page.wait_for_timeout(1000)
            if option.count():
                return
        raise AssertionError("the list does not open")

    def choose(self, title: str, option: str) -> None:
        self.page.get_by_label(f"Select {title}").click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def submit(self, deployment: str) -> str:
        """Send the form: the id of the run that began."""
        before = self.newest_run(deployment)
        self.press(
            self.page,
            "Submit",
            until=lambda: self.newest_run(deployment) not in (None, before),
        )
        return str(self.newest_run(deployment))

    def press(
        self, place: Page | Locator, button: str, until: Callable[[], bool]
    ) -> None:
        """As a person does: once more when nothing came of it, since a busy server on
        SQLite says no now and then.
        """
        for _ in range(4):
            place.get_by_role("button", name=button).click()
            for _ in range(60):
                if until():
                    return
                self.page.wait_for_timeout(500)
        raise AssertionError(f"nothing came of {button}")

    def newest_run(self, deployment: str) -> str | None:
        started: dict[str, Any] = {
            "expected_start_time": {"before_": datetime.now(UTC).isoformat()}
        }  # not those that are planned
        named: dict[str, Any] = {
            "deployments": {"name": {"any_": [deployment]}},
            "flow_runs": started,
        }
        named |= {"sort": "EXPECTED_START_TIME_DESC", "limit": 1}
        runs = self.ask("flow_runs/filter", named)
        return str(runs[0]["id"]) if runs else None

    def await_state(self, run_id: str, *states: str) -> dict[str, Any]:
        """The run, once it is in one of these states or has ended. No page is open
        meanwhile: each asks for news.
        """
        self.page.goto("about:blank")
        for _ in range(300):
            run: dict[str, Any] = self.ask(f"flow_runs/{run_id}")
            if run["state_type"] in (*states, *ENDED):
                return run
            self.page.wait_for_timeout(1000)
        raise AssertionError(f"run {run_id} is still {run['state_type']}")

    def open_run(self, run_id: str) -> None:
        self.page.goto(f"{self.url}/v2/runs/flow-run/{run_id}")
        self.page.get_by_role("tab", name="Artifacts").wait_for()

    def open_link(self, link: str) -> str:
        """A link of a message, which shows the thing itself; answers its place, such as
        `runs/flow-run`.
        """
        self.page.goto(link)
        location = place_of(link)
        name = urlsplit(link).path.rpartition("/")[2]
        message = name if location == "artifacts/key" else name.capitalize()
        if location in NAMED:
            message = str(self.ask(f"{NAMED[location][0]}/{name}")[NAMED[location][1]])[
                :LEAST_WORDS
            ]
        self.page.get_by_text(message).first.wait_for()
        return location

    def newest_artifact(self, key: str) -> dict[str, Any]:
        """The newest artifact whose key has this."""
        expected = {"key": {"like_": f"{key}%"}}
        inputs = {"artifacts": expected, "sort": "CREATED_DESC", "limit": 1}
        return dict(self.ask("artifacts/filter", inputs)[0])

    def open_artifact(self, key: str) -> None:
        newest = self.newest_artifact(key)
        self.page.goto(f"{self.url}/v2/artifacts/artifact/{newest['id']}")
        self.page.get_by_text("Artifact", exact=False).first.wait_for()


def place_of(link: str) -> str:
    """`artifacts/key` of a link to one, and `runs` of the list of all."""
    path = urlsplit(link).path.removeprefix("/v2/")
    if path.endswith("/run"):
        return FORM
    return path.rpartition("/")[0] or path


def field(place: Page | Locator, title: str) -> Locator:
    return place.get_by_label(re.compile(f"^{re.escape(title)}"))
