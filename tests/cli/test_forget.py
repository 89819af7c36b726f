"""`sourcing forget` at the terminal: what it refuses, and how it says so."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.schema import orders
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from deployments import forgetting
from domain.effects import EffectStatus
from domain.states import OrderState
from tests.connectors.ledger.plans import intents, plan
from tests.connectors.ledger.test_forgetting import request
from tests.postgres import Postgres

LEASE = timedelta(seconds=60)
OTHER = {"name": "Ann", "phone": "1", "email": "a@b", "address": "Elm"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose order A-1 is ordered, not booked, and A-2 is planned."""
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with ledger_of(tmp_path / "data") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan(ref, request=request(ref)) for ref in ("A-1", "A-2")])
        won = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
        change = OrderChange(
            order_ref="A-1",
            state=OrderState.ORDERED,
            writes=OrderUpdate({"order_id": "1"}),
        )
        ledger.record(
            [Outcome(claim=won.claim, status=EffectStatus.DONE, change=change)]
        )
    return tmp_path / "data"


def ledger_of(data: Path) -> Ledger:
    return Ledger(
        f"sqlite:///{data / 'ledger.db'}", clock=lambda: datetime.now(UTC), owner="me"
    )


def forget(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["forget", *arguments])


@pytest.mark.usefixtures("data")
def test_an_order_that_needs_its_address_is_refused_with_what_ends_that() -> None:
    """Nothing was changed, exit 1."""
    done = forget("A-1", "--yes")
    assert done.exit_code == 1
    assert done.stderr == (
        "sourcing: the receiver of A-1 is still needed: it is ordered and not booked, which needs the address. It ends "
        "when it is booked (run its request file) or taken back (sourcing cancel A-1, or sourcing refund A-1). Nothing "
        "was changed\n"
    )


@pytest.mark.usefixtures("data")
def test_without_a_yes_nobody_can_be_asked() -> None:
    """Bad usage; and an order that nobody knows is told."""
    assert forget("A-2").exit_code == 2
    unknown = forget("A-9", "--yes")
    assert (
        unknown.exit_code,
        "nothing is known of an order A-9" in unknown.stderr,
    ) == (1, True)


@pytest.mark.usefixtures("data")
def test_the_days_by_which_copies_end_are_the_merchants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never the same day in both zones."""
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        monkeypatch.setenv("SOURCING_TIMEZONE", zone)
        day = f"{datetime.now(ZoneInfo(zone)) + timedelta(days=90):%Y-%m-%d}"
        record = json.loads(forget("A-2", "--yes", "--json").stdout)["ends"]
        assert record["states, logs and events of Prefect's runs"] == day


def test_the_same_person_in_another_order_is_told(data: Path) -> None:
    """Exit 3 names it; once that one is forgotten too, nothing names them."""
    with ledger_of(data) as ledger:
        put_rows(ledger, [plan("A-3", request=request("A-3"))])
        ledger.change([OrderChange(order_ref="A-1", state=OrderState.CANCELLED)])
    first = forget("A-1", "--yes")
    assert (
        first.exit_code,
        "order A-2 names the same receiver: sourcing forget A-2" in first.stdout,
    ) == (3, True)
    assert forget("A-2", "A-3", "--yes").exit_code == 0
    assert b"Zylberstein" not in b"".join(
        path.read_bytes() for path in data.rglob("*") if path.is_file()
    )
    repeated = forget("A-1", "A-2", "A-3", "--yes")
    assert (
        repeated.exit_code,
        "Forgotten: the receiver of A-1, A-2, A-3." in repeated.stdout,
    ) == (0, True)
    assert (
        "Its receiver was forgotten on "
        in CliRunner().invoke(app, ["status", "A-1"]).stdout
    )


def test_a_clock_that_is_ahead_ends_no_copies(data: Path) -> None:
    """They end with a reconciliation, of which the service has answered: that knows the
    time.
    """
    copy = data / "inbox" / "done" / "monday.csv"
    copy.parent.mkdir(parents=True)
    copy.write_text("order_ref\n")
    with Ledger(
        f"sqlite:///{data / 'ledger.db'}",
        clock=lambda: datetime.now(UTC) + timedelta(days=400),
        owner="me",
    ) as ledger:
        forgetting.forget(SourcingSettings(), ledger, ["A-2"], by="me")
    assert copy.exists()


@pytest.mark.parametrize("place", ["open", "working"])
@pytest.mark.parametrize("name", ["monday.csv", "monday-0a1b2c3d.csv"])
def test_a_file_of_the_inbox_that_is_not_over_is_named(
    data: Path, place: str, name: str
) -> None:
    """Nothing ends it as long as another of its orders waits. A second one of a name is
    called otherwise there.
    """
    file = data / "inbox" / place / name
    file.parent.mkdir(parents=True)
    file.write_text("order_ref,receiver_name\nA-3,Zylberstein\n")
    with ledger_of(data) as ledger:
        ledger.start_batch("night", str(data / "inbox" / "working" / "monday.csv"))
        put_rows(ledger, [plan("A-3", request=request("A-3"), batch_id="night")])
        ledger.change([OrderChange(order_ref="A-3", state=OrderState.CANCELLED)])
    message = f"{file}: your own file may still have the order's lines; take them out"
    assert message in forget("A-3", "--yes").stdout


def test_a_run_waits_for_no_rewriting_of_a_large_ledger(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claims need a lock that this would hold for long; told with exit 3, and done
    by the call after the run.
    """
    monkeypatch.setattr(forgetting, "MOST_BESIDE_A_RUN", 10_000)
    won: list[str] = []

    def claims() -> None:
        with SendLog(data / "sends"), ledger_of(data) as run:
            put_rows(
                run,
                [
                    plan(f"B-{number}", request=request(f"B-{number}", **OTHER))
                    for number in range(50)
                ],
            )
            at_work.set()
            for number in range(50):
                won.extend(run.claim(intents(f"B-{number}"), lease=LEASE).won)
            done.wait(30)

    at_work = threading.Event()
    done = threading.Event()
    run = threading.Thread(target=claims)
    run.start()
    at_work.wait(30)
    beside = forget("A-2", "--yes")
    done.set()
    run.join()
    assert (
        beside.exit_code,
        "keeps old rows until no run is at work" in " ".join(beside.stdout.split()),
    ) == (3, True)
    assert len(won) == 50
    assert "keeps old rows" not in forget("A-2", "--yes").stdout


@pytest.mark.endurance
def test_a_ledger_in_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    """The rows are erased there, and the data folder has its snapshots and files all
    the same.
    """
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SOURCING_LEDGER_URL", url := postgres.new_ledger())
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with Ledger(url, clock=lambda: datetime.now(UTC), owner="me") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1", request=request("A-1"))])
        done = forget("A-1", "--yes")
        assert (done.exit_code, "Forgotten: the receiver of A-1." in done.stdout) == (
            0,
            True,
        )
        assert "Zylberstein" not in repr(ledger.rows(orders.select()))
        assert ledger.orders(["A-1"])["A-1"].state is OrderState.CANCELLED
