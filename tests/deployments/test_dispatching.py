"""Messages start runs: one for all that waits of a kind, one of a kind at a time, none
twice, none lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.callbacks.store import CallbackStore
from connectors.callbacks.tickets import Tickets
from deployments.post_office import Dispatcher, are_received
from deployments.receiver import read_arrival
from domain.reasons import ReasonCode, because
from tests.clock import MovableClock
from tests.connectors.callbacks.conftest import posted

READ = because(ReasonCode.CALLBACK_ORDER_STAYS, order_ref="A-1", state="booked")


@dataclass
class Server:
    """A Prefect server that keeps runs by their keys, and may be away or lose its
    answer.
    """

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_away: bool = False
    loses_answers: bool = False

    async def read_deployment_by_name(self, name: str) -> Any:
        assert name == "hear-callbacks/hear-callbacks"
        if self.is_away:
            raise OSError("nobody listens")
        return SimpleNamespace(id="d")

    async def create_flow_run_from_deployment(
        self, _id: str, *, idempotency_key: str, **run: Any
    ) -> None:
        self.runs.setdefault(idempotency_key, run)
        if self.loses_answers:
            raise OSError("the connection broke")


@pytest.fixture
def store(tmp_path: Path, clock: MovableClock) -> Iterator[CallbackStore]:
    with CallbackStore(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as store:
        yield store


def dispatcher(store: CallbackStore, server: Server) -> Dispatcher:
    return Dispatcher(store, cast(Any, server))


def keep(store: CallbackStore, *bodies: bytes) -> None:
    store.add([read_arrival(body, "203.0.113.7", store.clock()) for body in bodies])


def work(store: CallbackStore, server: Server) -> int:
    """Do what the runs are for; answers how many messages were looked at."""
    polled_at = 0
    for ticket in list(server.runs):
        messages = Tickets(store).begin(ticket)
        store.settle({one.id: READ for one in messages})
        Tickets(store).end(ticket)
        polled_at += len(messages)
    return polled_at


async def test_all_that_waits_of_a_kind_is_one_run(store: CallbackStore) -> None:
    """1,000 messages of 50 orders, and one about a price: two runs, however often it
    looks.
    """
    keep(store, *(posted(str(1 + number % 50), at=number) for number in range(1_000)))
    keep(store, posted("7", "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"))
    server = Server()
    for _ in range(3):
        await dispatcher(store, server).poll()
    assert sorted(run["name"] for run in server.runs.values()) == [
        "read about price: 1 order",
        "read about status: 50 orders",
    ]
    assert work(store, server) == 1_001


async def test_two_thousand_orders_are_two_runs_one_after_the_other(
    store: CallbackStore,
) -> None:
    """A thousand orders each."""
    keep(store, *(posted(str(number)) for number in range(1, 2_001)))
    server = Server()
    while await dispatcher(store, server).poll():
        work(store, server)
    assert (len(server.runs), store.kinds_at_hand()) == (2, [])


async def test_a_server_that_is_away_loses_nothing(store: CallbackStore) -> None:
    """Nor does one whose answer is lost: the run is asked for again under the same
    key.
    """
    keep(store, posted("7"))
    server = Server(is_away=True)
    with pytest.raises(OSError, match="nobody"):
        await dispatcher(store, server).poll()
    server.is_away, server.loses_answers = False, True
    for _ in range(2):
        with pytest.raises(OSError, match="broke"):
            await dispatcher(store, server).poll()
    server.loses_answers = False
    await dispatcher(store, server).poll()
    assert (len(server.runs), work(store, server)) == (1, 1)


async def test_what_only_a_newer_version_knows_is_left_to_it_and_told_once(
    store: CallbackStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other kinds go on."""
    keep(store, posted("7"), posted("8"))
    with store.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE callbacks SET kind = 'customs' WHERE order_id = '7'"
        )
    server = Server()
    one = dispatcher(store, server)
    await one.poll()
    await one.poll()
    assert [run["name"] for run in server.runs.values()] == [
        "read about status: 1 order"
    ]
    (told,) = capsys.readouterr().err.splitlines()
    assert "messages about 'customs' wait for a newer version" in told


async def test_what_comes_while_a_run_is_at_work_waits_for_the_next(
    store: CallbackStore,
) -> None:
    keep(store, posted("7"))
    server = Server()
    await dispatcher(store, server).poll()
    keep(store, posted("8"))
    assert await dispatcher(store, server).poll() == []
    work(store, server)
    assert len(await dispatcher(store, server).poll()) == 1


def test_where_nobody_receives_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    """No file is made for it."""
    assert not are_received(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("works_s", "count"), [(0, 1), (600, 0)])
async def test_a_clock_that_is_ahead_as_the_machine_starts_forgets_no_message(
    store: CallbackStore, clock: MovableClock, works_s: float, count: int
) -> None:
    """It is set right within minutes; then what was settled long ago goes."""
    server = Server()
    keep(store, posted("7"))
    await dispatcher(store, server).poll()
    assert work(store, server) == 1
    clock.advance(400 * 86_400)
    one = dispatcher(store, server)
    await one.poll()
    clock.advance(works_s)
    await one.poll()
    assert store.forget_old() == count
