"""Messages arrive at real receivers by apprise: once each, retried where somebody is
away, and no address is told.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from connectors.apprise_sender import REFUSES, BadAddress, fitting, recipients_of
from connectors.ledger.schema import messages
from connectors.ledger.store import Ledger
from connectors.notifying import send_due, try_out
from connectors.settings import BadSetting, SourcingSettings
from domain.messages import Message
from tests.clock import MovableClock
from tests.notified import TOKEN, MailServer, Receiver, http_receiver, mail_server
from tests.postgres import Postgres
from tests.running import ROOT


@pytest.fixture
def ledger(tmp_path: Path, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock, owner="first"
    ) as ledger:
        yield ledger


@pytest.fixture(autouse=True)
def no_ui(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test may have left the address of its server."""
    for name in ("PREFECT_API_URL", "PREFECT_UI_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(server: Receiver) -> Receiver:
    server.got.clear()
    server.status = 200
    return server


@pytest.fixture
def mail(receiver: Receiver) -> Iterator[MailServer]:
    with mail_server() as mail:
        yield mail


def telling(*addresses: str) -> SourcingSettings:
    return SourcingSettings(notify=SecretStr(" ".join(addresses)))


def message(cause: str, **given: object) -> Message:
    record = {
        "subject": f"{cause} stalled",
        "body": "No news.",
        "link": "http://ui/v2/x",
    }
    return Message(**{"cause": cause, **record, **given})  # type: ignore[arg-type]


def sent(ledger: Ledger, settings: SourcingSettings) -> int:
    return send_due(ledger, settings, now=ledger.clock())


def test_each_addressee_gets_each_message_once(
    ledger: Ledger, receiver: Receiver, mail: MailServer
) -> None:
    """By HTTP and by mail, with its link."""
    settings = telling(receiver.address, mail.address)
    ledger.outbox.put(message("A-1"))
    assert sent(ledger, settings) == 2
    assert sent(ledger, settings) == 0
    assert (receiver.titles, mail.subjects) == (["A-1 stalled"], ["A-1 stalled"])
    assert receiver.texts == ["No news.\n\nhttp://ui/v2/x"]
    assert "http://ui/v2/x" in mail.texts[0]


def test_one_that_fails_is_tried_again_and_the_others_have_it_once(
    ledger: Ledger, receiver: Receiver, mail: MailServer, clock: MovableClock
) -> None:
    settings = telling(receiver.address, mail.address)
    receiver.status = 503
    ledger.outbox.put(message("A-1"))
    assert sent(ledger, settings) == 1
    assert [
        str(message.why_unsent) for message in ledger.outbox.undelivered(clock())
    ] == [
        "json did not get it: it did not take the message, or can't be reached; tried again"
    ]
    receiver.status = 200
    assert sent(ledger, settings) == 0
    clock.advance(120)
    assert sent(ledger, settings) == 1
    assert (receiver.titles, mail.subjects) == (["A-1 stalled"], ["A-1 stalled"])
    assert ledger.outbox.undelivered(clock() - timedelta(days=1)) == []


def test_without_an_address_messages_wait_for_one(
    ledger: Ledger, receiver: Receiver, clock: MovableClock
) -> None:
    """They are looked at ever more rarely."""
    ledger.outbox.put(message("A-1"))
    assert sent(ledger, telling()) == 0
    assert not ledger.is_message_due(clock())
    for _ in range(80):
        clock.advance(3600)
        assert sent(ledger, telling()) == 0
    ledger.outbox.put(message("A-2"))
    assert sent(ledger, telling()) == 0
    clock.advance(120)
    assert sent(ledger, telling(receiver.address)) == 1
    assert receiver.titles == ["A-2 stalled"]


def test_an_address_that_was_taken_out_stops_no_other(
    ledger: Ledger, receiver: Receiver, mail: MailServer, clock: MovableClock
) -> None:
    receiver.status = 503
    ledger.outbox.put(message("A-1"))
    assert sent(ledger, telling(receiver.address)) == 0
    clock.advance(120)
    ledger.outbox.put(message("A-2"))
    assert sent(ledger, telling(mail.address)) == 1
    assert not ledger.is_message_due(clock())
    (lost,) = ledger.outbox.undelivered(clock() - timedelta(days=1))
    assert "SOURCING_NOTIFY has no such address" in str(lost.why_unsent)


def test_a_message_that_is_too_large_is_cut_before_its_link(
    ledger: Ledger, receiver: Receiver
) -> None:
    ledger.outbox.put(
        message(
            "A-1", subject="长" * 400, body="\n".join("订" * 30 for _ in range(500))
        )
    )
    sent(ledger, telling(receiver.address))
    (only,) = receiver.got
    assert len(only["title"].encode()) <= 150
    assert len(only["message"].encode()) <= 2_000
    assert only["message"].endswith("…\n\nhttp://ui/v2/x")


@pytest.mark.parametrize(("most", "title_most"), [(160, 0), (1_000, 250), (32_768, 0)])
def test_whatever_a_service_takes_the_link_is_whole(most: int, title_most: int) -> None:
    title, text = fitting(
        "A-1 stalled",
        "line\n" * 900,
        "http://ui/v2/x",
        most=most,
        title_most=title_most,
    )
    assert len(text) + (0 if title_most else len(title)) <= most
    assert text.endswith("\n\nhttp://ui/v2/x")


def test_what_others_wrote_calls_nobody() -> None:
    title, text = fitting(
        "@everyone", "<!channel> a@all.example", "", most=1000, title_most=100
    )
    assert (title, text) == ("@ everyone", "< !channel> a@ all.example")
    assert (
        fitting("a", '<at user_id="all">', "", most=1000, title_most=100)[1]
        == '< at user_id="all">'
    )  # Feishu


def test_one_who_does_not_answer_is_not_waited_for(
    ledger: Ledger, receiver: Receiver
) -> None:
    ledger.outbox.put(message("A-1"))
    receiver.slow_s = 1.0
    receiver.status = 503
    try:
        assert sent(ledger, telling(f"{receiver.address}?rto=0.2")) == 0
    finally:
        receiver.slow_s = 0
    (stored_message,) = ledger.outbox.undelivered(ledger.clock())
    assert REFUSES in str(stored_message.why_unsent)


def test_no_address_is_told_to_anybody(
    ledger: Ledger,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Neither by apprise's own log at its chattiest, nor by what is kept or answered,
    whatever goes wrong.
    """
    caplog.set_level(logging.DEBUG)
    wrong = f"slack://{TOKEN} bogus://{TOKEN} json://127.0.0.1:1/{TOKEN} https://{TOKEN}.invalid/{TOKEN}"
    settings = telling(receiver.address, *wrong.split())
    receiver.status = 403
    ledger.outbox.put(message("A-1"))
    notices = [
        str(sent(ledger, settings)),
        str(try_out(settings)),
        repr(settings),
        settings.model_dump_json(),
    ]
    notices += [
        str(message.why_unsent) for message in ledger.outbox.undelivered(ledger.clock())
    ]
    notices += [str(ledger.rows(select(messages)))]
    notices += [caplog.text, *capfd.readouterr()]
    assert [text for text in notices if TOKEN in text] == []
    assert "bogus did not get it: apprise does not understand its address" in " ".join(
        notices
    )


@pytest.mark.parametrize("addresses", ["hooks.example/t0ken", "ntfy://a slack:/b", "x"])
def test_what_is_no_address_is_refused_without_being_shown(
    addresses: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCING_NOTIFY", addresses)
    with pytest.raises(
        BadSetting,
        match=r"SOURCING_NOTIFY: address 1 is none of apprise.*; its value is not shown",
    ) as bad:
        SourcingSettings()
    assert addresses not in str(bad.value)


def test_several_addresses_stand_one_after_the_other() -> None:
    """Named by their service, the same one once."""
    recipients = recipients_of(
        SecretStr("ntfy://a/b, mailto://c?to=x@y.z,w@y.z\n mailto://d ntfy://a/b")
    )
    assert [recipient.name for recipient in recipients] == [
        "ntfy",
        "mailto",
        "mailto 2",
    ]
    assert recipients[1].address.get_secret_value() == "mailto://c?to=x@y.z,w@y.z"
    with pytest.raises(BadAddress):
        recipients_of(SecretStr("nothing"))


def test_each_message_leads_to_what_waits(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger, receiver: Receiver
) -> None:
    """Where a UI is known; a link of its own comes first."""
    monkeypatch.setenv("PREFECT_UI_URL", "http://shop:4200")
    ledger.outbox.put(message("A-1"))
    assert sent(ledger, telling(receiver.address)) == 1
    assert receiver.texts == [
        "No news.\n\nhttp://ui/v2/x\n\n"
        "All that waits for you: http://shop:4200/v2/artifacts/key/what-waits"
    ]


@pytest.mark.parametrize(
    ("point", "at_the_receiver"), [("message-claimed", 0), ("message-sent", 1)]
)
def test_a_sender_that_is_killed_loses_no_message(
    ledger: Ledger,
    receiver: Receiver,
    clock: MovableClock,
    point: str,
    at_the_receiver: int,
) -> None:
    """By kill -9 before or after it left. Only in the second case, when nobody can
    know, it arrives twice.
    """
    clock.now = datetime.now(UTC)
    ledger.outbox.put(message("A-1"))
    settings = {
        "SOURCING_LEDGER_URL": ledger.url,
        "SOURCING_NOTIFY": receiver.address,
        "SOURCING_CRASH_AT": point,
    }
    command = [sys.executable, "-c", "from cli.main import app; app()", "notify"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, len(receiver.got)) == (-signal.SIGKILL, at_the_receiver)
    clock.now = datetime.now(UTC)  # a process may take long to start
    # another may still be at it
    assert sent(ledger, telling(receiver.address)) == 0
    clock.advance(120)
    assert sent(ledger, telling(receiver.address)) == 1
    assert sent(ledger, telling(receiver.address)) == 0
    assert receiver.titles == ["A-1 stalled"] * (at_the_receiver + 1)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_senders_at_once_send_each_message_once(
    receiver: Receiver,
    clock: MovableClock,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    database: str,
) -> None:
    """On both databases, also what is put while they are at work."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    if database == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_ledger()
    causes = [f"A-{number}" for number in range(60)]
    messages = [message(cause, about=(f"{cause}:1", f"{cause}:2")) for cause in causes]
    with (
        Ledger(url, clock=clock, owner="first") as ledger,
        Ledger(url, clock=clock, owner="second") as second,
    ):
        settings = telling(receiver.address)
        is_over = Event()

        def send_all(ledger: Ledger) -> int:
            count = 0
            while not is_over.is_set() or ledger.is_message_due(clock()):
                count += sent(ledger, settings)
            return count

        with ThreadPoolExecutor(2) as pool:
            senders = [pool.submit(send_all, ledger) for ledger in (ledger, second)]
            for message_told in messages:
                ledger.outbox.put(message_told)
                second.outbox.put(message_told)
            is_over.set()
        done = [sender.result() for sender in senders]
        assert ledger.outbox.undelivered(clock() - timedelta(days=1)) == []
    assert sum(done) == len(causes)
    assert sorted(receiver.titles) == sorted(f"{cause} stalled" for cause in causes)
