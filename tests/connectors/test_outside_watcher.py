"""A watcher elsewhere is told how the night went, in seconds or not at all, and its
address stays secret.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler

import pytest

from connectors import outside_watcher
from connectors.outside_watcher import address_of, ping_watcher
from connectors.settings import BadSetting, SourcingSettings
from tests.http_server import serving

KEY = "6f1b-secret"


class Watcher(BaseHTTPRequestHandler):
    """Answers 404 to what it does not know, as the real ones do."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if KEY in self.path else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def watcher() -> Iterator[str]:
    Watcher.asked = []
    with serving(Watcher) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("url", "failure"),
    [
        ("https://hc-ping.com/6f1b", "https://hc-ping.com/6f1b/fail"),
        (
            "https://watch.example/ping/6f1b/?rid=1",
            "https://watch.example/ping/6f1b/fail?rid=1",
        ),
    ],
)
def test_a_failure_is_told_behind_the_path(url: str, failure: str) -> None:
    assert (address_of(url, well=True), address_of(url, well=False)) == (url, failure)


async def test_the_watcher_hears_of_good_and_bad_nights(watcher: str) -> None:
    assert await ping_watcher(f"{watcher}/{KEY}", well=True) == ""
    assert await ping_watcher(f"{watcher}/{KEY}", well=False) == ""
    assert Watcher.asked == [f"/{KEY}", f"/{KEY}/fail"]


async def test_what_goes_wrong_is_said_without_the_address(watcher: str) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}/{KEY}"
    assert await ping_watcher(f"{watcher}/unknown", well=True) == "it answered 404"
    assert await ping_watcher(nobody, well=True) == "All connection attempts failed"
    assert await ping_watcher(f"http://127.0.0.1:port/{KEY}", well=True) == "InvalidURL"


async def test_a_watcher_that_says_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outside_watcher, "LONGEST_S", 0.1)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert (
            await asyncio.wait_for(ping_watcher(url, well=True), 20)
            == "it did not answer in time"
        )


def test_what_is_no_address_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCING_PING_URL", f"hc-ping.com/{KEY}")
    with pytest.raises(
        BadSetting, match="SOURCING_PING_URL: can't be used; its value is not shown"
    ):
        SourcingSettings()
