"""Redis between the processes of one Prefect server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from deployments.databases import (
    MessagingUnusable,
    prepare,
    redis_settings,
    require_messaging,
)
from deployments.databases import postgres_settings as database_settings
from deployments.local_server import is_healthy
from deployments.processes import end
from tests.deployments.served import wait_for
from tests.needs import leave_out
from tests.postgres import Postgres, free_port
from tests.redis_server import INSTALL, redis_server, running_redis
from tests.running import PATIENCE_S


def test_the_server_keeps_its_messages_leases_and_background_work_there() -> None:
    assert redis_settings("redis://cache.example:6379/0") == {
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_REDIS_MESSAGING_URL": "redis://cache.example:6379/0",
        "PREFECT_SERVER_DOCKET_URL": "redis://cache.example:6379/0",
    }


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("cache.example", "such as redis://user:password@host:6379/0"),
        ("redis://:p4ss@127.0.0.1:9/0", "no Redis answers at the address of --redis"),
    ],
)
def test_an_address_that_is_none_or_does_not_answer_is_refused_without_its_password(
    address: str, words: str
) -> None:
    with pytest.raises(MessagingUnusable, match=words) as raised:
        require_messaging(address)
    assert "p4ss" not in str(raised.value)


@pytest.fixture
def redis() -> Iterator[str]:
    if redis_server() is None:
        leave_out("Redis", INSTALL)
    with running_redis() as address:
        yield address


@pytest.mark.endurance
def test_what_a_server_without_services_hears_the_services_elsewhere_carry_out(
    redis: str, postgres: Postgres, tmp_path: Path
) -> None:
    """Prefect's API and its services in processes of their own, as docs/scaling.md has
    them.
    """
    url, port = postgres.new_database(), free_port()
    prepare(url)
    api = f"http://127.0.0.1:{port}/api"
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "sourcing.test",
        "resource": {"prefect.resource.id": "sourcing.test"},
    }
    seen = {"filter": {"event": {"name": ["sourcing.test"]}}}
    with ExitStack() as stack:
        require_messaging(redis)
        settings = {
            **database_settings(url),
            **redis_settings(redis),
            "PREFECT_HOME": str(tmp_path),
        }
        stack.enter_context(
            _prefect(
                tmp_path / "api.log",
                settings,
                "start",
                "--no-services",
                "--port",
                str(port),
            )
        )
        wait_for(lambda: is_healthy(api))
        stack.enter_context(
            _prefect(tmp_path / "services.log", settings, "services", "start")
        )
        _ask(f"{api}/events", [event])
        kept = wait_for(lambda: _ask(f"{api}/events/filter", seen)["events"])
    assert [one["id"] for one in kept] == [event["id"]]
    logs = [(tmp_path / f"{name}.log").read_text() for name in ("api", "services")]
    assert not any("dropping" in log for log in logs)  # each carries out what it knows


@contextmanager
def _prefect(log: Path, settings: Mapping[str, str], *words: str) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", *words],
            env={**os.environ, **settings, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            end(process)


def _ask(address: str, body: object) -> Any:
    content = json.dumps(body).encode()
    with urlopen(
        Request(address, content, {"Content-Type": "application/json"}),
        timeout=PATIENCE_S,
    ) as answer:
        text = answer.read()
        return json.loads(text) if text else None
