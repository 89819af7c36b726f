"""A loopback server of sheets, each path a way in which one may be given away or kept
back.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler

from tests.http_server import serving

TOKEN = "7Qw-secret"
CSV = b"order_ref,item\nA-1,600745400708\n"


class Sheets(BaseHTTPRequestHandler):
    """Answers by path; `asked` has the paths in order."""

    protocol_version = "HTTP/1.1"
    asked: list[str]
    csv = CSV

    def do_GET(self) -> None:
        self.asked.append(self.path)
        with suppress(OSError):
            getattr(self, self.path.strip("/").split("?")[0].split("/")[0], self.gone)()

    def sheet(self) -> None:
        self.answer(self.csv, ("content-type", "application/octet-stream"))

    def published(self) -> None:
        """As the large spreadsheets do: led to another host, which asks for the cookie
        that this one gave.
        """
        self.answer(
            b"",
            ("location", f"/cookie?key={TOKEN}"),
            ("set-cookie", "seen=1; Path=/"),
            status=307,
        )

    def cookie(self) -> None:
        self.answer(
            self.csv, ("content-disposition", 'attachment; filename="Orders.csv"')
        )

    def chunked(self) -> None:
        self.begin(("transfer-encoding", "chunked"))
        for piece in (self.csv[:5], self.csv[5:], b""):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def packed(self) -> None:
        self.answer(gzip.compress(self.csv), ("content-encoding", "gzip"))

    def bomb(self) -> None:
        self.answer(gzip.compress(bytes(64 << 20)), ("content-encoding", "gzip"))

    def login(self) -> None:
        self.answer(
            b"\n<!DOCTYPE html><title>Sign in</title>", ("content-type", "text/csv")
        )

    def huge(self) -> None:
        self.begin(("content-length", str(1 << 40)))

    def endless(self) -> None:
        self.begin(("transfer-encoding", "chunked"))
        while True:
            self.wfile.write(b"100000\r\n" + b"a" * 0x100000 + b"\r\n")

    def cut(self) -> None:
        self.begin(("content-length", "100"))
        self.wfile.write(self.csv)
        self.close_connection = True

    def unmeasured(self) -> None:
        self.begin(("connection", "close"))
        self.wfile.write(self.csv)

    def drips(self) -> None:
        self.begin(("content-length", "1000"))
        for _ in range(1000):
            self.wfile.write(b"a")
            time.sleep(0.05)

    def round(self) -> None:
        self.answer(b"", ("location", f"/round?key={TOKEN}"), status=302)

    def metadata(self) -> None:
        self.answer(
            b"", ("location", "http://169.254.169.254/latest/meta-data"), status=302
        )

    def file(self) -> None:
        self.answer(b"", ("location", "file:///etc/passwd"), status=302)

    def private(self) -> None:
        self.answer(b"no", status=403)

    def gone(self) -> None:
        self.answer(b"no", status=404)

    def begin(self, *headers: tuple[str, str], status: int = 200) -> None:
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.end_headers()

    def answer(self, body: bytes, *headers: tuple[str, str], status: int = 200) -> None:
        self.begin(*headers, ("content-length", str(len(body))), status=status)
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving_sheets(csv: bytes = CSV) -> Iterator[Callable[[str], str]]:
    """The address of a path, with a token in it."""
    handler = type("Handler", (Sheets,), {"asked": [], "csv": csv})
    with serving(handler) as port:
        yield lambda path: f"http://127.0.0.1:{port}/{path}?key={TOKEN}"
