"""`make pictures` takes all pictures of the documentation anew, of real runs;
benchmarks draw their own.
"""

from __future__ import annotations

import base64
import csv
import io
import os
import pty
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from tests.deployments.conftest import serve
from tests.running import ROOT, own_sandbox, write_csv
from tests.ui.browser import window
from tests.ui.day import of
from tests.ui.test_shop_day import from_export_to_numbers

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

IMAGES = ROOT / "docs/images"
WIDTH = 118
COMMAND = ("sourcing", "run", "orders.csv", "--budget-cny", "5000")
ORDERS = (
    "US-1001",
    "DE-2002",
    "GB-3001",
    "JP-7001",
    "AU-6003",
    "FR-4002",
    "XX-0001",
    "XX-0002",
)
MOVES = re.compile(r"(\r|\n|\x1b\[(?:\d*A|2K|\?25[hl]))")


def terminal_svg(folder: Path) -> str:
    """A run that is asked about and said yes to, as a terminal shows it."""
    with (ROOT / "examples/requests.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["order_ref"] in ORDERS]
    write_csv(folder / "orders.csv", rows)
    with own_sandbox() as sandbox:
        settings = {
            "XPORTCN_BASE_URL": sandbox.url,
            "SOURCING_DATA_DIR": "data",
            "COLUMNS": str(WIDTH),
        }
        written = typed(COMMAND, folder, settings, answer="y")
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(
        Text.from_ansi(
            f"$ {' '.join(COMMAND)}\n{left_on_screen(written).replace(f'{folder}/', '')}"
        )
    )
    return console.export_svg(title="sourcing", theme=DIMMED_MONOKAI)


def typed(
    command: tuple[str, ...], folder: Path, settings: dict[str, str], *, answer: str
) -> str:
    """All that a command writes to a terminal of its own, where its one question is
    answered.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ |= {**settings, "TERM": "xterm-256color"}
        os.execv(ROOT / ".venv/bin" / command[0], command)
    written = b""
    with suppress(OSError):  # it has ended
        while part := os.read(terminal, 4096):
            written += part
            if written.rstrip().endswith(b"[y/N]:"):
                os.write(terminal, f"{answer}\n".encode())
    os.waitpid(child, 0)
    return written.decode()


def left_on_screen(written: str) -> str:
    """What still stands there once progress bars have moved up and wiped their
    lines.
    """
    lines, at = [""], 0
    for part in MOVES.split(written):
        if part == "\n":
            at += 1
            lines.extend([""] * (at + 1 - len(lines)))
        elif part.endswith("A") and part.startswith("\x1b["):
            at = max(0, at - int(part[2:-1] or 1))
        elif part == "\x1b[2K":
            lines[at] = ""
        elif not MOVES.fullmatch(part):
            lines[at] += part
    return "\n".join(lines)


def page_of(svg: str) -> str:
    return f'<body style="margin: 0">{svg}</body>'


def take_terminal(folder: Path) -> None:
    svg = terminal_svg(folder)
    with window(scale=1.5) as page:
        page.set_content(page_of(svg))
        page.locator("svg").screenshot(path=IMAGES / "terminal.png")


def take_pages(folder: Path) -> None:
    """Of the UI: a run is filled in, asks, ends; a wrong one fails; and the page of its
    report.
    """
    with serve(folder) as served, window(height=1000) as page:
        day = of(served, page)
        run_id = day.paste("spring", 6, at=lambda: take(page, "run-form"))
        day.ui.await_state(run_id, "PAUSED")
        day.approve_all_but(
            run_id, ["spring-2", "spring-5"], "", at=lambda form: take_form(page, form)
        )
        run = day.see_the_outcome(run_id, "")
        batch = run["name"].split(":")[0]
        day.ui.open_run(run_id)
        take(page, "run-logs")
        for name in ("outcome", "report"):
            day.ui.open_artifact(f"{name}-{batch}")
            take(page, name)
        day.ended(day.start("buy-from-file", "", Request_file="orders.ods"), "", "")
        page.get_by_role("tab", name="Details").click()
        take(page, "wrong-form")
        take_report(page, f"{served.page}/report?batch={batch}")


def take(page: Page, name: str) -> None:
    page.wait_for_timeout(1500)  # transitions
    page.screenshot(path=IMAGES / f"{name}.png")


def take_form(page: Page, form: Locator) -> None:
    """The whole window of a question, plan and answer."""
    page.set_viewport_size({"width": 1280, "height": 2600})
    page.wait_for_timeout(1500)
    form.screenshot(path=IMAGES / "approval-form.png")
    page.set_viewport_size({"width": 1280, "height": 1000})


def take_report(page: Page, address: str) -> None:
    """The page of a report, on a desk and on a phone."""
    both = []
    for width in (1000, 390):
        page.set_viewport_size({"width": width, "height": 1100})
        page.goto(address)
        both.append(page.screenshot())
    page.goto(
        "about:blank"
    )  # what the report forbids itself would hold for its pictures too
    page.set_viewport_size({"width": 1460, "height": 1130})
    take_together(page, both, "report-page")


def take_together(page: Page, pictures: Sequence[bytes], name: str) -> None:
    shown = (base64.b64encode(one).decode() for one in pictures)
    page.set_content(
        "".join(
            f'<img style="margin-right: 20px" src="data:image/png;base64,{one}">'
            for one in shown
        )
    )
    take(page, name)


def take_shop(folder: Path) -> None:
    """A shop's export as it is approved on a phone, and the file of its numbers."""
    both = list[bytes]()
    from_export_to_numbers(folder, lambda page: both.append(page.screenshot()))
    with window(height=920) as page:
        page.set_viewport_size({"width": 840, "height": 920})
        take_together(page, both, "shop")


def main() -> None:
    for take_some in (take_terminal, take_pages, take_shop):
        with TemporaryDirectory() as folder:
            take_some(Path(folder))


if __name__ == "__main__":
    main()
