"""Stores what the service posts, and answers.

A message is answered 200 once it is on disk. A client without the token learns nothing,
not even that there is one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from connectors.callbacks import CallbackStore
from connectors.ledger.engine import LedgerUnusable
from connectors.settings import SourcingSettings, enter_folder
from connectors.xportcn.callback_reader import order_ids_in
from deployments.bounded_http import body_of, run_app
from deployments.local_server import listening

PATH = "/callbacks/"
MAX_BODY_BYTES = 256 * 1024
BODY_WITHIN_S = 5.0
ANSWERED_WITHIN_S = 10.0
COMPLAINS_EVERY_S = 60.0

log = logging.getLogger("sourcing")


class Batch(dict[bytes, Sequence[str]]):
    """Messages of one commit: their orders by body."""

    is_stored = False


class CallbackReceiver:
    """The ASGI endpoint of the messages."""

    def __init__(self, store: CallbackStore) -> None:
        self._store = store
        self._batch = Batch()
        self._writing = asyncio.Lock()
        self._complained_at = -COMPLAINS_EVERY_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                answer = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return
        except (LedgerUnusable, TimeoutError) as error:
            self._complain(error)
            answer = _refused(503, "not stored; send it again")
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        token = request.path_params["token"]
        if not await asyncio.to_thread(self._store.is_valid, token):
            raise HTTPException(404)
        if request.method not in ("GET", "HEAD", "POST"):
            return _refused(405, "post messages here")
        try:
            body = await body_of(request, most=MAX_BODY_BYTES, within_s=BODY_WITHIN_S)
        except HTTPException as error:
            return _refused(error.status_code, error.detail)
        if request.method == "POST" and body.strip():
            await self._put(body)
        return PlainTextResponse("ok")  # the console checks that the address answers

    async def _put(self, body: bytes) -> None:
        """Store a message, in one commit with those that came meanwhile."""
        batch = self._batch
        batch[body] = order_ids_in(body)
        async with self._writing:
            if batch is self._batch:
                self._batch = Batch()
                await asyncio.to_thread(self._store.add, batch)
                batch.is_stored = True
        if not batch.is_stored:
            raise LedgerUnusable("another message of the same commit was not stored")

    def _complain(self, error: Exception) -> None:
        """Log a failure once in a while: its cause may be a full disk."""
        if time.monotonic() - self._complained_at >= COMPLAINS_EVERY_S:
            self._complained_at = time.monotonic()
            message = str(error) or "the database does not answer"
            log.error("Messages can't be stored, senders get an error: %s", message)


async def health(request: Request) -> Response:
    return PlainTextResponse("ok")


def app_of(store: CallbackStore) -> Starlette:
    """Return the ASGI app of a receiver with this store."""
    routes = [
        Route(PATH + "{token}", CallbackReceiver(store)),
        Route("/health", health),
    ]
    app = Starlette(routes=routes)
    # else a path with one more slash shows which paths there are
    app.router.redirect_slashes = False
    return app


def _refused(status: int, message: str) -> Response:
    """A body that was not taken leaves a rest on the wire, so the connection ends."""
    return PlainTextResponse(message, status, {"Connection": "close"})


def receive(host: str, port: int | None) -> None:
    """Receive until SIGINT or SIGTERM; a message being answered then is answered.

    Port 0 takes any free one, None that of the settings. Raises `ServerFailed`,
    `LedgerUnusable` or `BadSetting`.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    enter_folder()
    settings = SourcingSettings()
    port = settings.callbacks_port if port is None else port
    with (
        listening(host, port, "--port or SOURCING_CALLBACKS_PORT") as listener,
        CallbackStore(settings.ledger_url, clock=lambda: datetime.now(UTC)) as store,
    ):
        name, number, *_ = listener.getsockname()
        address = f"http://{f'[{name}]' if ':' in name else name}:{number}{PATH}TOKEN"
        print(f"callbacks are received on {address}", flush=True)
        run_app(app_of(store), listener)
