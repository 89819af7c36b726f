"""What a busy server says no to is asked again, with the whole of what was sent; all
else is answered as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from starlette.types import Message, Receive, Scope, Send

from deployments import prefect_patches
from deployments.prefect_patches import RetryWhenBusy


@dataclass
class Server:
    """Answers with these, one after the other, and keeps what it was sent; a 503 is
    followed by its cause, raised.
    """

    statuses: list[int]
    heard: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.heard.append((await receive())["body"])
        status = self.statuses.pop(0)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": str(status).encode()})
        if status == 503:
            raise OSError("database is locked")


async def asked(server: Server, method: str, sent: Iterable[Message]) -> list[Message]:
    said: list[Message] = []
    coming = iter(sent)

    async def receive() -> Message:
        return next(coming)

    async def send(message: Message) -> None:
        said.append(message)

    await RetryWhenBusy(server)({"type": "http", "method": method}, receive, send)
    return said


def body(*parts: bytes) -> list[Message]:
    return [
        {"type": "http.request", "body": part, "more_body": part is not parts[-1]}
        for part in parts
    ]


@pytest.fixture(autouse=True)
def _hastily(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_patches, "PAUSES_S", (0.0, 0.0))


async def test_a_busy_server_is_asked_again_with_the_same_body() -> None:
    server = Server([503, 503, 201])
    said = await asked(server, "POST", body(b"yes ", b"to all"))
    assert [one.get("status", one.get("body")) for one in said] == [201, b"201"]
    assert server.heard == [b"yes to all"] * 3


async def test_a_server_that_stays_busy_says_so_in_the_end() -> None:
    server = Server([503, 503, 503])
    with pytest.raises(OSError, match="database is locked"):
        await asked(server, "POST", body(b"yes"))
    assert server.heard == [b"yes"] * 3


@pytest.mark.parametrize("status", [200, 409, 500])
async def test_any_other_answer_is_the_answer(status: int) -> None:
    server = Server([status])
    said = await asked(server, "PATCH", body(b"yes"))
    assert [one.get("status", one.get("body")) for one in said] == [
        status,
        str(status).encode(),
    ]


async def test_what_only_reads_is_not_asked_again() -> None:
    server = Server([503])
    with pytest.raises(OSError, match="database is locked"):
        await asked(server, "GET", body(b""))


async def test_half_a_request_of_a_client_that_is_gone_reaches_nobody() -> None:
    server = Server([200])
    sent: list[Message] = [
        {"type": "http.request", "body": b"buy ", "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert await asked(server, "POST", sent) == []
    assert server.heard == []
