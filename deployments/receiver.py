"""`python -m deployments.receiver`: takes what the service posts, keeps it, and
answers; nothing else happens here.

A message is answered 200 once it is on disk. A client without the token learns nothing,
not even that there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from connectors.callbacks.figures import MetricsCollector
from connectors.callbacks.schema import Arrival
from connectors.callbacks.store import (
    CallbackStore,
    Intake,
    TooMany,
    fits,
    valid_digests,
)
from connectors.foreign import MOST_WORDS, clean, shortened, shut_logs
from connectors.ledger.engine import LedgerUnusable
from connectors.settings import BadSetting, SourcingSettings
from connectors.xportcn.callback_reader import (
    CallbackMessage,
    UnreadableCallback,
    parse_callback,
)
from deployments.bounded_http import ReceiverFailed, body_of, listening, run_app
from domain.reasons import Reason, ReasonCode, because
from domain.received import CallbackKind, CallbackState

PATH = "/callbacks/"
MOST_BYTES = 256 * 1024
BODY_WITHIN_S = 5.0
KEPT_WITHIN_S = 5.0
TOKENS_LAST_S = 3.0
READ_WITHIN_S = 2.0
COMPLAINS_EVERY_S = 60.0
UNTIL: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

log = logging.getLogger("sourcing")


class CallbackReceiver:
    """The ASGI endpoint of the messages, and what it needs."""

    def __init__(
        self,
        store: CallbackStore,
        settings: SourcingSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self.store, self.settings, self.clock = store, settings, clock
        self._newest = settings
        self.intake = Intake(store)
        self.registry = CollectorRegistry()
        self.registry.register(MetricsCollector(store, settings, clock))
        self.answers = Counter(
            "sourcing_posts",
            "Posts by their answer",
            ["status"],
            registry=self.registry,
        )
        self.took = Histogram(
            "sourcing_post_seconds",
            "From the head of a post to its answer",
            buckets=UNTIL,
            registry=self.registry,
        )
        self._digests: Sequence[str] | None = None
        self._read_at = 0.0
        self._complained_at = -COMPLAINS_EVERY_S
        self._reading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, began = Request(scope, receive), time.perf_counter()
        try:
            answer = await self._answered(request)
        except HTTPException:
            self.answers.labels(404).inc()
            raise
        except LedgerUnusable as error:
            answer = self._not_kept(error)
        except ClientDisconnect:
            return
        self.answers.labels(answer.status_code).inc()
        self.took.observe(time.perf_counter() - began)
        await answer(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        if not (
            fits(request.path_params["token"], await self._tokens())
            and self._may_post(request)
        ):
            raise HTTPException(404)
        if request.method in ("GET", "HEAD"):
            return PlainTextResponse(
                "ok"
            )  # the console checks that the address answers
        if request.method != "POST":
            return _refused(405, "post messages here")
        try:
            body = await body_of(request, most=MOST_BYTES, within_s=BODY_WITHIN_S)
        except HTTPException as error:
            return _refused(error.status_code, error.detail)
        return (
            await self._kept(body, request) if body.strip() else PlainTextResponse("ok")
        )

    async def _kept(self, body: bytes, request: Request) -> Response:
        arrival = read_arrival(body, _source(request), self.clock())
        try:
            async with asyncio.timeout(KEPT_WITHIN_S):
                await self.intake.keep(arrival)
        except (LedgerUnusable, TooMany, TimeoutError) as error:
            return self._not_kept(error)
        return PlainTextResponse("ok")

    def _not_kept(self, error: Exception) -> Response:
        """Answered to each sender, and logged once in a while: a full disk is not to be
        filled with it.
        """
        if time.monotonic() - self._complained_at >= COMPLAINS_EVERY_S:
            self._complained_at = time.monotonic()
            log.error(
                "Callbacks can't be kept now, and their senders get an error: %s",
                error or type(error).__name__,
            )
        return _refused(503, "not kept; send it again")

    async def _tokens(self) -> Sequence[str]:
        """The valid tokens; while the table can't be read, the last known ones.

        Raises `LedgerUnusable` where none were ever read: a rightful sender must not be
        answered that nothing is there.
        """
        async with self._reading:
            if self._digests is None:
                self._digests = await asyncio.to_thread(valid_digests, self.store)
            elif time.monotonic() - self._read_at >= TOKENS_LAST_S:
                self._renew()
                with contextlib.suppress(LedgerUnusable, TimeoutError):
                    async with asyncio.timeout(READ_WITHIN_S):
                        self._digests = await asyncio.to_thread(
                            valid_digests, self.store
                        )
            else:
                return self._digests
            self._read_at = time.monotonic()
        return self._digests

    def _renew(self) -> None:
        """Take on the settings; without addresses once they are read so twice: an
        editor empties `.env` to save it.
        """
        before, self._newest = self._newest, self.settings.renewed()
        if self._newest.callbacks_networks or not before.callbacks_networks:
            self.settings = self._newest

    def _may_post(self, request: Request) -> bool:
        networks = self.settings.callbacks_networks
        try:
            return not networks or any(
                ip_address(_source(request)) in network for network in networks
            )
        except ValueError:
            return False

    # for a monitor, never through a proxy

    async def ready(self, request: Request) -> Response:
        """Whether messages can be kept now, and a token is valid."""
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                digests = await asyncio.to_thread(valid_digests, self.store)
        except (LedgerUnusable, TimeoutError):
            return PlainTextResponse("messages can't be kept: see the log", 503)
        if not digests:
            return PlainTextResponse(
                "no post is taken: make a token with sourcing callbacks token", 503
            )
        return PlainTextResponse("ready")

    async def metrics(self, request: Request) -> Response:
        is_passed_on = (
            "x-forwarded-for" in request.headers or "forwarded" in request.headers
        )
        if is_passed_on or not _is_near(request):
            raise HTTPException(404)
        try:
            text = await asyncio.to_thread(generate_latest, self.registry)
        except LedgerUnusable as error:
            log.error(
                "Figures can't be read now: %s", error
            )  # its words name files and hosts
            return PlainTextResponse("figures can't be read: see the log", 503)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def health(request: Request) -> Response:
    return PlainTextResponse("ok")


def app_of(receiver: CallbackReceiver) -> Starlette:
    """The ASGI app of a receiver."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await receiver.intake.close()

    app = Starlette(
        routes=[
            Route(PATH + "{token}", receiver),
            Route("/health", health),
            Route("/ready", receiver.ready),
            Route("/metrics", receiver.metrics),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = (
        False  # else a path of one more slash shows which paths there are
    )
    return app


def _source(request: Request) -> str:
    return request.client.host[:64] if request.client else ""


def _is_near(request: Request) -> bool:
    """Whether the client is of a private network, and not of the internet."""
    try:
        return ip_address(_source(request)).is_private
    except ValueError:
        return False


def _refused(status: int, words: str) -> Response:
    """A body that was not taken leaves a rest on the wire, so the connection ends."""
    return PlainTextResponse(words, status, {"Connection": "close"})


def utc_now() -> datetime:
    return datetime.now(UTC)


def receive(host: str, port: int, *, say: Callable[[str], None] = print) -> None:
    """Receive until SIGINT or SIGTERM; a message being answered then is answered. Port
    0 takes any free one.

    Raises `ReceiverFailed`, `LedgerUnusable` or `BadSetting`.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    settings = SourcingSettings()
    with (
        listening(host, port) as listener,
        CallbackStore(settings.ledger_url, clock=utc_now) as store,
    ):
        address = listener.getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        say(
            f"callbacks are received on http://{shown}:{address[1]}{PATH}TOKEN; sourcing callbacks token makes a token"
        )
        run_app(app_of(CallbackReceiver(store, settings, utc_now)), listener)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.receiver", description="Receives callbacks."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--port", type=int, default=None, help="without it SOURCING_CALLBACKS_PORT"
    )
    options = parser.parse_args()
    shut_logs()
    try:
        port = (
            SourcingSettings().callbacks_port if options.port is None else options.port
        )
        receive(options.host, port, say=lambda words: print(words, flush=True))
    except (BadSetting, LedgerUnusable, ReceiverFailed) as error:
        sys.exit(f"callbacks: {error}")


MOST_ORDERS = 100
"""The most orders that a message of the service names; more are not the service's."""
LONGEST_ID = 64
DEEPEST = 64
TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
BRACKETS = re.compile(rb"[\[{}\]]")


def read_arrival(body: bytes, source: str, now: datetime) -> Arrival:
    """Any posted bytes as a message to store; unreadable ones are set aside with a
    reason. Raises nothing.
    """
    if _depth(body) > DEEPEST:
        return _set_aside(
            body, source, now, because(ReasonCode.CALLBACK_TOO_DEEP, most=DEEPEST)
        )
    try:
        message = parse_callback(body)
    except UnreadableCallback as error:
        failure = shortened(clean(str(error)), MOST_WORDS)
    except Exception as error:  # noqa: BLE001 - no posted bytes may stop the receiver
        failure = f"can't be read ({type(error).__name__})"
    else:
        return _understood(message, body, source, now)
    return _set_aside(
        body, source, now, because(ReasonCode.CALLBACK_UNREADABLE, failure=failure)
    )


def _depth(body: bytes) -> int:
    """The nesting depth of brackets outside of texts; an upper bound where texts are
    broken.
    """
    deepest = depth = 0
    for bracket in BRACKETS.findall(TEXTS.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _set_aside(body: bytes, source: str, now: datetime, why: Reason) -> Arrival:
    return Arrival(
        body=body,
        source=source,
        received_at=now,
        state=CallbackState.SET_ASIDE,
        outcome=why,
    )


def _understood(
    message: CallbackMessage, body: bytes, source: str, now: datetime
) -> Arrival:
    order_ids = message.order_ids
    if len(order_ids) > MOST_ORDERS:
        return _set_aside(
            body,
            source,
            now,
            because(ReasonCode.CALLBACK_NAMES_TOO_MANY, count=len(order_ids)),
        )
    if any(len(order_id) > LONGEST_ID for order_id in order_ids):
        return _set_aside(
            body, source, now, because(ReasonCode.CALLBACK_ID_TOO_LONG, most=LONGEST_ID)
        )
    return Arrival(
        body=body,
        source=source,
        received_at=now,
        state=CallbackState.WAITING if order_ids else CallbackState.DONE,
        outcome=None if order_ids else because(ReasonCode.CALLBACK_NAMES_NONE),
        kind=message.operation.kind if message.operation else CallbackKind.STATUS,
        message_type=shortened(clean(message.message_type), LONGEST_ID),
        marketplace=message.marketplace or "",
        order_ids=tuple(clean(order_id) for order_id in order_ids),
        sent_at=message.sent_at,
    )


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    main()
