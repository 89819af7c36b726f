"""Guards every request of the page: its host, its password, where it comes from; and the headers of every answer."""

from __future__ import annotations

import base64
import hashlib
import time
from collections import Counter
from collections.abc import Container
from contextlib import suppress
from hmac import compare_digest
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import flows.report

FOLDERS = [Path(__file__).parent, Path(flows.report.__file__).parent]
OWN, SHARED = ((folder / "page.css").read_text(encoding="utf-8") for folder in FOLDERS)
STYLES = [SHARED + OWN, "\n" + SHARED.rstrip("\n")]
"""Those of these pages, and of a report."""
KNOWN = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" for style in STYLES)
POLICY = f"default-src 'none'; style-src {KNOWN}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with "no-referrer" browsers send no origin with a form
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}
MOST_WRONG = 10  # passwords of one address a minute
CLOSED = {"connection": "close"}  # a body that was not taken leaves a rest on the wire


class Guard:
    """An app behind its guard. `hosts` are the names by which it may be called beside addresses and localhost."""

    def __init__(self, app: ASGIApp, *, hosts: Container[str], password: str, pictures: str = "") -> None:
        self.app, self.hosts, self.password = app, hosts, password
        self._minute, self._wrong = 0.0, Counter[str]()
        self.headers = HEADERS | {"content-security-policy": f"{POLICY}; img-src {pictures}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                closed = CLOSED if message["status"] >= 400 else {}
                for name, value in (self.headers | closed).items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse("not called by this name: SOURCING_PAGE_HOSTS has those that are", 421)
        if self.password and (refusal := self._unknown(request)):
            return refusal
        site, mode = (request.headers.get(f"sec-fetch-{name}", "") for name in ("site", "mode"))
        if request.method not in ("GET", "HEAD"):
            is_own = request.headers.get("origin", "") in (f"http://{host}", f"https://{host}")
        else:  # what only reads may follow a link elsewhere, and be no part of another page
            is_own = mode in ("", "navigate") or site not in ("cross-site", "same-site")
        return None if is_own else PlainTextResponse("another site asks for this", 403)

    def _is_ours(self, host: str) -> bool:
        """Against other sites' names that lead here: an address as such can't be one of those."""
        with suppress(ValueError):
            name = urlsplit(f"//{host}").hostname or ""
            return name == "localhost" or name in self.hosts or bool(ip_address(name))
        return False

    def _unknown(self, request: Request) -> Response | None:
        """The refusal of a caller without the password; of one with too many wrong ones before it is looked at."""
        given, caller = request.headers.get("authorization", ""), request.client.host if request.client else ""
        if (minute := time.monotonic() // 60) != self._minute:
            self._minute, self._wrong = minute, Counter()
        if self._wrong[caller] >= MOST_WRONG:
            return PlainTextResponse("too many wrong passwords: try again in a minute", 429)
        scheme, _, coded = given.partition(" ")
        with suppress(ValueError):
            password = base64.b64decode(coded, validate=True).partition(b":")[2]
            if scheme.lower() == "basic" and compare_digest(password, self.password.encode()):
                return None
        self._wrong[caller] += bool(given)
        return PlainTextResponse("a password is needed", 401, {"www-authenticate": 'Basic realm="sourcing"'})
