"""The main job when the service, the network or the process fails; the sandbox's books
have the last word.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.crashes.light import Job, Speed
from tests.crashes.light import run as run_light
from tests.deployments.served import wait_for
from tests.endurance.shop import judged
from tests.running import (
    Merchant,
    RunningSandbox,
    assert_books_are_exact,
    single_line_orders,
    write_csv,
)

PAST_SETTLE_TIME_S = 3600.0


def requests(merchant: Merchant, each: int) -> Path:
    rows = single_line_orders(merchant.sandbox, {"taobao": each, "1688": each})
    return write_csv(merchant.folder / "requests.csv", rows)


def effects_seen(sandbox: RunningSandbox) -> int:
    books = sandbox.books()
    return sum(len(books[kind]) for kind in ("orders", "payments", "shipments"))


@pytest.mark.endurance
def test_killed_runs_buy_everything_exactly_once(merchant: Merchant) -> None:
    """`kill -9` in the middle of creating, paying and booking, again and again; the
    last run finishes the batch.

    A booking that was on the wire at a kill and is not at the service may arrive still:
    it waits with its question.
    """
    file = requests(merchant, 6)
    luck = random.Random(7)
    kills = 2
    calls_at_once = 4
    command = (
        "run",
        file,
        "--yes",
        "--batch",
        "killed",
        "--chunk-size",
        "4",
        "--concurrency",
        str(calls_at_once),
    )
    settings = {"XPORTCN_PAY_IS": "debit"}
    for _ in range(kills):
        goal = effects_seen(merchant.sandbox) + luck.randint(1, 12)
        run = merchant.start(*command, **settings)
        while run.poll() is None and effects_seen(merchant.sandbox) < goal:
            time.sleep(0.005)
        run.kill()
        run.communicate()
    report = merchant.report(*command, **settings)
    job = Job(
        url=merchant.sandbox.url,
        folder=merchant.folder,
        file=file,
        batch="killed",
        settings=settings,
    )
    if report["counts"] != {"booked": 12}:
        run_light(replace(job, clock=Speed(ahead_s=PAST_SETTLE_TIME_S)))
    end = judged(merchant.sandbox, job)
    books = merchant.sandbox.books()
    assert_books_are_exact(books, report)
    assert end.violations == []
    assert end.asked <= kills * calls_at_once
    assert (
        len(books["orders"])
        == len(books["payments"])
        == len(books["shipments"]) + end.asked
        == 12
    )


@pytest.mark.endurance
def test_faults_of_every_kind_never_double_anything(merchant: Merchant) -> None:
    """With five kinds of faults on every call, each order ends booked or says why not;
    a lost create holds up 1688.
    """
    kinds = ("latency", "http_500", "http_429", "drop_before", "drop_after")
    rules = [
        {
            "path": "/*",
            "kind": kind,
            "probability": 0.05,
            "times": None,
            "delay_s": 0.05,
        }
        for kind in kinds
    ]
    merchant.sandbox.faults(*rules)
    file = requests(merchant, 25)
    for _ in range(3):
        report = merchant.report("run", file, "--yes", "--batch", "faulty")
        assert_books_are_exact(merchant.sandbox.books(), report)
    assert set(report["counts"]) <= {"booked", "held", "planned", "unknown"}
    assert report["counts"]["booked"] >= 15
    assert all(
        order["reason"] for order in report["orders"] if order["state"] != "booked"
    )


@pytest.mark.endurance
def test_a_payment_that_lands_late_is_not_paid_twice(merchant: Merchant) -> None:
    """The service answers an error and takes the money ten minutes later: the next run
    finds it.
    """
    delayed = {"kind": "late_effect", "probability": 1, "times": None, "delay_s": 600}
    paths = ("/open/purchase/pay", "/alibaba/order/batch/submit/to/pay")
    merchant.sandbox.faults(*({"path": path, **delayed} for path in paths))
    file = requests(merchant, 3)
    for _ in range(2):
        assert merchant.report("run", file, "--yes")["counts"] == {"unknown": 6}
        assert merchant.sandbox.books()["payments"] == []
    merchant.sandbox.advance(601)
    last = merchant.report("run", file, "--yes")
    assert last["counts"] == {"booked": 6}
    books = merchant.sandbox.books()
    assert_books_are_exact(books, last)
    assert len(books["payments"]) == 6


@pytest.mark.endurance
def test_an_order_that_lands_late_is_not_created_twice(merchant: Merchant) -> None:
    """1688 knows no idempotency: only reading keeps the second order away. The first
    one's fate holds the others.
    """
    delayed = {"kind": "late_effect", "probability": 1, "times": 1, "delay_s": 600}
    merchant.sandbox.faults({"path": "/alibaba/order/create", **delayed})
    file = requests(merchant, 3)
    assert merchant.report("run", file, "--yes")["counts"] == {
        "booked": 3,
        "planned": 2,
        "unknown": 1,
    }
    assert merchant.report("run", file, "--yes")["counts"] == {
        "booked": 3,
        "planned": 2,
        "unknown": 1,
    }
    merchant.sandbox.advance(601)
    report = merchant.report("run", file, "--yes")
    assert report["counts"] == {"booked": 6}
    assert len(merchant.sandbox.books()["orders"]) == 6


def test_a_price_that_rises_after_ordering_is_not_paid(merchant: Merchant) -> None:
    """The order waits for a person, and the wallet is untouched."""
    file = requests(merchant, 1)
    merchant.sandbox.faults(
        {
            "path": "/open/purchase/page",
            "kind": "price_change",
            "probability": 1,
            "times": None,
            "delay_s": 0,
        },
        {
            "path": "/alibaba/order/detail",
            "kind": "price_change",
            "probability": 1,
            "times": None,
            "delay_s": 0,
        },
    )
    report = merchant.report("run", file, "--yes")
    assert report["counts"] == {"held": 2}
    assert all(
        order["reason"].startswith("the price rose after ordering")
        for order in report["orders"]
    )
    assert merchant.sandbox.books()["payments"] == []


def test_an_empty_wallet_holds_the_orders_and_a_full_one_pays_them(
    merchant: Merchant,
) -> None:
    """After topping up, the same command pays what waits, and creates nothing anew."""
    file = requests(merchant, 2)
    merchant.sandbox.control("PUT", "wallet", {"balance_fen": 0})
    poor = merchant.report("run", file, "--yes")
    assert poor["counts"] == {"held": 4}
    assert all(order["reason"].startswith("not paid: ") for order in poor["orders"])
    merchant.sandbox.control("PUT", "wallet", {"balance_fen": 10_000_000})
    rich = merchant.report("run", file, "--yes")
    assert rich["counts"] == {"booked": 4}
    assert len(merchant.sandbox.books()["orders"]) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"XPORTCN_ACCESS_SECRET": "not-the-secret"}, "XPORTCN_ACCESS_SECRET"),
        (
            {"XPORTCN_BASE_URL": "http://127.0.0.1:9", "SOURCING_PATIENCE_S": "0"},
            "XPORTCN_BASE_URL",
        ),
        ({"XPORTCN_USER_ID": "2100007300002"}, "XPORTCN_USER_ID"),
    ],
)
def test_a_wrong_setting_is_named(
    merchant: Merchant, settings: dict[str, str], message: str
) -> None:
    """Exit 1, the variable is named, no traceback, no secret, and nothing is sent."""
    done = merchant.sourcing("run", requests(merchant, 1), "--yes", **settings)
    assert done.exit_code == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "not-the-secret" not in done.stderr + done.stdout
    assert merchant.sandbox.books()["orders"] == []


def test_no_secret_is_written_anywhere(merchant: Merchant) -> None:
    """Not into the ledger, the snapshots, the logs or Prefect's records of the data
    folder.
    """
    done = merchant.sourcing(
        "run",
        requests(merchant, 1),
        "--yes",
        "--json",
        XPORTCN_ACCESS_SECRET="not-the-secret-9f3",
    )
    assert done.exit_code == 1
    ok = merchant.sourcing("run", merchant.folder / "requests.csv", "--yes", "--json")
    assert json.loads(ok.stdout)["counts"] == {"booked": 2}
    written = [path for path in merchant.folder.rglob("*") if path.is_file()]
    assert len(written) > 10
    for path in written:
        content = path.read_bytes()
        assert b"sandbox-access-secret" not in content
        assert b"not-the-secret-9f3" not in content


def test_an_answer_is_told_to_who_listens(merchant: Merchant) -> None:
    """The alarm about an unknown booking waits for the event that a person's answer
    sends.
    """
    merchant.sandbox.faults(
        {
            "path": "/open/pp/logistics/orderBookingFreight",
            "kind": "drop_before",
            "probability": 1,
            "times": None,
        }
    )
    (row,) = single_line_orders(merchant.sandbox, {"taobao": 1})
    file = write_csv(
        merchant.folder / "requests.csv", [{**row, "order_ref": "asked-about"}]
    )
    assert merchant.report("run", file, "--yes")["counts"] == {"unknown": 1}
    assert events(merchant, "sourcing.effect.settled", "asked-about") == []
    answer = ("booked", "3001", "--tracking", "UT300900001")
    answered = merchant.sourcing("resolve", "asked-about", *answer)
    assert answered.exit_code == 0, answered.stderr
    wait_for(
        lambda: (
            events(merchant, "sourcing.effect.settled", "asked-about")
            == ["asked-about:book"]
        )
    )


def events(merchant: Merchant, name: str, order_ref: str) -> list[str]:
    """The effects that the Prefect server was told of under this name."""
    about = {"name": [name]}, {"id": [f"sourcing.order.{order_ref}"]}
    calls = {"filter": {"event": about[0], "related": about[1]}}
    request = Request(
        f"{merchant.settings['PREFECT_API_URL']}/events/filter",
        data=json.dumps(calls).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request) as answer:
        return [
            event["resource"]["prefect.resource.name"]
            for event in json.load(answer)["events"]
        ]
