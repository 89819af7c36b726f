"""What the post office finds on a real server, and that no restart of anybody makes it
tell twice, or not at all.
"""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest
from prefect.client.orchestration import get_client

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.marks import Mark
from connectors.ledger.schema import marks
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from deployments import post_office, server_watch
from deployments.post_office import Notifier, is_open
from deployments.server_watch import ServerWatch, watched_since
from domain.messages import Message, MessageKind
from tests.deployments.served import Served, wait_for


@pytest.fixture(autouse=True)
def _ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_UI_URL", "https://prefect.example.com")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with _ledger(tmp_path) as ledger:
        yield ledger


def _ledger(folder: Path, *, ago: timedelta = timedelta(0)) -> Ledger:
    return Ledger(
        f"sqlite:///{folder}/ledger.db",
        clock=lambda: datetime.now(UTC) - ago,
        owner="test",
    )


async def test_what_failed_before_the_watch_began_is_not_told_and_what_fails_then_is_told_once(
    served: Served, ledger: Ledger
) -> None:
    """Also by those who begin anew, as after a restart, and side by side."""
    old = _failed(served)
    first = _watch(ledger)
    assert old not in await _told(first)
    assert {*first.in_time} == {"buy-from-inbox", "sync-tracking"}
    new = _failed(served)
    told = [await _told(first), await _told(first), await _told(_watch(ledger))]
    assert [text.count(new) for text in told] == [1, 0, 0]
    assert old not in "".join(told)
    newest = _failed(served)
    both = await asyncio.gather(_told(_watch(ledger)), _told(_watch(ledger)))
    assert "".join(both).count(newest) == 1


async def test_what_failed_while_nobody_watched_is_told_afterwards(
    served: Served, tmp_path: Path
) -> None:
    with _ledger(tmp_path, ago=timedelta(hours=1)) as before:
        watched_since(before)
    failed = _failed(served)
    with _ledger(tmp_path) as ledger:
        assert failed in await _told(_watch(ledger))


async def test_a_batch_of_a_night_is_told_of_but_not_if_it_crashes(
    served: Served, ledger: Ledger
) -> None:
    watch = _watch(ledger)
    failed, crashed = (
        _failed(served, kind, of_a_deployment=False) for kind in ("FAILED", "CRASHED")
    )
    told = await _told(watch)
    assert failed in told
    assert crashed not in told


async def test_that_all_is_there_again_is_told_once_an_outage(
    served: Served, tmp_path: Path
) -> None:
    for place, counts in (
        ("another<http://127.0.0.1:4200/api>", [0, 0]),
        (server_watch.site(), [1, 0]),
    ):
        cause = f"worker-gone:{place}yesterday"
        with _ledger(tmp_path, ago=timedelta(minutes=5)) as before:
            watched_since(before)
            before.outbox.put(
                Message(
                    cause=cause,
                    kind=MessageKind.WORKER_GONE,
                    subject="No worker",
                    body="",
                )
            )
        with _ledger(tmp_path) as ledger:
            told = [await _told(_watch(ledger)), await _told(_watch(ledger))]
        assert [text.count("Runs begin again") for text in told] == counts


async def test_a_worker_that_is_given_time_after_an_outage_is_not_back_for_that(
    served: Served, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last sign of life is old; only since the server is there again it owes none
    yet.
    """
    watch = _watch(ledger)
    ledger.outbox.put(
        Message(
            cause=f"worker-gone:{server_watch.site()}now",
            kind=MessageKind.WORKER_GONE,
            subject="No worker",
            body="",
        )
    )
    minutes_ago = datetime.now(UTC) - timedelta(minutes=3)
    monkeypatch.setattr(server_watch, "_last_sign", AsyncMock(return_value=minutes_ago))
    assert "Runs begin again" not in await _told(watch)
    watch.up_since = minutes_ago
    assert "No worker: no run can begin" in await _told(watch)


def test_the_post_office_of_serve_is_open_and_comes_again_when_it_is_killed(
    served: Served, tmp_path: Path
) -> None:
    settings = SourcingSettings(data_dir=served.data_dir)
    killed = served.part("deployments.post_office")
    wait_for(lambda: is_open(settings))
    assert not is_open(SourcingSettings(data_dir=tmp_path))
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: served.part("deployments.post_office") != killed)


def test_a_ledger_that_is_put_in_the_place_of_another_is_opened_anew(
    tmp_path: Path,
) -> None:
    """As a restored backup is: what its predecessor had to tell is none of its
    business.
    """
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    first = office.ledger()
    first.outbox.put(
        Message(cause="of the old one", kind=MessageKind.FAULTS, subject="old", body="")
    )
    assert office.ledger() is first
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    with pytest.raises(LedgerUnusable, match="there is no ledger at"):
        office.ledger()
    _ledger(tmp_path).close()
    second = office.ledger()
    assert second.outbox.known(["of the old one"]) == set()
    second.close()


def test_a_ledger_that_is_put_back_has_all_its_rows(tmp_path: Path) -> None:
    """Meanwhile no command makes an empty one, whose log would be replayed over the old
    file.
    """
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    office.ledger().outbox.put(
        Message(cause="kept", kind=MessageKind.FAULTS, subject="old", body="")
    )
    (tmp_path / "ledger.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(LedgerUnusable, match="there is no ledger at"):
        office.ledger()
    with pytest.raises(
        LedgerUnusable,
        match=r"ledger\.db is gone, and .*-wal is there, with its newest entries",
    ):
        _ledger(tmp_path)
    (tmp_path / "elsewhere.db").rename(tmp_path / "ledger.db")
    assert office.ledger().outbox.known(["kept"]) == {"kept"}
    office.ledger().close()
    with _ledger(tmp_path) as ledger:
        assert ledger.outbox.known(["kept"]) == {"kept"}


def test_the_messages_of_a_ledger_that_was_moved_are_sent_from_its_new_place(
    tmp_path: Path,
) -> None:
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    ledger = office.ledger()
    with ledger.transaction() as connection:
        words = "was moved to another"
        row = {"name": Mark.MOVED, "at": datetime.now(UTC), "by": "Mei", "words": words}
        connection.execute(marks.insert().values(**row))
    for find in (office.ledger, lambda: asyncio.run(office.send())):
        with pytest.raises(
            LedgerUnusable, match="Set SOURCING_LEDGER_URL to the new one"
        ):
            find()
    assert not is_open(
        office.settings
    )  # doctor says so, and `serve` starts it anew, with the new address
    ledger.close()


def test_a_notifier_whose_ledger_is_away_works_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each few minutes of an outage of the database `serve` ended it as hanging."""
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    ledger = office.ledger()
    monkeypatch.setattr(
        type(ledger.marks),
        "require_in_use",
        Mock(side_effect=LedgerUnusable("no connection")),
    )
    with pytest.raises(LedgerUnusable, match="no connection"):
        asyncio.run(office.send())
    assert is_open(office.settings)
    ledger.close()


def test_a_file_of_settings_that_this_user_may_not_read_keeps_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that an editor of root's wrote anew: the messages of that night go
    out all the same.
    """
    settings = SourcingSettings(data_dir=tmp_path)

    def refused(_: SourcingSettings) -> None:
        raise PermissionError(13, "Permission denied", ".env")

    monkeypatch.setattr(SourcingSettings, "__init__", refused)
    assert settings.renewed() is settings


async def test_recipients_are_those_of_the_settings_as_they_are_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merchant adds an address hours after `serve` began. A faulty file keeps the
    last ones: its night fails too.
    """
    monkeypatch.chdir(tmp_path)
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    files = iter(
        [
            "SOURCING_NOTIFY=ntfys://ntfy.sh/mine\n",
            "SOURCING_NOTIFY=\nSOURCING_TIMEZONE=none\n",
        ]
    )
    found = []

    def sent(_: Ledger, settings: SourcingSettings) -> None:
        found.append(settings.notify.get_secret_value())
        if content := next(files, ""):
            (tmp_path / ".env").write_text(content)
        else:
            office.ended.set()

    monkeypatch.setattr(post_office, "send_due", sent)
    monkeypatch.setattr(post_office, "SENDS_EVERY_S", 0.01)
    await office.send()
    assert found == ["", "ntfys://ntfy.sh/mine", "ntfys://ntfy.sh/mine"]
    office.ledger().close()


async def test_what_a_watch_knows_of_a_clock_that_was_ahead_does_not_mute_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that did nothing said nothing of it, for as long as the clock had
    been ahead.
    """
    clock, client, moments = Mock(wraps=datetime), AsyncMock(), list[datetime]()
    for found in (
        client.read_flow_runs,
        client.read_deployments,
        client.read_workers_for_work_pool,
    ):
        found.return_value = []
    monkeypatch.setattr(server_watch, "datetime", clock)
    watch = _watch(ledger)
    for ahead in (timedelta(days=9), timedelta()):
        clock.now.return_value = now = datetime.now(UTC) + ahead
        await watch.poll(client)
        assert (watch.up_since, watch.in_time) == (now, {})
        watch.in_time["sync-tracking"] = watch.since = now
        moments.append(now)
    clock.now.return_value += timedelta(seconds=10)
    await watch.poll(client)
    assert (watch.up_since, watch.since, [*watch.in_time]) == (
        moments[1],
        moments[1],
        ["sync-tracking"],
    )


async def test_a_watch_goes_on_where_what_is_not_of_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No alert of a wait of ten minutes came while something failed once in ten
    minutes.
    """
    monkeypatch.setattr("prefect.client.orchestration.get_client", nullcontext)
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    watches = list[ServerWatch]()

    async def failing(watch: ServerWatch, _client: object) -> None:
        watches.append(watch)
        raise OSError("the disk is full")

    monkeypatch.setattr(ServerWatch, "poll", failing)
    for is_there in (True, True, False, True):
        monkeypatch.setattr(post_office, "is_healthy", lambda _url, it=is_there: it)
        with pytest.raises(OSError, match="disk is full"):
            await office.poll()
    assert [one is watches[0] for one in watches] == [True, True, True, False]
    office.ledger().close()


def test_a_server_that_does_not_answer_is_told_after_five_minutes(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its restart takes seconds, which is nobody's business."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    office.miss_server(ledger)
    assert ledger.outbox.newest(MessageKind.WORKER_GONE) is None
    office._gone_since = datetime.now(UTC) + timedelta(
        hours=8
    )  # by a clock that was ahead
    office.miss_server(ledger)
    assert office._gone_since <= datetime.now(UTC)
    office._gone_since -= timedelta(minutes=6)
    office.miss_server(ledger)
    assert ledger.outbox.newest(MessageKind.WORKER_GONE)


def test_an_outage_ends_with_the_servers_answer_also_where_the_poll_fails(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a later one of a moment would be told as having lasted since then."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    office._gone_since = datetime.now(UTC) - timedelta(hours=5)
    monkeypatch.setattr(post_office, "is_healthy", lambda _url: True)
    office.miss_server(ledger)
    monkeypatch.setattr(post_office, "is_healthy", lambda _url: False)
    office.miss_server(ledger)
    assert ledger.outbox.newest(MessageKind.WORKER_GONE) is None


async def test_what_could_not_be_stored_is_found_again(
    served: Served, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the ledger's disk is full."""
    watch = _watch(ledger)
    await _told(watch)
    before, failed = watch.polled_at, _failed(served)
    with monkeypatch.context() as full:
        full.setattr(
            type(ledger.outbox), "put", Mock(side_effect=OSError("disk is full"))
        )
        with pytest.raises(OSError, match="disk is full"):
            await _told(watch)
    assert watch.polled_at == before
    assert failed in await _told(watch)


async def test_a_server_that_ends_without_an_answer_keeps_no_notifier_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    monkeypatch.setattr(office, "send", office.ended.wait)
    monkeypatch.setattr(office, "poll", lambda: asyncio.sleep(3_600))
    asyncio.get_running_loop().call_later(0.05, office.ended.set)
    await asyncio.wait_for(office.work(), timeout=20)


async def test_a_notifier_one_of_whose_works_has_died_ends_so_that_serve_starts_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    office = Notifier(SourcingSettings(data_dir=tmp_path))
    monkeypatch.setattr(office, "send", lambda: asyncio.sleep(3_600))
    monkeypatch.setattr(
        office, "poll", AsyncMock(side_effect=OSError("the server is away"))
    )
    monkeypatch.setattr(office, "pause", AsyncMock())
    monkeypatch.setattr(
        post_office, "_say", Mock(side_effect=OSError("disk is full"))
    )  # as it notes the trouble
    with pytest.raises(OSError, match="disk is full"):
        await asyncio.wait_for(office.work(), timeout=20)


def _watch(ledger: Ledger) -> ServerWatch:
    return ServerWatch(ledger=ledger, timezone="UTC", since=watched_since(ledger))


async def _told(watch: ServerWatch) -> str:
    """The pages and subjects of what is new."""
    async with get_client() as client:
        return " ".join(f"{one.link} {one.subject}" for one in await watch.poll(client))


def _failed(
    served: Served, kind: str = "FAILED", *, of_a_deployment: bool = True
) -> str:
    flow = served.ask("flows/", {"name": f"nobody-{uuid.uuid4()}"})
    wanted = {"flow_id": flow["id"], "tags": ["sourcing"], "state": {"type": "PENDING"}}
    if of_a_deployment:
        made = served.ask(
            "deployments/",
            {"name": "failing", "flow_id": flow["id"], "tags": ["sourcing"]},
        )
        wanted["deployment_id"] = made["id"]
    run_id = str(served.ask("flow_runs/", wanted)["id"])
    served.ask(
        f"flow_runs/{run_id}/set_state", {"state": {"type": kind}, "force": True}
    )
    return run_id
