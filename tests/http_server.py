"""A server of a test, in a thread of the test's process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[int]:
    """The port. The thread ends in any case: it spins at full speed once its socket is
    closed.
    """
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(0.01,), daemon=True
        )
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
