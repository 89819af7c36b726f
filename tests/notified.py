"""Who is told, for tests: an HTTP receiver and a mail server on this machine, spoken to
by apprise itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message as Mail
from http.server import BaseHTTPRequestHandler
from typing import Any

from aiosmtpd.controller import Controller

from connectors.ledger.outbox import StoredMessage
from connectors.ledger.store import Ledger
from domain.messages import Message
from flows.answers.todo import to_do
from flows.notify.news import of_waiting
from tests.http_server import serving
from tests.running import PATIENCE_S

TOKEN = "t0ken-of-the-receiver"


def taken_messages(ledger: Ledger) -> list[StoredMessage]:
    """All that is due for one recipient; it counts as sent."""
    moment = ledger.clock()
    ledger.outbox.address(["ntfy"], moment)
    messages = []
    while message := ledger.outbox.due(moment):
        ledger.outbox.sent(message, moment)
        messages.append(message)
    return messages


def waiting_messages(ledger: Ledger) -> list[Message]:
    """The messages of all that waits now, as each flow enqueues them at its end."""
    return of_waiting(to_do(ledger, begun_for=timedelta(0)))


def newly_told(ledger: Ledger) -> list[StoredMessage]:
    """What is new of all that waits, as one recipient gets it."""
    ledger.outbox.put(*waiting_messages(ledger))
    return taken_messages(ledger)


@dataclass
class Receiver:
    """What came in. `status` is answered; `slow_s` is how long that takes."""

    port: int = 0
    status: int = 200
    slow_s: float = 0
    got: list[dict[str, Any]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"json://user:{TOKEN}@127.0.0.1:{self.port}/{TOKEN}"

    @property
    def titles(self) -> list[str]:
        return [row["title"] for row in self.got]

    @property
    def texts(self) -> list[str]:
        return [row["message"] for row in self.got]


@contextmanager
def http_receiver(port: int = 0) -> Iterator[Receiver]:
    """A receiver of apprise's `json://`, in a thread of its own."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = (
                receiver.status
            )  # as it is now: a slow answer may end in the next test
            time.sleep(receiver.slow_s / 2)
            if status == 200:
                receiver.got.append(sent)
            time.sleep(receiver.slow_s / 2)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler, port) as receiver.port:
        yield receiver


@dataclass
class MailServer:
    """The mails that came in."""

    port: int = 0
    got: list[Mail] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=shop@example.com&to=owner@example.com&mode=insecure"

    @property
    def subjects(self) -> list[str]:
        return [str(make_header(decode_header(mail["Subject"]))) for mail in self.got]

    @property
    def texts(self) -> list[str]:
        messages = [
            piece
            for mail in self.got
            for piece in mail.walk()
            if piece.get_content_type() == "text/plain"
        ]
        return [bytes(piece.get_payload(decode=True)).decode() for piece in messages]

    async def handle_DATA(
        self, _server: object, _session: object, envelope: Any
    ) -> str:
        self.got.append(message_from_bytes(envelope.content))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A real SMTP server."""
    server = MailServer()
    controller = Controller(
        server, hostname="127.0.0.1", port=0, ready_timeout=PATIENCE_S
    )
    with _free_port() as port:
        controller.port = port
    controller.start()
    server.port = controller.port
    try:
        yield server
    finally:
        controller.stop()


@contextmanager
def _free_port() -> Iterator[int]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    yield port
