"""The pages: today, search, an order, batches and reports, downloads, upload. The
ledger is opened for reading only.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from prefect.client.orchestration import get_client
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connectors.export_formats import ExportFormat
from connectors.foreign import prefect_errors, words_of
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.overview import counted_by_state, every_batch
from connectors.ledger.records import OrderRecord, line_of
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.files import SnapshotError
from connectors.ui_pages import (
    WHAT_WAITS,
    artifact_page,
    run_form,
    ui_address,
)
from connectors.xportcn.settings import XportcnSettings
from deployments.bounded_http import body_of
from deployments.page.guard import FOLDERS, STYLES, Guard
from domain.holds import Pause, start_of_day
from domain.money import Money
from domain.orders import OrderLine
from domain.states import OrderState
from domain.wording import counted, pluralize, shorten
from flows.answers.histories import history_of, meant_by
from flows.answers.todo import ToDo, alike, shared_commands, to_do
from flows.prefect_ui.markdown import picture, shown_whole
from flows.prefect_ui.runs import next_start
from flows.prefect_ui.todo_artifact import (
    links_of,
)
from flows.report.page import page
from flows.report.sections import (
    Section,
    UnknownBatch,
    describe,
    goods_of,
    parcels_of,
    read_report,
    title_of,
)

NUMBERS = ("orders", "paid", "bytes", "quantity", "price", "limit")
TEMPLATE = {
    "FEW_COLUMNS": 2,
    "NUMBERS": NUMBERS,
    "style": Markup(STYLES[0]),
}
T = TypeVar("T")
NIGHTLY = "buy-from-inbox"
STEPS = (
    "1. Upload: a request file with what to buy and where to send it.",
    "2. Begin the night now: it plans, and asks for your yes.",
    "3. Answer here, under What waits for you.",
)
LASTS_S = 5.0
ANSWERS_WITHIN_S = 5.0
MOST_ROWS = 200
LONGEST_NAME = 200
SENT_WITHIN_S = 60.0
MOST_SENDERS = 4
DAY_S = 86_400
FORMS = {
    "buy-from-file": "Buy from a form",
    "buy-from-inbox": "Begin the night now",
    "sync-tracking": "Read the parcels now",
    "compute-costs": "Compute the costs now",
    "pause-buying": "Stop all buying",
    "resume-buying": "Allow buying again",
    "request-refund": "Refund",
    "cancel-orders": "Cancel",
}
"""Deployments, and the texts of the links to their forms."""


def part(
    title: str, columns: Sequence[str] = (), rows: Sequence[Any] = (), **more: Any
) -> dict[str, Any]:
    """A part of a page: `words` and a table."""
    key = title.lower().replace(" ", "-")
    return {
        "title": title,
        "key": key,
        "columns": columns,
        "rows": rows,
        "words": (),
        **more,
    }


def to(text: object, path: str, **query: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(
        f"{path}?{urlencode(query)}" if query else path, text
    )


def forms_of(
    id_of: Mapping[str, UUID], filled: Mapping[str, dict[str, Any]]
) -> list[Markup]:
    """Links to the forms of these deployments, with what is filled in."""
    return anchors(
        (FORMS[name], run_form(id_of[name], values))
        for name, values in filled.items()
        if name in id_of
    )


def anchors(links: Iterable[tuple[str, str]]) -> list[Markup]:
    return [to(text, address) for text, address in links if address]


class Standing(NamedTuple):
    """What the ledger says: orders by state, what left or may leave today, and what
    waits.
    """

    at: datetime
    states: Mapping[str, int]
    spent: Money
    waits: Sequence[tuple[Sequence[ToDo], str]]
    pause: Pause | None


class Server(NamedTuple):
    """What Prefect says: deployments by name, and the next night."""

    forms: Mapping[str, UUID] = {}
    night: datetime | None = None


class Page:
    """The pages. What is costly is made at most every few seconds, or one at a time: a
    run may be buying beside it.
    """

    _made: asyncio.Task[tuple[Standing, Server]]

    def __init__(
        self, settings: SourcingSettings, clock: Callable[[], datetime]
    ) -> None:
        self.settings, self.clock, self.zone = (
            settings,
            clock,
            ZoneInfo(settings.timezone),
        )
        self._turn, self._taking, self._sending = (
            asyncio.Lock(),
            asyncio.Lock(),
            asyncio.Semaphore(MOST_SENDERS),
        )
        self._until = 0.0
        self.pictures = (xportcn := XportcnSettings()).pictures
        files = FileSystemLoader(FOLDERS)
        environment = Environment(
            loader=files,
            autoescape=True,
            undefined=StrictUndefined,
            finalize=self._in_words,
        )
        environment.globals |= {
            **TEMPLATE,
            "is_sandbox": xportcn.is_sandbox,
            "zone": settings.timezone,
        }
        self._template = environment.get_template("page.html")

    def shown(
        self, title: str, *parts: Any, status: int = 200, **more: Any
    ) -> Response:
        blank = {
            "facts": {},
            "words": (),
            "links": (),
            "asked": "",
            "takes_file": False,
            "ui": ui_address(),
        }
        return HTMLResponse(
            self._template.render({**blank, "title": title, "parts": parts, **more}),
            status,
        )

    def _in_words(self, value: object) -> object:
        """What a page shows of a value: a moment in the merchant's time, a state in
        words.
        """
        if isinstance(value, datetime):
            return f"{value.astimezone(self.zone):%Y-%m-%d %H:%M}"
        return value.replace("_", " ") if isinstance(value, OrderState) else value or ""

    def pictured(self, text: str, *lines: OrderLine) -> Markup:
        return (
            Markup(
                "".join(picture(line.image_url, self.pictures) for line in lines[:1])
            )
            + text
        )

    async def read(self, read: Callable[[Ledger], T]) -> T:
        def work() -> T:
            with Ledger(
                self.settings.ledger_url,
                clock=self.clock,
                owner="page",
                only_reads=True,
            ) as ledger:
                return read(ledger)

        return await asyncio.to_thread(work)

    async def now(self) -> tuple[Standing, Server]:
        """What ledger and Prefect say, asked once for all that look within a few
        seconds. A failure lasts as long.
        """
        if time.monotonic() >= self._until:
            self._until, self._made = math.inf, asyncio.create_task(self._ask())
        return await asyncio.shield(self._made)

    async def _ask(self) -> tuple[Standing, Server]:
        try:
            self.settings = self.settings.renewed()
            return await asyncio.gather(self.read(self._stands), ask_server())
        finally:
            self._until = time.monotonic() + LASTS_S

    def _stands(self, ledger: Ledger) -> Standing:
        moment = self.clock()
        with ledger.reading() as connection:
            states = counted_by_state(connection, list(OrderState))
        return Standing(
            at=moment,
            states={state: states[state] for state in OrderState if state in states},
            spent=Money(ledger.spent_since(start_of_day(moment, self.zone.key))),
            waits=alike(to_do(ledger, self.settings)),
            pause=ledger.buying_paused(),
        )

    async def today(self, request: Request) -> Response:
        moment, server = await self.now()
        rows: list[Sequence[object]] = [
            self._waits(those, reason, server.forms)
            for those, reason in moment.waits[:MOST_ROWS]
        ]
        kinds = counted(to_do.state for those, _ in moment.waits for to_do in those)
        lines = [f"{kinds}. The most urgent first." if kinds else "Nothing."]
        lines += (
            [to("All of it in Prefect", artifact_page(WHAT_WAITS))]
            if ui_address()
            else []
        )
        deeds = (
            "buy-from-file",
            "buy-from-inbox",
            "sync-tracking",
            "resume-buying" if moment.pause else "pause-buying",
            "compute-costs",
        )
        of_limit = (
            f"{moment.spent} of {limit}"
            if (limit := self.settings.day_limit)
            else moment.spent
        )
        states = [(state, f"{count:,}") for state, count in moment.states.items()]
        return self.shown(
            "Today",
            part(
                "What waits for you",
                ("what to do", "what", "state", "why", "since"),
                rows,
                words=lines,
            ),
            part("Orders", ("state", "orders"), states)
            if states
            else part("Three steps", words=STEPS),
            facts={
                "spent today": of_limit,
                "next night": server.night,
                "as of": moment.at,
            },
            words=[moment.pause.notice] if moment.pause else (),
            links=[
                to("Send a file", "/upload"),
                *forms_of(server.forms, {name: {} for name in deeds}),
            ],
        )

    def _waits(
        self, those: Sequence[ToDo], reason: str, forms: Mapping[str, UUID]
    ) -> Sequence[object]:
        to_do, names = those[0], shorten([to_do.order_ref for to_do in those])
        todo = anchors(links_of(those, forms)) or [
            Markup("<code>{}</code>").format(command)
            for command in shared_commands(those)
        ]
        name = (
            to(
                names,
                "/search",
                q=to_do.order_ref if len(those) == 1 else to_do.batch_id,
            )
            if to_do.batch_id
            else names
        )
        markup = Markup(" · ").join([*todo, *([to_do.advice] if to_do.advice else [])])
        return markup, name, to_do.state, reason, min(to_do.since for to_do in those)

    async def search(self, request: Request) -> Response:
        query = _asked(request, "q")
        batch, orders = await self.read(lambda ledger: _found(ledger, query))
        if len(orders) == 1 and not batch:
            return RedirectResponse(
                f"/order?{urlencode({'ref': orders[0].order_ref})}", 303
            )
        links = [
            self.pictured(
                to(order.order_ref, "/order", ref=order.order_ref), *order.lines
            )
            for order in orders
        ]
        summaries = [
            (order.state, order.reason, order.paid, order.updated_at)
            for order in orders
        ]
        rows = [(link, *cells) for link, cells in zip(links, summaries, strict=True)]
        lines = [
            pluralize(len(orders), "order")
            if orders
            else "No order has this as a reference, id or number."
        ]
        report = [to("Report with charts", "/report", batch=batch)] if batch else ()
        table = part(
            "Orders", ("order", "state", "why", "paid", "changed"), rows, words=lines
        )
        return self.shown(
            f"Batch {batch}" if batch else "Search", table, asked=query, links=report
        )

    async def order(self, request: Request) -> Response:
        ref = _asked(request, "ref")
        shown_orders = await self.read(
            lambda ledger: [
                (o, history_of(ledger, o)) for o in ledger.orders([ref]).values()
            ]
        )
        if not shown_orders:
            raise HTTPException(404, "The ledger has no such order")
        [(order, [lines, *parts_lines])] = shown_orders
        seen_scans = [
            (self.pictured(row[0], line), *row[1:])
            for line, row in zip(order.lines, lines[2], strict=True)
        ]
        parts_lines = [(*lines[:2], seen_scans), *parts_lines]
        moment, server = await self.now()
        to_dos = [
            to_do
            for those, _ in moment.waits
            for to_do in those
            if to_do.order_ref == ref
        ]
        links = [
            link
            for to_do in to_dos
            for link in anchors(links_of([to_do], server.forms))
        ]
        if order.state is not OrderState.REFUNDED:
            forms: dict[str, Any] = {
                "request-refund": {"order_ref": ref},
                "cancel-orders": {"order_refs": [ref]},
            }
            links += forms_of(server.forms, forms)
        line = line_of(order)
        facts = {
            "state": order.state,
            "tracking": Markup(" · ").join(anchors(parcels_of(line, order))),
            "goods": Markup(" · ").join(
                anchors(goods_of(order.lines, line.marketplace))
            ),
            "approved": order.approved,
            "paid": order.paid,
            "freight": line.freight,
            "came back": order.refunded if order.refunded_minor else "",
            "order id": order.order_id,
            "shipment": order.shipment_order_id,
        }
        return self.shown(
            f"Order {ref}",
            *(part(title, heads, rows) for title, heads, rows in parts_lines if rows),
            facts=facts,
            words=[
                lines
                for lines in (
                    order.reason,
                    *(to_do.remedy or to_do.advice for to_do in to_dos),
                )
                if lines
            ],
            links=[*links, to(f"Batch {order.batch_id}", "/search", q=order.batch_id)],
        )

    async def batches(self, request: Request) -> Response:
        moments = await self.read(every_batch)
        rows = [
            (
                to(batch, "/search", q=batch),
                moment,
                to("report with charts", "/report", batch=batch),
            )
            for batch, moment in islice(reversed(moments.items()), MOST_ROWS)
        ]
        table = part(
            "Batches, the newest first",
            ("batch", "begun", "report"),
            rows,
            words=[f"{len(moments):,} in all"],
        )
        return self.shown(
            "Batches and reports", table, links=[to("Report of everything", "/report")]
        )

    async def report(self, request: Request) -> Response:
        batch = _asked(request, "batch")

        def described(ledger: Ledger) -> tuple[str, list[Section]]:
            report = read_report(ledger, batch)
            records = ledger.orders(shown_whole(report))
            return title_of(report), describe(report, records)

        async with self._turn:
            try:
                title, sections = await self.read(described)
            except UnknownBatch as error:
                raise HTTPException(404, str(error)) from error
        moment = f"as of {self._in_words(self.clock())} {self.zone.key}"
        return HTMLResponse(page(title, moment, sections))

    async def downloads(self, request: Request) -> Response:
        from connectors.snapshots.tables import TABLES

        files = [
            (
                to(name, "/download", file=name),
                f"{of.st_size:,}",
                datetime.fromtimestamp(of.st_mtime, UTC),
            )
            for name, of in (
                (name, path.lstat()) for name, path in self._files().items()
            )
        ]
        kinds = {
            name: [to(kind, "/table", name=name, kind=kind) for kind in ExportFormat]
            for name in TABLES
        }
        tables = [(name, Markup(" · ").join(links)) for name, links in kinds.items()]
        lines = ["The morning's costs, and every export, come here."]
        written = part(
            "Costs and exports", ("file", "bytes", "written"), files, words=lines
        )
        return self.shown(
            "Downloads",
            written,
            part("Tables as they are now", ("table", "as"), tables),
        )

    def _files(self) -> dict[str, Path]:
        """Finished files of exports by name. A link is none of them: it may lead
        anywhere.
        """
        folder = self.settings.data_dir / "exports"
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return {
            file.name: file
            for file in files
            if file.is_file() and not (file.is_symlink() or file.name.startswith("."))
        }

    async def download(self, request: Request) -> Response:
        """A file by its name in the listing: no path is made of what is asked for."""
        if (path := self._files().get(_asked(request, "file"))) is None:
            raise HTTPException(404, "There is no such file")
        return FileResponse(
            path, filename=path.name, media_type="application/octet-stream"
        )

    async def table(self, request: Request) -> Response:
        """A table, written beside the other exports."""
        from connectors.exports import export
        from connectors.snapshots.reader import QueryBounds
        from connectors.snapshots.tables import TABLES

        name = _asked(request, "name")
        kind = _asked(request, "kind")
        if name not in TABLES or kind not in list(ExportFormat):
            raise HTTPException(404, "There is no such table")
        async with self._turn:
            file, _ = await asyncio.to_thread(
                export,
                self.settings,
                ExportFormat(kind),
                tables=[name],
                bounds=QueryBounds(),
            )
        return RedirectResponse(f"/download?{urlencode({'file': file.name})}", 303)

    async def upload(self, request: Request) -> Response:
        from deployments.page.guard import MOST_SENT, sent_file, take

        if request.method == "GET":
            return self.shown("Upload", takes_file=True)
        async with self._sending:
            body = await body_of(request, most=MOST_SENT, within_s=SENT_WITHIN_S)
            name, content = sent_file(request.headers.get("content-type", ""), body)
            async with self._taking:
                self.settings = self.settings.renewed()
                title, lines, faults = await asyncio.to_thread(
                    take, self.settings, name, content
                )
        rows = [
            (str(one.row or ""), one.column, one.message) for one in faults[:MOST_ROWS]
        ]
        table = part(
            title, ("row", "column", "what to mend"), rows, words=lines[:MOST_ROWS]
        )
        return self.shown(
            "Upload", table, status=422 if faults else 200, takes_file=True
        )

    async def pass_day(self, request: Request) -> Response:
        """The sandbox's clock goes on by a day, so that its parcels move."""
        if not (xportcn := XportcnSettings()).is_sandbox:
            raise HTTPException(404, "There is no sandbox")
        async with httpx.AsyncClient(timeout=ANSWERS_WITHIN_S) as client:
            answer = await client.post(
                f"{xportcn.base_url}/_sandbox/clock", json={"advance_s": DAY_S}
            )
        answer.raise_for_status()
        return RedirectResponse("/", 303)

    async def failed(self, request: Request, error: Exception) -> Response:
        own = (
            (error.status_code, error.detail)
            if isinstance(error, HTTPException)
            else None
        )
        status, message = own or (503, str(error) or words_of(error))
        return self.shown("That did not work", words=[message], status=status)


async def ask_server() -> Server:
    """Prefect's answers; nothing while it gives none, and without its address: its
    client would start a server.
    """
    if not os.environ.get("PREFECT_API_URL"):
        return Server()
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S), get_client() as client:
            forms = {
                deployment.name: deployment.id
                for deployment in await client.read_deployments()
            }
            night = (
                await next_start(client, forms[NIGHTLY]) if NIGHTLY in forms else None
            )
    except prefect_errors(OSError):
        return Server()
    return Server(forms, night)


def _asked(request: Request, name: str) -> str:
    """What an address asks for; empty for what can't be a name."""
    text = request.query_params.get(name, "").strip()
    return text if len(text) <= LONGEST_NAME and text.isprintable() else ""


def _found(ledger: Ledger, message: str) -> tuple[str, Sequence[OrderRecord]]:
    """A batch of this name with its orders, or the orders that are meant."""
    if message and ledger.sources_of([message]):
        return message, list(ledger.each_order(ledger.refs_in(message)[:MOST_ROWS]))
    return "", meant_by(ledger, message)


def app_of(
    settings: SourcingSettings, hosts: Collection[str], clock: Callable[[], datetime]
) -> ASGIApp:
    """The guarded app. `hosts` are names by which it may be called beside those of the
    settings.
    """
    page = Page(settings, clock)
    views = (
        page.search,
        page.order,
        page.batches,
        page.report,
        page.downloads,
        page.download,
        page.table,
    )
    routes = [
        Route("/", page.today),
        *(Route(f"/{view.__name__}", view) for view in views),
    ]
    routes += [
        Route("/upload", page.upload, methods=["GET", "POST"]),
        Route("/day", page.pass_day, methods=["POST"]),
    ]
    known_errors = (
        ClientDisconnect,
        HTTPException,
        LedgerUnusable,
        SnapshotError,
        OSError,
        httpx.HTTPError,
    )
    app = Starlette(
        routes=routes, exception_handlers=dict.fromkeys(known_errors, page.failed)
    )
    password = settings.page_password.get_secret_value()
    return Guard(app, hosts=hosts, password=password, pictures=page.pictures.sources)
