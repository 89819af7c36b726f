"""Connections of unknown clients: how many at once, and how long each may take to send its request."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from connectors.foreign import words_of

MOST_CONNECTIONS = 512
HEAD_WITHIN_S = 10.0
BACKLOG = 1024


class ReceiverFailed(Exception):
    """The receiver can't listen there; the message says what to do."""


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `ReceiverFailed`."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ReceiverFailed(
            f"port {port} on {host} can't be used for callbacks ({words_of(error)}): end what listens there, "
            "or choose another with --port or SOURCING_CALLBACKS_PORT"
        ) from error


def bounded(most: int = MOST_CONNECTIONS, within_s: float = HEAD_WITHIN_S) -> type[H11Protocol]:
    """A protocol that closes silent and trickling connections; the most silent one where all slots are taken.

    So a thousand silent connections keep no client out.
    """
    silent: dict[Bounded, None] = {}

    class Bounded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                next(iter(silent), self).transport.abort()
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_asked():
                self._received()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.transport.is_closing() and not self._is_asked():
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._received()
            super().connection_lost(exc)

        def _is_asked(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _wait(self) -> None:
            self._received()
            silent[self] = None
            self._deadline = asyncio.get_running_loop().call_later(within_s, self.transport.abort)

        def _received(self) -> None:
            silent.pop(self, None)
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Bounded
