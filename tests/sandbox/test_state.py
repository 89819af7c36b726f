"""A state file survives `kill -9`; files that cannot be used are refused with a
remedy.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sandbox.store import FileStore, StateError
from sandbox.world import World
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller, opened
from tests.sandbox.processes import failed_start, running

VECTOR = json.loads(
    (
        Path(__file__).parents[2]
        / "docs"
        / "contract"
        / "vectors"
        / "order_booking_freight.json"
    ).read_text()
)
CREATE_1688 = "/alibaba/order/create"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.db"


async def everything(caller: Caller) -> list[Any]:
    orders = await caller.post("/v2/alibaba/order/page", {"page": 1, "pageSize": 50})
    return [
        await caller.books(),
        await caller.rows("taobao"),
        await caller.rows("1688"),
        orders.data,
    ]


async def test_everything_survives_a_kill(state: Path) -> None:
    """Orders, payments, shipments, reports, wallet, stock, prices and clock are there
    after `kill -9`.
    """
    async with running("--state", str(state)) as (sandbox, caller):
        assert sandbox.ready.endswith(f"(seed 7, state in {state})")
        buyer = Buyer(caller)
        taobao = (await caller.rows("taobao", limit=1))[0]
        alibaba = (await caller.rows("1688", limit=1))[0]
        order_id = await buyer.create_1688(alibaba)
        await buyer.pay_1688(order_id)
        booking = await buyer.book(order_id, alibaba)
        await caller.post(
            "/open/pp/logistics/updateLogisticInfo",
            buyer.report(booking, order_id, alibaba, "SF1"),
        )
        await caller.post(VECTOR["path"], VECTOR["request"])
        await caller.control(
            "PUT",
            "faults",
            {"rules": [{"path": "*", "kind": "price_change", "times": 1}]},
        )
        unpaid = await buyer.create_taobao(taobao)
        render = await buyer.render_freight(alibaba)
        await caller.advance(hours=2)
        before = await everything(caller)
        sandbox.kill()

    async with running("--state", str(state)) as (_, caller):
        buyer = Buyer(caller)
        assert await everything(caller) == before
        body = buyer.booking(render["renderId"], order_id, alibaba)
        repeated = (
            await caller.post("/open/pp/logistics/orderBookingFreight", body)
        ).data
        assert repeated["orderId"] == "102", (
            "the render is still good, the counters go on"
        )
        assert (await buyer.pay_taobao(unpaid))["willPayPurchaseOrderIds"] == [unpaid]


async def test_what_was_still_to_come_survives(state: Path) -> None:
    """A late effect lands once and an unpaid order closes, whichever process is there
    by then.
    """
    async with opened(state) as caller:
        row = (await caller.rows("1688", limit=1))[0]
        await Buyer(caller).create_1688(row, reference="unpaid")
        delayed = {"path": CREATE_1688, "kind": "late_effect", "delay_s": 90_000}
        await caller.control("PUT", "faults", {"rules": [delayed]})
        await caller.post(
            CREATE_1688,
            {**Buyer(caller).cargo(row), "flow": "general", "message": "late"},
        )
    async with opened(state) as caller:
        assert (await caller.books())["late_effects"]["pending"] == 1
        await caller.advance(hours=25)
    async with opened(state) as caller:
        books = await caller.books()
        assert [(order["reference"], order["status"]) for order in books["orders"]] == [
            ("unpaid", "cancel"),
            ("late", "waitbuyerpay"),
        ]
        assert books["late_effects"]["pending"] == 0


async def test_reset_empties_the_state_file(state: Path) -> None:
    """After a reset there is nothing to come back."""
    async with opened(state) as caller:
        before = await everything(caller)
        await Buyer(caller).create_1688((await caller.rows("1688", limit=1))[0])
        await caller.advance(days=1)
        await caller.control("POST", "reset")
    async with opened(state) as caller:
        assert await everything(caller) == before


def test_another_seed_is_refused(state: Path) -> None:
    """A file belongs to the seed that it was made with."""
    FileStore(state, 8).close()
    with pytest.raises(
        StateError,
        match=r"was made with seed 8, not 7\. Start with --seed 8, or name another file",
    ):
        FileStore(state, 7)


async def test_one_file_serves_one_sandbox(state: Path) -> None:
    """A second sandbox on the same file is turned away while the first lives, with exit
    status 1.
    """
    async with running("--state", str(state)):
        status, message = failed_start("--state", str(state))
        assert status == 1
        assert message == (
            f"sandbox: another sandbox is using {state}. Stop it, or give this one its own file with --state.\n"
        )
    FileStore(state, 7).close()


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Neither a text, nor another program's database, nor a missing folder is
    overwritten or guessed around.
    """
    text = tmp_path / "notes.txt"
    foreign = tmp_path / "other.db"
    text.write_text("not a database, but long enough to be taken for one" * 100)
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE theirs (id)")
    database.close()
    with pytest.raises(StateError, match="is not a sandbox state file or is damaged"):
        FileStore(text, 7)
    with pytest.raises(StateError, match="belongs to another program"):
        FileStore(foreign, 7)
    with pytest.raises(StateError, match="Check that its folder can be written"):
        FileStore(text / "state.db", 7)
    assert text.read_text().startswith("not a database")


def test_the_folder_of_a_state_file_is_made(tmp_path: Path) -> None:
    FileStore(tmp_path / "data" / "state.db", 7).close()
    assert (tmp_path / "data" / "state.db").exists()


@pytest.mark.parametrize("body", ['{"id": 1}', "{", "[]"])
def test_a_damaged_file_is_refused(state: Path, body: str) -> None:
    """A file whose rows make no sense is refused with a remedy."""
    FileStore(state, 7).close()
    with sqlite3.connect(state) as database:
        database.execute("INSERT INTO entity VALUES ('order', '1', ?)", (body,))
    database.close()
    store = FileStore(state, 7)
    with pytest.raises(StateError, match="Move it away"):
        World(7, store)
    store.close()


async def test_a_port_in_use_is_explained() -> None:
    """The message names the port and what to do."""
    async with running() as (sandbox, _):
        assert sandbox.ready == f"sandbox ready on {sandbox.origin} (seed 7, in memory)"
        status, message = failed_start("--port", str(sandbox.port))
        assert sandbox.stop() == 0
    assert status == 1
    assert message == (
        f"sandbox: port {sandbox.port} on 127.0.0.1 is in use. "
        "Stop what listens there, or choose another port with --port.\n"
    )
