"""The pages: today, search, an order, batches and reports, downloads, upload. The ledger is opened for reading only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connectors.export_formats import ExportFormat
from connectors.foreign import words_of
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.overview import every_batch
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings, XportcnSettings
from connectors.snapshots.manifests import SnapshotError
from connectors.ui_pages import WHAT_WAITS, artifact_page, run_form, ui_address
from deployments.bounded_http import Unheard, body_of
from deployments.page.guard import FOLDERS, STYLES, Guard
from domain.wording import counted, pluralize, shorten
from flows.answers.histories import history_of, meant_by
from flows.batch.reporting import line_of
from flows.prefect_ui.goods import picture

if TYPE_CHECKING:
    from connectors.ledger.records import OrderRecord
    from deployments.page.today import Today
    from domain.orders import OrderLine

NUMBERS = ("orders", "paid", "bytes", "quantity", "price", "limit")
TEMPLATE = {"ALL": "", "NARROW": 2, "NUMBERS": NUMBERS, "LINES_OF_THEIR_OWN": (), "style": Markup(STYLES[0])}
MOST_ROWS, LONGEST_NAME, SENT_WITHIN_S, DAY_S = 200, 200, 60.0, 86_400
Form = tuple[str, str, dict[str, Any]]  # a deployment, the text of its link, and what is filled in
DEEDS: Sequence[Form] = (
    *(("buy-from-file", "Buy from a form", {}), ("buy-from-inbox", "Begin the night now", {})),
    *(("sync-tracking", "Read the parcels now", {}), ("pause-buying", "Stop all buying", {})),
    ("resume-buying", "Allow buying again", {}),
)


def remedies(ref: str) -> Sequence[Form]:
    return ("request-refund", "Refund", {"order_ref": ref}), ("cancel-orders", "Cancel", {"order_refs": [ref]})


def part(title: str, columns: Sequence[str] = (), rows: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
    """A part of a page: `words`, a `chart`, a table."""
    key = title.lower().replace(" ", "-")
    return {"title": title, "key": key, "columns": columns, "rows": rows, "words": (), "chart": "", **more}


def to(text: object, path: str, **query: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(f"{path}?{urlencode(query)}" if query else path, text)


def forms_of(forms: Mapping[str, Any], *wanted: Form) -> list[Markup]:
    known = [(text, run_form(forms[name], values)) for name, text, values in wanted if name in forms]
    return [to(text, address) for text, address in known if address]


class Page:
    """The pages. What is costly is made by `Today`, or one at a time: a run may be buying beside it."""

    def __init__(self, settings: SourcingSettings, clock: Callable[[], datetime]) -> None:
        self.settings, self.clock, self.zone = settings, clock, ZoneInfo(settings.timezone)
        self._turn = asyncio.Lock()
        self._made: list[Today] = []
        self.pictures = settings.pictures(xportcn := XportcnSettings())
        made = Environment(loader=FileSystemLoader(FOLDERS), autoescape=True, undefined=StrictUndefined)
        made.globals |= {**TEMPLATE, "is_sandbox": xportcn.is_sandbox, "zone": settings.timezone}
        self._template = made.get_template("page.html")

    def shown(self, title: str, *parts: Any, status: int = 200, **more: Any) -> Response:
        blank = {"facts": {}, "words": (), "links": (), "asked": "", "takes_file": False, "ui": ui_address()}
        return HTMLResponse(self._template.render({**blank, "title": title, "parts": parts, **more}), status)

    def at(self, cell: object) -> Any:
        """A cell of a table, a moment in the merchant's time."""
        if isinstance(cell, datetime):
            return f"{cell.astimezone(self.zone):%Y-%m-%d %H:%M}"
        return cell if isinstance(cell, Markup) else str(cell or "")

    def pictured(self, text: str, *lines: OrderLine) -> Markup:
        return Markup("".join(picture(one.image_url, self.pictures) for one in lines[:1])) + text

    async def readings(self) -> Today:
        """The readings of the first page. They load Prefect, which takes seconds: not before the first view."""
        module: Any = await asyncio.to_thread(import_module, "deployments.page.today")
        self._made = self._made or [module.Today(self.settings, self.clock)]
        return self._made[0]

    async def read(self, read: Callable[[Ledger], Any]) -> Any:
        def work() -> Any:
            with Ledger(self.settings.ledger_url, clock=self.clock, owner="page", only_reads=True) as ledger:
                return read(ledger)

        return await asyncio.to_thread(work)

    async def today(self, request: Request) -> Response:
        readings = await self.readings()
        now, server = await asyncio.gather(readings.standing.get(), readings.server.get())
        rows: list[Sequence[str]] = [
            (to("open it, then Resume", address) if address else "", name, "to approve", asked, self.at(since))
            for name, since, asked, address in server.asking
        ]
        rows += [self._waits(readings, those, why, server.forms) for those, why in now.waits[:MOST_ROWS]]
        kinds = counted(["to approve"] * len(server.asking) + [one.state for those, _ in now.waits for one in those])
        words = [f"{kinds}. The most urgent first." if kinds else "Nothing."]
        words += [to("All of it in Prefect", artifact_page(WHAT_WAITS))] if ui_address() else []
        done = "pause-buying" if now.pause else "resume-buying"
        of_limit = f"{now.spent} of {limit}" if (limit := self.settings.day_limit) else now.spent
        return self.shown(
            "Today",
            part("What waits for you", ("what to do", "what", "state", "why", "since"), rows, words=words),
            part("What left, or may have left, by the day it was begun", chart=now.chart),
            part("Orders", ("state", "orders"), [(s.replace("_", " "), f"{n:,}") for s, n in now.states.items()]),
            facts={"spent today": of_limit, "next night": self.at(server.night), "as of": self.at(now.at)},
            words=[now.pause.notice] if now.pause else (),
            links=[to("Send a file", "/upload"), *forms_of(server.forms, *(one for one in DEEDS if one[0] != done))],
        )

    def _waits(self, readings: Today, those: Sequence[Any], why: str, forms: Mapping[str, Any]) -> Sequence[str]:
        one, names = those[0], shorten([one.order_ref for one in those])
        todo = [to(text, address) for text, address in readings.links_of(those, forms)]
        todo = todo or [Markup("<code>{}</code>").format(command) for command in readings.shared_commands(those)]
        name = to(names, "/search", q=one.order_ref if len(those) == 1 else one.batch_id) if one.batch_id else names
        what = Markup(" · ").join([*todo, *([one.advice] if one.advice else [])])
        return what, name, one.state, why, self.at(min(one.since for one in those))

    async def search(self, request: Request) -> Response:
        asked = request.query_params.get("q", "").strip()[:LONGEST_NAME]
        batch, found = await self.read(lambda ledger: _found(ledger, asked)) if asked.isprintable() else ("", [])
        if len(found) == 1 and not batch:
            return RedirectResponse(f"/order?{urlencode({'ref': found[0].order_ref})}", 303)
        links = [self.pictured(to(one.order_ref, "/order", ref=one.order_ref), *one.lines) for one in found]
        rows = [
            (link, one.state.replace("_", " "), one.reason, one.paid, self.at(one.updated_at))
            for link, one in zip(links, found, strict=True)
        ]
        words = [pluralize(len(found), "order") if found else "No order has this as a reference, id or number."]
        report = [to("Report with charts", "/report", batch=batch)] if batch else ()
        table = part("Orders", ("order", "state", "why", "paid", "changed"), rows, words=words)
        return self.shown(f"Batch {batch}" if batch else "Search", table, asked=asked, links=report)

    async def order(self, request: Request) -> Response:
        ref = _named(request, "ref")
        found = await self.read(lambda ledger: [(o, history_of(ledger, o)) for o in ledger.orders([ref]).values()])
        if not found:
            raise HTTPException(404, "The ledger has no such order")
        [(order, [lines, *parts])] = found
        seen = [(self.pictured(row[0], line), *row[1:]) for line, row in zip(order.lines, lines[2], strict=True)]
        parts = [(*lines[:2], seen), *parts]
        readings = await self.readings()
        now, server = await asyncio.gather(readings.standing.get(), readings.server.get())
        mine = [one for those, _ in now.waits for one in those if one.order_ref == ref]
        links = [to(text, address) for one in mine for text, address in readings.links_of([one], server.forms)]
        links += forms_of(server.forms, *remedies(ref))
        facts = {"state": order.state.replace("_", " "), "approved": order.approved, "paid": order.paid}
        facts |= {"freight": line_of(order).freight, "came back": order.refunded if order.refunded_minor else ""}
        facts |= {"order id": order.order_id, "shipment": order.shipment_order_id}
        return self.shown(
            f"Order {ref}",
            *(part(title, heads, [list(map(self.at, row)) for row in rows]) for title, heads, rows in parts if rows),
            facts=facts,
            words=[words for words in (order.reason, *(one.remedy or one.advice for one in mine)) if words],
            links=[*links, to(f"Batch {order.batch_id}", "/search", q=order.batch_id)],
        )

    async def batches(self, request: Request) -> Response:
        known = await self.read(every_batch)
        rows = [
            (to(batch, "/search", q=batch), self.at(begun), to("report with charts", "/report", batch=batch))
            for batch, begun in islice(reversed(known.items()), MOST_ROWS)
        ]
        table = part("Batches, the newest first", ("batch", "begun", "report"), rows, words=[f"{len(known):,} in all"])
        return self.shown("Batches and reports", table, links=[to("Report of everything", "/report")])

    async def report(self, request: Request) -> Response:
        from flows.report.figures import UnknownBatch, report
        from flows.report.page import page

        batch, zone = request.query_params.get("batch", "")[:LONGEST_NAME], self.settings.timezone
        async with self._turn:
            try:
                figures = await asyncio.to_thread(report, self.settings.snapshot_root, batch, zone)
            except UnknownBatch as error:
                raise HTTPException(404, str(error)) from error
            made = await asyncio.to_thread(page, figures, zone)
        return HTMLResponse(made)

    async def downloads(self, request: Request) -> Response:
        from connectors.snapshots.tables import TABLES

        files = [
            (to(name, "/download", file=name), f"{of.st_size:,}", self.at(datetime.fromtimestamp(of.st_mtime, UTC)))
            for name, of in ((name, path.lstat()) for name, path in self._files().items())
        ]
        kinds = {name: [to(kind, "/table", name=name, kind=kind) for kind in ExportFormat] for name in TABLES}
        tables = [(name, Markup(" · ").join(links)) for name, links in kinds.items()]
        words = ["The morning's costs, and every export, come here."]
        written = part("Costs and exports", ("file", "bytes", "written"), files, words=words)
        return self.shown("Downloads", written, part("Tables as they are now", ("table", "as"), tables))

    def _files(self) -> dict[str, Path]:
        """Finished files of exports by name. A link is none of them: it may lead anywhere."""
        folder = self.settings.data_dir / "exports"
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return {one.name: one for one in files if one.is_file() and not (one.is_symlink() or one.name.startswith("."))}

    async def download(self, request: Request) -> Response:
        """A file by its name in the listing: no path is made of what is asked for."""
        if (path := self._files().get(_named(request, "file"))) is None:
            raise HTTPException(404, "There is no such file")
        return FileResponse(path, filename=path.name, media_type="application/octet-stream")

    async def table(self, request: Request) -> Response:
        """A table, written beside the other exports."""
        from connectors.exports import export
        from connectors.snapshots.reader import QueryBounds
        from connectors.snapshots.tables import TABLES

        name, kind = _named(request, "name"), _named(request, "kind")
        if name not in TABLES or kind not in list(ExportFormat):
            raise HTTPException(404, "There is no such table")
        made = partial(export, self.settings, ExportFormat(kind), tables=[name], bounds=QueryBounds())
        async with self._turn:
            file, _ = await asyncio.to_thread(made)
        return RedirectResponse(f"/download?{urlencode({'file': file.name})}", 303)

    async def upload(self, request: Request) -> Response:
        from deployments.page.uploads import MOST_SENT, sent_file, take

        if request.method == "GET":
            return self.shown("Upload", takes_file=True)
        async with self._turn:
            body = await body_of(request, most=MOST_SENT, within_s=SENT_WITHIN_S)
            name, content = sent_file(request.headers.get("content-type", ""), body)
            title, words, faults = await asyncio.to_thread(take, self.settings, name, content)
        rows = [(str(one.row or ""), one.column, one.message) for one in faults[:MOST_ROWS]]
        table = part(title, ("row", "column", "what to mend"), rows, words=words[:MOST_ROWS])
        return self.shown("Upload", table, status=422 if faults else 200, takes_file=True)

    async def pass_day(self, request: Request) -> Response:
        """The sandbox's clock goes on by a day, so that its parcels move."""
        if not (xportcn := XportcnSettings()).is_sandbox:
            raise HTTPException(404, "There is no sandbox")
        async with httpx.AsyncClient() as client:
            (await client.post(f"{xportcn.base_url}/_sandbox/clock", json={"advance_s": DAY_S})).raise_for_status()
        return RedirectResponse("/", 303)

    async def failed(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status", 503)
        words = error.detail if isinstance(error, HTTPException) else str(error) or words_of(error)
        return self.shown("That did not work", words=[words], status=status)


def _named(request: Request, name: str) -> str:
    text = request.query_params.get(name, "")
    if not text or len(text) > LONGEST_NAME or not text.isprintable():
        raise HTTPException(404, "There is no such thing")
    return text


def _found(ledger: Ledger, words: str) -> tuple[str, Sequence[OrderRecord]]:
    """A batch of this name with its orders, or the orders that are meant."""
    if words and ledger.knows_batch(words):
        return words, list(ledger.each_order(ledger.refs_in(words)[:MOST_ROWS]))
    return "", meant_by(ledger, words)


def app_of(settings: SourcingSettings, hosts: Collection[str], clock: Callable[[], datetime]) -> ASGIApp:
    """The guarded app. `hosts` are names by which it may be called beside those of the settings."""
    page = Page(settings, clock)
    views = (page.search, page.order, page.batches, page.report, page.downloads, page.download, page.table)
    routes = [Route("/", page.today), *(Route(f"/{view.__name__}", view) for view in views)]
    routes += [Route("/upload", page.upload, methods=["GET", "POST"]), Route("/day", page.pass_day, methods=["POST"])]
    known = (ClientDisconnect, HTTPException, Unheard, LedgerUnusable, SnapshotError, OSError, httpx.HTTPError)
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys(known, page.failed))
    names = {name.strip().lower() for name in settings.page_hosts.split(",")} - {""}
    password = settings.page_password.get_secret_value()
    return Guard(app, hosts={*hosts, *names}, password=password, pictures=page.pictures.sources)
