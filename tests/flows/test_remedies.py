"""The forms of the remedies: bad input is one sentence that says what to do, before
anything is opened or sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cli import after_sale
from domain.effects import Resolution
from domain.effects import ResolutionKind as K
from domain.money import Money
from domain.request_remarks import BadInput
from flows import remedies
from flows.after_sale import (
    request_refund,
    return_parcel,
)
from flows.cancel_orders import cancel_orders
from flows.prefect_ui.remedy_parameters import resolution_of
from flows.remedies import resolve_order
from tasks.engine.resources import utc_now

ORDER = "say which order: fill in its reference, as it stands in the request file. Nothing was sent"
ORDERS = "say which orders: add their references, as they stand in the request file. Nothing was sent"


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (request_refund.fn(), ORDER),
        (return_parcel.fn(order_ref="  "), ORDER),
        (resolve_order.fn(), ORDER),
        (cancel_orders.fn([]), ORDERS),
        (
            cancel_orders.fn(["A-1"], " "),
            "say why: fill in a reason, it is sent to the marketplace. Nothing was sent",
        ),
        (
            request_refund.fn("A-1", reason="1", amount_cny="1,5"),
            "mend the amount: '1,5' is not an amount in yuan, such as 1500 or 99.50. Nothing was sent",
        ),
        (
            request_refund.fn("A-1", only_show=False),
            "say why: fill in a reason. With only showing switched on and no reason, the run lists those that the "
            "marketplace takes. Nothing was sent",
        ),
        (
            return_parcel.fn("A-1", "SF", only_show=False),
            "say which parcel: fill in its carrier and its tracking number. Nothing was sent",
        ),
        (
            resolve_order.fn("A-1", K.NOT_PAID),
            "say who answers: fill in your name, it is kept with the answer. Nothing was written",
        ),
        (
            resolve_order.fn("A-1", K.PAID, by="Ann"),
            "the whole answer is: paid AMOUNT_CNY. Nothing was written",
        ),
        (
            resolve_order.fn("A-1", K.NOT_BOOKED, tracking=["T1"], by="Ann"),
            "the whole answer is: not-booked. Nothing was written",
        ),
        (
            resolve_order.fn("A-1", K.NOT_PAID, "9.90", by="Ann"),
            "the whole answer is: not-paid. Nothing was written",
        ),
        (
            resolve_order.fn("A-1", K.PAID, "9.90", up_to="9.90", by="Ann"),
            "the whole answer is: paid AMOUNT_CNY. Nothing was written",
        ),
    ],
)
async def test_bad_input_is_one_sentence_that_says_what_to_do(
    run: Coroutine[Any, Any, Any], sentence: str
) -> None:
    """Without settings, service or ledger: nothing of these was looked for."""
    state: Any = await run
    assert (state.is_failed(), state.message) == (True, sentence)


@pytest.mark.parametrize(
    ("answer", "fields", "resolution"),
    [
        (
            K.PAID,
            ("12.50", [], ""),
            Resolution(kind=K.PAID, amount=Money(1250)),
        ),
        (
            K.CAME_BACK,
            ("0", [], ""),
            Resolution(kind=K.CAME_BACK, amount=Money(0)),
        ),
        (
            K.ORDERED,
            (" 77 ", [], "9"),
            Resolution(kind=K.ORDERED, value="77", amount=Money(900)),
        ),
        (
            K.BOOKED,
            ("9", ["T1，T2"], ""),
            Resolution(kind=K.BOOKED, value="9", tracking=("T1", "T2")),
        ),
        (
            K.NOT_DONE,
            ("A-1:return:all.1", [], ""),
            Resolution(kind=K.NOT_DONE, value="A-1:return:all.1"),
        ),
        (
            K.NOT_CANCELLED,
            ("", [], ""),
            Resolution(kind=K.NOT_CANCELLED),
        ),
    ],
)
def test_the_fields_of_an_answer_make_what_the_command_makes(
    answer: K, fields: tuple[str, list[str], str], resolution: Resolution
) -> None:
    assert resolution_of(answer, *fields) == resolution


def test_no_answer_is_filled_in_beforehand() -> None:
    assert resolve_order.parameters.properties["answer"]["default"] == K.SHOW
    with pytest.raises(BadInput):
        resolution_of(K.BOOKED, "9", [], "")


async def nothing(*_: object) -> None:
    """Takes the place of what opens, sends or shows."""


@asynccontextmanager
async def opened(data_dir: Path | None = None) -> AsyncIterator[SimpleNamespace]:
    yield SimpleNamespace(ledger=None, settings=SimpleNamespace(data_dir=data_dir))


def test_form_and_command_say_the_same_of_a_field() -> None:
    """Title and description in the order of the form; a description is the help of the
    command's option.
    """
    fields = request_refund.parameters.properties.values()
    assert [field["title"] for field in fields] == [
        *(
            "Order",
            "What for",
            "Reason",
            "Amount in yuan",
            "Lines",
            "Words to the seller",
            "Pictures",
        ),
        "Only show what would happen",
    ]
    group = get_command(after_sale.app)
    assert isinstance(group, TyperGroup)
    options = group.commands["refund"].params[:-1]
    assert [vars(one)["help"] for one in options] == [
        field["description"] for field in fields
    ][:-1]
    assert vars(options[-1])["help"].startswith(
        "Up to 5 links, or on 1688 JPG files below 1 MB"
    )


async def test_a_resume_that_was_pressed_before_the_pause_says_that_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both presses wait for a worker, and it starts them side by side."""
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    pressed = utc_now()
    for seconds, press in (
        (2, remedies.pause_buying.fn(said_by="Mei")),
        (0, remedies.resume_buying.fn()),
    ):
        at = AsyncMock(return_value=pressed + timedelta(seconds=seconds))
        monkeypatch.setattr(remedies, "requested_at", at)
        said = await press
    assert said.startswith("buying is paused since ")
    assert said.endswith(
        " by Mei, which was said after this: to resume it, say so again"
    )
    monkeypatch.setattr(
        remedies, "requested_at", AsyncMock(return_value=pressed + timedelta(seconds=9))
    )
    assert (await remedies.resume_buying.fn()).startswith("Buying is allowed again")
