"""The receiver: what is answered 200 is on disk; whoever does not know the token learns
nothing; nothing breaks it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.callbacks.store import CallbackStore, new_token
from connectors.settings import SourcingSettings
from deployments.bounded_http import ReceiverFailed
from deployments.receiver import MOST_BYTES, CallbackReceiver, app_of, receive
from domain.received import CallbackState
from tests.clock import MovableClock
from tests.connectors.callbacks.conftest import posted
from tests.running import PATIENCE_S, ROOT


@pytest.fixture
def store(tmp_path: Path, clock: MovableClock) -> Iterator[CallbackStore]:
    with CallbackStore(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as store:
        yield store


def client_of(
    store: CallbackStore, clock: MovableClock, source: str = "203.0.113.7", **own: Any
) -> httpx.AsyncClient:
    """Somebody at 203.0.113.7 who talks to a receiver in this process."""
    receiver = CallbackReceiver(store, SourcingSettings(**own), clock)
    transport = httpx.ASGITransport(
        app_of(receiver), client=(source, 40000), raise_app_exceptions=True
    )
    return httpx.AsyncClient(transport=transport, base_url="http://receiver")


@pytest.fixture
async def sender(
    store: CallbackStore, clock: MovableClock
) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(store, clock) as client:
        yield client


@pytest.fixture
def path(store: CallbackStore) -> str:
    return f"/callbacks/{new_token(store)}"


async def test_a_message_is_answered_when_it_is_kept(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """200, and the table has it."""
    answer = await sender.post(path, content=posted("7"))
    assert (answer.status_code, answer.text) == (200, "ok")
    assert [(one.order_ids, one.source) for one in store.listed()] == [
        (("7",), "203.0.113.7")
    ]


async def test_many_at_once_share_commits(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """Each is there, whatever came beside it."""
    answers = await asyncio.gather(
        *(sender.post(path, content=posted(str(number))) for number in range(1, 101))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert store.counts()[CallbackState.WAITING] == 100


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
async def test_a_wrong_token_is_answered_like_an_unknown_path(
    sender: httpx.AsyncClient, path: str, method: str
) -> None:
    """In nothing do they differ, and nothing is kept."""
    unknown = await sender.request(method, "/anything", content=posted("7"))
    for place in ("/callbacks/wrong", "/callbacks/wrong/", "/health/", f"{path}/"):
        wrong = await sender.request(method, place, content=posted("7"))
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
    assert store.listed() == []


async def test_what_is_too_large_is_refused(
    sender: httpx.AsyncClient, path: str, store: CallbackStore
) -> None:
    """By what it says of itself, and by what it is."""

    async def in_parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * (MOST_BYTES // 10)

    refused = [
        await sender.post(path, content=body)
        for body in (b" " * (MOST_BYTES + 1), in_parts())
    ]
    assert [(one.status_code, one.headers["connection"]) for one in refused] == [
        (413, "close"),
        (413, "close"),
    ]
    assert store.listed() == []


async def test_only_named_addresses_may_post(
    store: CallbackStore, clock: MovableClock, path: str
) -> None:
    """Others find nothing there."""
    for allowed, status in (
        ("198.51.100.0/24", 404),
        ("198.51.100.0/24, 203.0.113.7", 200),
    ):
        async with client_of(store, clock, callbacks_from=allowed) as client:
            assert (await client.post(path, content=posted("7"))).status_code == status


async def test_an_address_that_is_added_to_the_settings_may_post_without_a_restart(
    store: CallbackStore,
    clock: MovableClock,
    path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service has a new one, and what it posts until then is lost."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deployments.receiver.TOKENS_LAST_S", 0)
    async with client_of(store, clock, callbacks_from="198.51.100.0/24") as client:
        assert (await client.post(path, content=posted("7"))).status_code == 404
        (tmp_path / ".env").write_text(
            "SOURCING_CALLBACKS_FROM=198.51.100.0/24, 203.0.113.7\n"
        )
        assert (await client.post(path, content=posted("7"))).status_code == 200


async def test_a_file_of_settings_that_is_being_saved_lets_no_other_address_post(
    store: CallbackStore,
    clock: MovableClock,
    path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An editor empties it first. A list that is taken out counts with the next
    reading.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deployments.receiver.TOKENS_LAST_S", 0)
    async with client_of(store, clock, callbacks_from="198.51.100.0/24") as client:
        assert (await client.get(path)).status_code == 404
        (tmp_path / ".env").touch()
        assert [(await client.get(path)).status_code for _ in range(2)] == [404, 200]


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


async def test_ready_means_that_somebody_can_post(
    sender: httpx.AsyncClient, store: CallbackStore
) -> None:
    """Without a token nobody can; health is only that it runs."""
    assert [
        (await sender.get("/health")).status_code,
        (await sender.get("/ready")).status_code,
    ] == [200, 503]
    new_token(store)
    assert (await sender.get("/ready")).text == "ready"


async def test_figures_are_for_those_beside_it(
    store: CallbackStore, clock: MovableClock, path: str, tmp_path: Path
) -> None:
    """What comes from the internet sees none, through a proxy or not; what goes wrong
    names no place.
    """
    async with client_of(store, clock, "192.0.9.9") as stranger:
        await stranger.post(path, content=posted("7"))
        assert (await stranger.get("/metrics")).status_code == 404
    clock.advance(90)
    async with client_of(store, clock, "10.1.2.3", data_dir=tmp_path / "none") as near:
        lines = (await near.get("/metrics")).text.splitlines()
        assert 'sourcing_callbacks{state="waiting"} 1.0' in lines
        assert "sourcing_callbacks_oldest_waiting_seconds 90.0" in lines
        assert "sourcing_ledger_readable 0.0" in lines
        assert (
            await near.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})
        ).status_code == 404
        with store.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE callbacks RENAME TO gone")
        broken = await near.get("/metrics")
    assert (broken.status_code, broken.text) == (
        503,
        "figures can't be read: see the log",
    )


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
    """1,000 odd bodies: each is kept, and what can't be read is set aside."""
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
    assert sum(store.counts().values()) == len(
        {body for body in bodies if body.strip()}
    )


# in a process of its own


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A receiver, and the address to post to."""
    environment = {**os.environ, "SOURCING_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "deployments.receiver", "--port", "0"]
    with CallbackStore(
        SourcingSettings(data_dir=tmp_path).ledger_url, clock=MovableClock()
    ) as store:
        token = new_token(store)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        address = process.stdout.readline().split()[4].replace("TOKEN;", token)
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
        kept = {one.order_ids[0] for one in store.listed(most=10_000)}
    assert 40 <= len(answered) < 4_000
    assert set(answered) <= kept


def test_a_thousand_silent_connections_keep_nobody_out(
    receiving: tuple[subprocess.Popen[str], str],
) -> None:
    """The most silent ones lose their places; and they don't hold it up when it is told
    to end.
    """
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
        for one in silent:
            one.close()


def test_a_taken_port_is_told_with_its_remedy() -> None:
    """In one sentence, before anything else."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ReceiverFailed,
            match=f"port {port} on 127.0.0.1 can't be used .* with --port or SOURCING",
        ):
            receive("127.0.0.1", port)
