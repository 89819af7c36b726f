"""A line to the Prefect server that can be cut: a forwarder on a port of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.running import PATIENCE_S


class Line:
    """Forwards bytes until it is cut; afterwards nobody answers at its address."""

    def __init__(self, target: str) -> None:
        pieces = urlsplit(target)
        self._host, self._port, self._path = (
            str(pieces.hostname),
            int(pieces.port or 80),
            pieces.path,
        )
        self._loop = asyncio.new_event_loop()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    @property
    def url(self) -> str:
        assert self._server
        return f"http://127.0.0.1:{self._own_port}{self._path}"

    def cut(self) -> None:
        """End all connections and take no new ones."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(PATIENCE_S)

    def end(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._ready.set()
        self._loop.run_forever()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._own_port = self._server.sockets[0].getsockname()[1]

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        to_reader, to_writer = await asyncio.open_connection(self._host, self._port)
        self._writers += [writer, to_writer]
        await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))

    async def _cut(self) -> None:
        assert self._server
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
        writer.close()
    except OSError:
        writer.transport.abort()


@contextmanager
def line_to(target: str) -> Iterator[Line]:
    line = Line(target)
    try:
        yield line
    finally:
        line.end()
