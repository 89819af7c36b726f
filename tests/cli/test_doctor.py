"""`sourcing doctor` when the service can't be reached: one cause is told once, with a
remedy that helps.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ledger.store import Ledger
from domain.messages import Message
from tests.cli.conftest import Sourcing
from tests.running import RunningSandbox

UNREACHED = {
    "service": "http://127.0.0.1:9 can't be reached: Connection refused",
    "account": "not checked, since the service can't be reached",
}


def told_of_service(sourcing: Sourcing) -> tuple[dict[str, str], list[str]]:
    """What is not well, by check, and the remedies."""
    done = sourcing("doctor", "--json")
    assert done.exit_code == 1
    unwell = [finding for finding in json.loads(done.stdout) if not finding["ok"]]
    remedies = [finding["remedy"] for finding in unwell if finding["remedy"]]
    return {finding["check"]: finding["found"] for finding in unwell}, remedies


def test_an_account_is_not_blamed_for_a_service_that_is_not_there(
    sourcing: Sourcing,
) -> None:
    """It could not be checked, which is said instead of a second remedy."""
    remedy = "start it with `sourcing sandbox`, or set XPORTCN_BASE_URL"
    assert told_of_service(sourcing) == (UNREACHED, [remedy])


def test_the_sandbox_is_to_be_started_with_the_books_of_the_try_out(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    """With empty ones every order of the ledger would be missing at the service."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sandbox.db").touch()
    remedy = "start it with `sourcing sandbox --state data/sandbox.db`, or set XPORTCN_BASE_URL"
    assert told_of_service(sourcing) == (UNREACHED, [remedy])


def test_the_real_service_is_not_to_be_started(
    sourcing: Sourcing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its remedy is the network and the address."""
    for name, value in {
        "BASE_URL": "http://sourcing.invalid/api",
        "ACCESS_KEY": "k",
        "ACCESS_SECRET": "s",
    }.items():
        monkeypatch.setenv(f"XPORTCN_{name}", value)
    monkeypatch.setenv("XPORTCN_USER_ID", "1")
    findings, remedies = told_of_service(sourcing)
    assert findings["account"] == UNREACHED["account"]
    assert remedies == ["check the network and the address, or set XPORTCN_BASE_URL"]


def test_several_addresses_without_a_default_are_told_before_the_run_that_is_refused(
    sourcing: Sourcing, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XPORTCN_BASE_URL", sandbox.url)
    sandbox.faults({"path": "/open/address/get", "kind": "no_default"})
    findings, remedies = told_of_service(sourcing)
    sandbox.faults()
    assert findings["account"].startswith(
        "Basics / Get user address information: the account has 2 addresses of which none"
    )
    assert (
        "华南集运仓 (广东省 深圳市), 华东集运仓 (浙江省 金华市). Make one the default"
        in findings["account"]
    )
    assert remedies == []


def ledger_check(sourcing: Sourcing) -> tuple[bool, str]:
    (check,) = [
        item
        for item in json.loads(sourcing("doctor", "--json").stdout)
        if item["check"] == "ledger"
    ]
    return check["ok"], check["found"]


def test_a_ledger_of_another_account_is_named_before_the_run_that_is_refused(
    sourcing: Sourcing, empty_ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after the README's try-out: its orders and real ones never mix."""
    with Ledger(
        f"sqlite:///{empty_ledger}", clock=lambda: datetime.now(UTC), owner="test"
    ) as ledger:
        ledger.belong_to("user 2100007300001 at the sandbox")
    assert ledger_check(sourcing) == (True, "0 orders")
    monkeypatch.setenv("XPORTCN_BASE_URL", "http://sourcing.invalid/api")
    monkeypatch.setenv("XPORTCN_USER_ID", "1")
    assert ledger_check(sourcing) == (
        False,
        f"the ledger sqlite:///{empty_ledger} holds orders of user 2100007300001 at the sandbox, the settings say "
        "user 1 at sourcing.invalid: give each account its own SOURCING_DATA_DIR, and in PostgreSQL its own database. "
        "Nothing was sent.",
    )


@pytest.mark.usefixtures("empty_ledger")
def test_the_age_of_the_last_backup_is_shown(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    def shown() -> dict[str, object]:
        [check] = [
            item
            for item in json.loads(sourcing("doctor", "--json").stdout)
            if item["check"] == "backup"
        ]
        return dict(check)

    remedy = "sourcing ledger backup FOLDER, each night: docs/operating.md, Schedule"
    assert shown() == {
        "check": "backup",
        "found": "the last one: never",
        "remedy": remedy,
        "ok": True,
    }
    assert sourcing("ledger", "backup", str(tmp_path)).exit_code == 0
    assert shown() == {
        "check": "backup",
        "found": "the last one: within a day",
        "remedy": "",
        "ok": True,
    }


def test_none_is_made_to_be_looked_at(sourcing: Sourcing, tmp_path: Path) -> None:
    assert ledger_check(sourcing) == (
        True,
        f"none yet at sqlite:///{tmp_path}/data/ledger.db",
    )
    assert not (tmp_path / "data" / "ledger.db").exists()


@pytest.mark.parametrize(
    ("rates", "well", "found"),
    [
        (None, True, "none: SOURCING_RATES names no file"),
        (
            "from,to,rate,date,source\nCNY,EUR,0.1,{today},ECB\nUSD,GBP,0.8,2020-01-01,x\n",
            True,
            "CNY to EUR of {today}",
        ),
        (
            "from,to,rate,date,source\nCNY,EUR,0.1,2020-01-01,ECB\n",
            False,
            "the newest rate from CNY to EUR for {today}",
        ),
        (
            "from,to,rate,date,source\nUSD,GBP,0.8,{today},x\n",
            False,
            "has no rate into EUR",
        ),
        (
            "from,to,rate,date,source\nCNY,EUR,a lot,{today},x\n",
            False,
            "row 2, column rate: 'a lot' is no rate",
        ),
    ],
)
def test_rates_that_can_not_be_used_or_are_old_are_said(
    sourcing: Sourcing,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rates: str | None,
    well: object,
    found: str,
) -> None:
    today = datetime.now(UTC).date().isoformat()
    monkeypatch.setenv("SOURCING_CURRENCY", "EUR")
    if rates is not None:
        (tmp_path / "rates.csv").write_text(rates.format(today=today))
        monkeypatch.setenv("SOURCING_RATES", "rates.csv")

    findings = {
        finding["check"]: finding
        for finding in json.loads(sourcing("doctor", "--json").stdout)
    }

    assert findings["rates"]["ok"] is well
    assert found.format(today=today) in findings["rates"]["found"]


def test_limits_are_shown_and_names_that_nothing_reads(
    sourcing: Sourcing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit whose name has a slip is none; the nearest name is proposed."""
    monkeypatch.setenv("SOURCING_ORDER_LIMIT_CNY", "500")
    (tmp_path / ".env").write_text("sourcing_day_limit=5000\nXPORTCN_COLOUR=red\n")

    findings = {
        finding["check"]: finding
        for finding in json.loads(sourcing("doctor", "--json").stdout)
    }

    assert findings["limits"]["found"] == "order 500.00 CNY, day none, approval none"
    assert findings["names of settings"] == {
        "check": "names of settings",
        "found": "nothing reads SOURCING_DAY_LIMIT, XPORTCN_COLOUR",
        "remedy": "did you mean SOURCING_DAY_LIMIT_CNY for SOURCING_DAY_LIMIT?",
        "ok": True,
    }


def test_whether_messages_can_go_out_is_said_without_an_address(
    sourcing: Sourcing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _of_messages(sourcing) == ("no recipients", True)
    monkeypatch.setenv("SOURCING_NOTIFY", "ntfys://ntfy.sh/topic-5f0c wehcat://secret")
    assert _of_messages(sourcing) == (
        "apprise does not understand the address of wehcat",
        False,
    )
    monkeypatch.setenv(
        "SOURCING_NOTIFY", "mailtos://mei:secret@example.com ntfys://ntfy.sh/topic-5f0c"
    )
    assert _of_messages(sourcing) == ("to mailtos, ntfys", True)
    with Ledger(
        f"sqlite:///{tmp_path}/data/ledger.db",
        clock=lambda: datetime.now(UTC),
        owner="test",
    ) as ledger:
        ledger.outbox.put(Message(cause="a", subject="a file has faults", body=""))
        ledger.outbox.address(["ntfys"], ledger.clock())
        message = ledger.outbox.due(ledger.clock())
        assert message is not None
        unreachable = "it did not take the message, or can't be reached"
        ledger.outbox.failed(message, unreachable, ledger.clock())
    finding, is_well = _of_messages(sourcing)
    assert "1 message of the last day did not arrive" in finding
    assert (
        "ntfys did not get it: it did not take the message, or can't be reached; tried again"
        in finding
    )
    assert not is_well


def _of_messages(sourcing: Sourcing) -> tuple[str, bool]:
    output = sourcing("doctor", "--json").stdout
    assert not [
        secret for secret in ("secret", "topic-5f0c", "/hook/token") if secret in output
    ]
    (finding,) = (item for item in json.loads(output) if item["check"] == "messages")
    return finding["found"], finding["ok"]
