"""A part of an installation that ends or hangs is started again; a worker without its
server is left alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from signal import SIGTERM
from unittest.mock import Mock

import pytest

from deployments import processes
from deployments.local_server import ServerFailed
from deployments.processes import Supervised, end
from deployments.serving import Installation, plan_anew_where_set_back
from deployments.watched_worker import watched_worker
from tests.deployments.conftest import free_port
from tests.http_server import serving


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "STARTS_WITHIN_S": 0,
        "CHECKS_EVERY_S": 0,
        "HANGS_AFTER_CHECKS": 3,
        "PATIENCE_S": (0,),
    }.items():
        monkeypatch.setattr(processes, name, value)


def _sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"])


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of a server that says it is well."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}"


def _kept(one: Supervised, times: int) -> list[str]:
    """What is said when it is looked at so often; its process is ended afterwards."""
    one.begin()
    try:
        return [one.keep_running() for _ in range(times)]
    finally:
        assert one.process
        one.process.kill()
        one.process.wait()


def test_a_clock_that_is_set_back_ends_the_server_and_registers_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is set back while all is started; a machine that slept, or a second
    more or less, ends nothing.
    """
    folder, registered, clock = tmp_path, list[str](), Mock()
    clock.monotonic.return_value, clock.time.return_value = 0.0, 1e9 + 8 * 3600
    monkeypatch.setattr("deployments.serving.time", clock)
    monkeypatch.setattr(
        Installation, "start", lambda _place, name, _command: registered.append(name)
    )
    server, worker = (
        Supervised(name="server", start=_sleeper),
        Supervised(name="worker", start=_sleeper),
    )
    place = Installation(
        url="", folder=folder, data_dir=folder, environment={}, parts=[server, worker]
    )
    for part in place.parts:
        part.begin()
    assert server.process
    assert worker.process
    for seconds, code in ((32_400, None), (32_395, None), (0, -SIGTERM), (1, -SIGTERM)):
        clock.time.return_value = 1e9 + seconds
        plan_anew_where_set_back(place)
        assert server.process.poll() == code
    assert (registered, worker.process.poll()) == (["register"], None)
    monkeypatch.setattr(
        Installation, "start", Mock(side_effect=OSError("the disk is full"))
    )
    clock.time.return_value = 0
    plan_anew_where_set_back(place)
    end(worker.process)


def test_one_that_does_not_answer_three_times_in_a_row_is_ended_and_started_again() -> (
    None
):
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(_sleeper())
        return started[-1]

    said = _kept(Supervised(name="worker", start=start, is_well=lambda: False), 4)
    assert said == ["", "", "did not answer any more and was started again", ""]
    assert [process.returncode for process in started] == [-9, -9]


def test_one_answer_in_between_is_a_sign_of_life() -> None:
    answers = iter([False, False, True, False, False])
    assert (
        _kept(
            Supervised(name="worker", start=_sleeper, is_well=lambda: next(answers)), 5
        )
        == [""] * 5
    )


def test_one_that_ends_by_itself_is_started_again() -> None:
    one = Supervised(name="sandbox", start=lambda: subprocess.Popen(["true"]))
    one.begin()
    assert one.process
    one.process.wait()
    assert one.keep_running() == "had ended and was started again"
    one.process.wait()


class Ended(subprocess.Popen[bytes]):
    """A process that has ended, without one ever having been there."""

    def __init__(self) -> None:
        self.returncode = 0

    def poll(self) -> int:
        return self.returncode


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(12, "Cannot allocate memory"), "Cannot allocate memory"),
        (
            ServerFailed("the disk of /data is full: free some space"),
            "the disk of /data is full: free some space",
        ),
    ],
)
def test_one_that_can_not_be_started_again_now_is_tried_until_it_can(
    error: Exception, words: str
) -> None:
    """What fails for a minute must not end the other parts."""
    outcomes = iter(list[Ended | Exception]([Ended(), error, error, Ended()]))

    def start() -> subprocess.Popen[bytes]:
        if isinstance(outcome := next(outcomes), Exception):
            raise outcome
        return outcome

    one = Supervised(name="server", start=start)
    one.begin()
    not_yet = f"had ended, can't be started now and is tried again: {words}"
    assert [one.keep_running() for _ in range(3)] == [
        not_yet,
        not_yet,
        "had ended and was started again",
    ]


def test_the_pause_before_the_next_try_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE_S", (0, 900))

    def start() -> subprocess.Popen[bytes]:
        raise OSError(12, "Cannot allocate memory")

    one = Supervised(name="server", start=start, process=Ended())
    assert [bool(one.keep_running()) for _ in range(3)] == [True, False, False]


def test_a_worker_is_asked_at_a_new_port_of_this_machine_at_each_start(
    answering: str,
) -> None:
    given: list[dict[str, str]] = []

    def start(settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        given.append(dict(settings))
        return _sleeper()

    assert _kept(watched_worker(start, answering), 4) == [
        "",
        "",
        "did not answer any more and was started again",
        "",
    ]
    assert [one["PREFECT_WORKER_WEBSERVER_HOST"] for one in given] == ["127.0.0.1"] * 2
    assert (
        given[0]["PREFECT_WORKER_WEBSERVER_PORT"]
        != given[1]["PREFECT_WORKER_WEBSERVER_PORT"]
    )


def test_a_worker_whose_server_is_away_is_left_alone() -> None:
    """It can't look for runs, and would take those that it has with it."""
    assert (
        _kept(
            watched_worker(lambda _: _sleeper(), f"http://127.0.0.1:{free_port()}/api"),
            6,
        )
        == [""] * 6
    )
