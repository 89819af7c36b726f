"""Guards every request of the page, with the headers of every answer; and takes the
files that a browser sends.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Container, Sequence
from contextlib import suppress
from hmac import compare_digest
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import flows.report
from connectors.book_file import reading_by
from connectors.durable import put
from connectors.inbox import ASKS, Folder, Inbox, plain_stem
from connectors.request_files import READERS, UnreadableFile, read_request_file
from connectors.request_files.decoding import MOST_BYTES
from connectors.settings import BadSetting, SourcingSettings
from domain.request_remarks import Fault, merged_remarks
from domain.wording import pluralize

FOLDERS = [Path(__file__).parent, Path(flows.report.__file__).parent]
OWN, SHARED = ((folder / "page.css").read_text(encoding="utf-8") for folder in FOLDERS)
STYLES = [SHARED + OWN, "\n" + SHARED.rstrip("\n")]
"""Those of these pages, and of a report."""
KNOWN = " ".join(
    f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
    for style in STYLES
)
POLICY = f"default-src 'none'; style-src {KNOWN}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with "no-referrer" browsers send no origin with a form
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}
GUESS_S = 6.0
"""How long a wrong password takes, of all callers together: addresses are made up, or
are those of proxies.
"""
CLOSED = {"connection": "close"}  # a body that was not taken leaves a rest on the wire


class Guard:
    """An app behind its guard. `hosts` are the names by which it may be called beside
    addresses and localhost.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Container[str], password: str, pictures: str = ""
    ) -> None:
        self.app = app
        self.hosts = hosts
        self.password = password
        self._guessing = asyncio.Lock()
        self.headers = HEADERS | {
            "content-security-policy": f"{POLICY}; img-src {pictures}"
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http"
        refusal = await self._refusal(Request(scope)) if is_http else None

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                closed = CLOSED if message["status"] >= 400 else {}
                for name, value in (self.headers | closed).items():
                    headers.setdefault(name, value)
            await send(message)

        await (refusal or self.app)(scope, receive, with_headers)

    async def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse(
                "not called by this name: set SOURCING_PAGE_PASSWORD, or call it by its address",
                421,
            )
        site, mode = (
            request.headers.get(f"sec-fetch-{name}", "") for name in ("site", "mode")
        )
        if request.method not in ("GET", "HEAD"):
            is_own = request.headers.get("origin", "") in (
                f"http://{host}",
                f"https://{host}",
            )
        else:  # what only reads may follow a link elsewhere, and be no part of another page
            is_own = mode in ("", "navigate") or site not in ("cross-site", "same-site")
        if not is_own:
            return PlainTextResponse("another site asks for this", 403)
        return await self._unknown(request) if self.password else None

    def _is_ours(self, host: str) -> bool:
        """Against other sites' names that lead here: an address as such can't be one of
        those, and to no other name a browser gives the password.
        """
        if self.password:
            return True
        with suppress(ValueError):
            name = urlsplit(f"//{host}").hostname or ""
            return name == "localhost" or name in self.hosts or bool(ip_address(name))
        return False

    async def _unknown(self, request: Request) -> Response | None:
        """The refusal of a caller without the password; a wrong one is answered after
        those before it.
        """
        credentials = request.headers.get("authorization", "")
        scheme, _, coded = credentials.partition(" ")
        with suppress(ValueError):
            password = base64.b64decode(coded, validate=True).partition(b":")[2]
            if scheme.lower() == "basic" and compare_digest(
                password, self.password.encode()
            ):
                return None
        if credentials:
            async with self._guessing:
                await asyncio.sleep(GUESS_S)
        return PlainTextResponse(
            "a password is needed", 401, {"www-authenticate": 'Basic realm="sourcing"'}
        )


MOST_SENT = MOST_BYTES + 4096  # with the lines of a form around a file
BOUNDARY = re.compile('multipart/form-data;.*boundary="?([^";,]+)', re.I)
FILE_NAME = re.compile(rb'filename="([^"]*)"', re.I)
PLANNED = "The next night plans it, and asks you before anything is bought."


def sent_file(content_type: str, body: bytes) -> tuple[str, bytes]:
    """Name and content of the first file of a form. Raises `HTTPException`."""
    if mark := BOUNDARY.match(content_type):
        for form_part in (b"\r\n" + body).split(b"\r\n--" + mark[1].encode(), 3)[1:-1]:
            head, _, content = form_part.partition(b"\r\n\r\n")
            if (name := FILE_NAME.search(head)) and name[1]:
                return re.split(r"[/\\]", name[1].decode(errors="replace"))[-1], content
    raise HTTPException(400, "choose a file")


def take(
    settings: SourcingSettings, sent: str, content: bytes
) -> tuple[str, Sequence[str], Sequence[Fault]]:
    """Put a sound file into the inbox, under a name that has it asked about; a faulty
    one nowhere.

    Answers a title, words and faults. One content under one name is taken once.
    """
    stem = plain_stem(Path(sent).stem)
    suffix = Path(sent).suffix.lower()
    if suffix not in READERS:
        return (
            sent,
            (),
            [
                Fault(
                    0,
                    "",
                    f"its name ends in none of {', '.join(READERS)}: save it as one of these",
                )
            ],
        )
    name = (
        f"{ASKS}{stem or 'requests'}-{hashlib.sha256(content).hexdigest()[:8]}{suffix}"
    )
    with TemporaryDirectory() as folder:
        (read := Path(folder, name)).write_bytes(content)
        try:
            reading = asyncio.run(reading_by(settings))
            parsed_requests = read_request_file(read, **reading)
        except (BadSetting, UnreadableFile) as error:
            return sent, (), [Fault(0, "", str(error).removeprefix(f"{read}: "))]
    if parsed_requests.faults:
        return (
            f"{sent}: {pluralize(len(parsed_requests.faults), 'fault')}, and not taken",
            (),
            parsed_requests.faults,
        )
    root = Inbox(settings.inbox).root
    title = f"{name}: {pluralize(len(parsed_requests.orders), 'order')}"
    for place in (Folder.WORKING, Folder.OPEN, Folder.DONE):
        if (root / place / name).exists():
            return (
                f"{title}, not taken again",
                [f"The folder {place} of the inbox has it already."],
                (),
            )
    put(root / name, content)
    return (
        f"{title}, in the inbox",
        [PLANNED, *merged_remarks(parsed_requests.warnings)],
        (),
    )
