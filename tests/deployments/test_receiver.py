"""The receiver: what is answered 200 is on disk; whoever does not know the token learns
nothing; nothing breaks it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.callbacks import CallbackStore
from connectors.settings import SourcingSettings
from deployments.local_server import ServerFailed
from deployments.receiver import MAX_BODY_BYTES, app_of, receive
from tests.clock import MovableClock
from tests.connectors.callbacks.conftest import kept, posted, waiting
from tests.running import PATIENCE_S, ROOT


@pytest.fixture
def store(tmp_path: Path, clock: MovableClock) -> Iterator[CallbackStore]:
    with CallbackStore(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as store:
        yield store


@pytest.fixture
async def sender(store: CallbackStore) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who talks to a receiver in this process."""
    transport = httpx.ASGITransport(app_of(store), raise_app_exceptions=True)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://receiver"
    ) as client:
        yield client


@pytest.fixture
def path(store: CallbackStore) -> str:
    return f"/callbacks/{store.new_token()}"


async def test_a_message_is_answered_when_it_is_kept(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """200, and the table has it."""
    answer = await sender.post(path, content=posted("7"))
    assert (answer.status_code, answer.text) == (200, "ok")
    assert [message.order_ids for message in store.take_due()] == [["7"]]


async def test_many_at_once_share_commits(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """Each is there, whatever came beside it."""
    answers = await asyncio.gather(
        *(sender.post(path, content=posted(str(number))) for number in range(1, 101))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert waiting(store) == 100


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
async def test_a_wrong_token_is_answered_like_an_unknown_path(
    sender: httpx.AsyncClient, path: str, method: str
) -> None:
    """In nothing do they differ, and nothing is kept."""
    unknown = await sender.request(method, "/anything", content=posted("7"))
    for location in ("/callbacks/wrong", "/callbacks/wrong/", "/health/", f"{path}/"):
        wrong = await sender.request(method, location, content=posted("7"))
        assert (wrong.status_code, wrong.content, wrong.headers) == (
            404,
            unknown.content,
            unknown.headers,
        )


async def test_the_console_s_look_is_answered(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """It expects a 200; a look or an empty post is no message."""
    assert [
        (await sender.get(path)).status_code,
        (await sender.post(path, content=b" \n")).status_code,
    ] == [200, 200]
    assert kept(store) == set()


async def test_what_is_too_large_is_refused(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """By what it says of itself, and by what it is."""

    async def in_parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * (MAX_BODY_BYTES // 10)

    refused = [
        await sender.post(path, content=body)
        for body in (b" " * (MAX_BODY_BYTES + 1), in_parts())
    ]
    assert [
        (response.status_code, response.headers["connection"]) for response in refused
    ] == [
        (413, "close"),
        (413, "close"),
    ]
    assert kept(store) == set()


async def test_it_answers_while_a_run_holds_the_ledger(
    sender: httpx.AsyncClient, path: str, tmp_path: Path
) -> None:
    """With SQLite one writer locks the whole file."""
    with closing(
        sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    ) as ledger:
        ledger.execute("BEGIN EXCLUSIVE")
        answer = await sender.post(path, content=posted("7"))
    assert (answer.status_code, answer.elapsed < timedelta(seconds=1)) == (200, True)


async def test_a_message_whose_commit_failed_for_another_is_not_acknowledged(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """Those that share a commit share its failure, and the next commit stores them."""
    with store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE callbacks RENAME TO gone")
    bodies = [posted(str(number)) for number in range(20)]
    refused = await asyncio.gather(
        *(sender.post(path, content=body) for body in bodies)
    )
    assert {answer.status_code for answer in refused} == {503}
    with store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO callbacks")
    answers = await asyncio.gather(
        *(sender.post(path, content=body) for body in bodies)
    )
    assert {answer.status_code for answer in answers} == {200}
    assert kept(store) == {*bodies}


async def test_a_message_that_can_t_be_kept_is_not_acknowledged(
    sender: httpx.AsyncClient,
    path: str,
    store: CallbackStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The service then sends it again in half an hour. The log says it once, not for
    each: the disk may be full.
    """
    assert (await sender.get(path)).status_code == 200  # now the token is known
    with store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE callbacks RENAME TO gone")
    assert [
        (await sender.post(path, content=posted("7"))).status_code for _ in range(3)
    ] == [503, 503, 503]
    assert len(caplog.messages) == 1


async def test_before_the_tokens_could_be_read_nobody_is_told_that_nothing_is_there(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """The service would else take it for a wrong address."""
    with store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE callback_tokens RENAME TO gone")
    assert (await sender.post(path, content=posted("7"))).status_code == 503
    with store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO callback_tokens")
    assert (await sender.post(path, content=posted("7"))).status_code == 200


WORDS = st.sampled_from(
    [
        "messageType",
        "messageBody",
        "messagePlatform",
        "timestamp",
        "orderId",
        "alibaba_order_id",
    ]
)
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(WORDS | st.text(max_size=5), inside, max_size=3)
    ),
    max_leaves=6,
)


def odd_bodies(value: Any) -> list[bytes]:
    """Ten ways to post something odd: bare, in an envelope, as its text, cut, deep,
    doubled, in other encodings.
    """
    text = json.dumps(value)
    bare = text.encode()
    envelope = {
        "messageType": "ORDER_CREATE",
        "messagePlatform": value,
        "timestamp": value,
    }
    return [
        bare,
        json.dumps({**envelope, "messageBody": value}).encode(),
        json.dumps({**envelope, "messageBody": text}).encode(),
        json.dumps(
            {"messageType": value, "messageBody": {"orderId": value, "x": [value]}}
        ).encode(),
        json.dumps(
            {"alibaba_order_id": value, "quality_inspection_info": value}
        ).encode(),
        bare[: len(bare) // 2],
        b"[" * 2_000 + bare,
        b'{"messageType":1,"messageType":' + bare + b"}",
        text.encode("utf-16"),
        b"\xff" + bare,
    ]


async def test_no_body_breaks_it_or_is_lost(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """1,000 odd bodies: each is kept."""
    bodies: list[bytes] = []

    @settings(max_examples=100, database=None, suppress_health_check=[*HealthCheck])
    @given(ODD)
    def collected(value: Any) -> None:
        bodies.extend(odd_bodies(value))

    collected()
    assert len(bodies) >= 1_000
    answers = await asyncio.gather(
        *(sender.post(path, content=body) for body in bodies)
    )
    assert {answer.status_code for answer in answers} == {200}
    assert kept(store) == {body for body in bodies if body.strip()}


# in a process of its own


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A receiver, and the address to post to."""
    environment = {**os.environ, "SOURCING_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "cli.main", "callbacks", "--port", "0"]
    with CallbackStore(
        SourcingSettings(data_dir=tmp_path).ledger_url, clock=MovableClock()
    ) as store:
        token = store.new_token()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        address = process.stdout.readline().split()[-1].replace("TOKEN", token)
        try:
            yield process, address
        finally:
            process.kill()


def post(address: str, body: bytes) -> int:
    with urlopen(Request(address, body), timeout=PATIENCE_S) as answer:
        status: int = answer.status
        return status


def test_what_was_acknowledged_outlives_a_kill(
    receiving: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    """Killed between two answers: every message that was answered 200 is in the
    table.
    """
    process, address = receiving
    answered: list[str] = []

    def keep_posting(first: int) -> None:
        with suppress(OSError, HTTPException):
            for number in range(first, first + 1_000):
                post(address, posted(str(number)))
                answered.append(str(number))
                if len(answered) == 40:
                    process.kill()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(keep_posting, (10_000, 20_000, 30_000, 40_000)))
    with CallbackStore(
        SourcingSettings(data_dir=tmp_path).ledger_url, clock=MovableClock()
    ) as store:
        assert 40 <= len(answered) < 4_000
        assert {posted(number) for number in answered} <= kept(store)


def test_a_thousand_silent_connections_keep_nobody_out(
    receiving: tuple[subprocess.Popen[str], str],
) -> None:
    """They don't hold it up either when it is told to end."""
    process, address = receiving
    silent = [
        socket.create_connection(("127.0.0.1", urlsplit(address).port or 0))
        for _ in range(1_000)
    ]
    try:
        assert [post(address, posted(str(number))) for number in range(1, 21)] == [
            200
        ] * 20
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) in (0, -signal.SIGTERM)
    finally:
        for item in silent:
            item.close()


def test_a_taken_port_is_told_with_its_remedy() -> None:
    """In one sentence, before anything else."""
    with socket.create_server(("127.0.0.1", 0)) as result:
        port = result.getsockname()[1]
        with pytest.raises(
            ServerFailed,
            match=f"port {port} on 127.0.0.1 can't be used .* with --port or SOURCING",
        ):
            receive("127.0.0.1", port)
