"""Values on the wire: exact ids and money, times of two formats, tolerant readers,
strict writers.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from connectors.xportcn.envelope import read_json
from connectors.xportcn.models import JsonText, Response, path_and_query
from connectors.xportcn.operations import (
    alibaba_order,
    taobao_after_sale,
    taobao_cart,
    taobao_order,
    taobao_product,
)
from connectors.xportcn.wire import (
    Bounds,
    ChinaTime,
    Fen,
    Id,
    MaybeChinaTime,
    ParcelNumber,
    Reference,
    Unit,
    UnixMs,
    Yuan,
    china_text,
)
from domain.money import Money
from tests.connectors.xportcn.orders import line

LINES = TypeAdapter(Annotated[tuple[taobao_order.CreateLine, ...], JsonText])
IDS = TypeAdapter(Id)
FEN = TypeAdapter(Fen)
YUAN = TypeAdapter(Yuan)
TIME = TypeAdapter(ChinaTime)
UNIX_MS = TypeAdapter(UnixMs)


def over_the_wire(value: Any) -> Any:
    return read_json(json.dumps(value).encode())


def json_text_of(entry: taobao_order.CreateLine, unit: Unit | None) -> Any:
    """An entry of a JSON text inside a request."""
    return json.loads(LINES.dump_python((entry,), context=unit))[0]


@given(st.integers(0, 10**25))
def test_an_id_is_the_same_text_however_it_comes(number: int) -> None:
    """As a number or as text: no digit is lost."""
    for written in (f"{number}", f'"{number}"'):
        assert IDS.validate_python(read_json(written.encode())) == str(number)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        True,
        None,
        [],
        {},
        Decimal("1.5"),
        Decimal("12.0"),
        "12.0",
        Decimal("1e400"),
        Decimal("NaN"),
    ],
)
def test_what_is_no_id(value: object) -> None:
    """A float has lost digits already, and so has what is written with a point; the
    rest never had any.
    """
    with pytest.raises(ValidationError):
        IDS.validate_python(value)


@given(st.integers(0, 10**12))
def test_fen_are_whole_however_they_come(fen: int) -> None:
    """Number or text, the amount is the same."""
    for written in (f"{fen}", f'"{fen}"'):
        assert FEN.validate_python(read_json(written.encode())) == Money(fen)


@pytest.mark.parametrize(
    "written", ["59.00", '"59.00"', "59.0", "0.0", '"5.9e1"', "59e0", '" 59. "', "59.9"]
)
def test_a_decimal_point_is_never_read_as_fen(written: str) -> None:
    """59.00 may be 59 yuan: as fen every limit would be off by 100."""
    with pytest.raises(
        ValidationError, match="has a decimal point where fen are whole"
    ):
        FEN.validate_python(read_json(written.encode()))


@pytest.mark.parametrize(
    ("written", "fen"),
    [
        ("59", 5900),
        ('"59.00"', 5900),
        ("59.9", 5990),
        ("0.1", 10),
        ("57.99999999999999", 5800),
    ],
)
def test_an_amount_is_read_in_the_unit_that_is_set_for_its_place(
    written: str, fen: int
) -> None:
    """The contract's fen as yuan, exactly; the contract's yuan as fen."""
    in_yuan = Bounds(unit=Unit.YUAN)
    in_fen = Bounds(unit=Unit.FEN)
    assert FEN.validate_python(read_json(written.encode()), context=in_yuan) == Money(
        fen
    )
    assert YUAN.validate_python(5900, context=in_fen) == Money(5900)
    for reader, context in ((FEN, in_yuan), (YUAN, in_fen)):
        with pytest.raises(ValidationError):
            reader.validate_python("59.005", context=context)


def test_an_amount_is_sent_in_the_unit_that_is_set_for_its_place() -> None:
    """Also inside the JSON text that Taobao's calls carry; 10 fen are not 0.1 and
    something.
    """
    request = taobao_product.SearchRequest(
        keyword="cup", page_no=1, page_size=1, price_start=Money(10)
    )
    assert json.loads(request.body(Unit.YUAN))["priceStart"] == 0.1
    assert json.loads(request.body())["priceStart"] == 10
    assert request.query(Unit.YUAN)["priceStart"] == "0.1"
    line = taobao_order.CreateLine(
        item_id="1",
        sku_id="2",
        order_line_no="1",
        quantity=1,
        price=Money(5990),
        currency="CNY",
        title="cup",
    )
    assert json_text_of(line, Unit.YUAN)["price"] == 59.9
    assert json_text_of(line, None)["price"] == 5990


@given(st.integers(0, 10**12))
def test_yuan_are_exact_however_they_come(fen: int) -> None:
    """As text, as a number, and as the nearest double that JSON libraries write."""
    yuan = Decimal(fen).scaleb(-2)
    for written in (f'"{yuan:.2f}"', f"{yuan:.2f}", f"{yuan:.4f}"):
        assert YUAN.validate_python(read_json(written.encode())) == Money(fen)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_yuan_that_the_service_added_up_in_doubles_are_read(fens: list[int]) -> None:
    """The dust of floating-point sums is not a fraction of a fen."""
    assert YUAN.validate_python(over_the_wire(sum(fen / 100 for fen in fens))) == Money(
        sum(fens)
    )


@pytest.mark.parametrize(
    "value",
    [
        "1.005",
        Decimal("0.001"),
        "a yuan",
        "",
        1.5,
        True,
        "Infinity",
        "1e99",
        "1_000",
        "٣٤",
        "１００",
        "0x10",
        "1,5",
    ],
)
def test_what_is_no_amount(value: object) -> None:
    """More digits than yuan have are not rounded away, and a float is not trusted."""
    with pytest.raises(ValidationError):
        YUAN.validate_python(value)


def test_money_of_another_currency_does_not_pass_for_cny() -> None:
    """Amounts that are sent in fen are CNY."""
    with pytest.raises(ValidationError, match="where CNY belong"):
        FEN.validate_python(Money(1, "USD"))


MOMENTS = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001
    datetime(2099, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(MOMENTS)
def test_both_formats_of_time_mean_the_same_moment(moment: datetime) -> None:
    """`yyyy-MM-dd HH:mm:ss` of China and `yyyyMMddHHmmssSSSZ` are read to UTC."""
    moment = moment.replace(microsecond=0)
    spaced = china_text(moment)
    compact = spaced.translate(str.maketrans("", "", "- :")) + "000+0800"
    assert TIME.validate_python(spaced) == TIME.validate_python(compact) == moment


def test_a_time_of_the_contract() -> None:
    """15:40 in China is 07:40 UTC."""
    assert TIME.validate_python("2026-05-20 15:40:00") == datetime(
        2026, 5, 20, 7, 40, tzinfo=UTC
    )
    assert TIME.validate_python("20260520154000123+0800") == datetime(
        2026, 5, 20, 7, 40, 0, 123000, tzinfo=UTC
    )
    assert TIME.validate_python(1779263269913) == datetime(
        2026, 5, 20, 7, 47, 49, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-31 08:00:00",
        "2026-01-31T08:00:00",
        "2026-01-31T00:00:00Z",
        "2026-01-31T08:00:00.000+08:00",
        "2026-01-31T00:00:00+0000",
        "2026/01/31 08:00:00",
        "20260131080000000+0800",
        1_769_817_600,
        "1769817600",
        1_769_817_600_000,
        "1769817600000",
    ],
)
def test_a_time_is_read_in_every_shape_that_can_be_told_apart(written: object) -> None:
    """ISO's with its zone, slashes after the year, seconds and milliseconds; without a
    zone it is China's.
    """
    assert TIME.validate_python(written) == datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        1_769_817_600,
        "1769817600000",
        "2026-01-31T00:00:00Z",
        "2026-01-31 08:00:00+08:00",
    ],
)
def test_a_time_that_should_be_a_number_is_read_where_it_has_a_zone(
    written: object,
) -> None:
    """Seconds can't be meant as milliseconds: that would be another century."""
    assert UNIX_MS.validate_python(written) == datetime(2026, 1, 31, tzinfo=UTC)


def test_a_text_without_a_zone_is_no_time_where_the_contract_has_numbers() -> None:
    """It could be UTC as well as China's."""
    with pytest.raises(ValidationError):
        UNIX_MS.validate_python("2026-01-31 08:00:00")


JAVA_ZERO = (
    "1970-01-01 08:00:00",
    "1970-01-01 00:00:00",
    "19700101080000000+0800",
    "1970-01-01T00:00:00Z",
)


@pytest.mark.parametrize(
    "nothing", ["", "0", 0, "0000-00-00 00:00:00", "0000-00-00", *JAVA_ZERO]
)
def test_zeros_are_no_time(nothing: object) -> None:
    """As databases write what was never set."""
    assert TypeAdapter(MaybeChinaTime).validate_python(nothing) is None


@pytest.mark.parametrize("placeholder", ["0", 0, "-", "NA", "000000", " ", ""])
def test_a_placeholder_is_no_parcels_number(placeholder: object) -> None:
    """As a number it would replace the real one, go to the shop, and be common to
    strangers.
    """
    assert TypeAdapter(ParcelNumber).validate_python(placeholder) == ""


@pytest.mark.parametrize(
    "shown", [" R-1.a ", "R&#45;1.a", "R&#x2D;1&#46;a", '"R-1.a"', "'R-1.a'"]
)
def test_a_reference_is_read_through_what_was_put_around_it(shown: str) -> None:
    """No reference of ours has blanks, quotes or escapes."""
    assert TypeAdapter(Reference).validate_python(shown) == "R-1.a"


class Row(Response):
    name: str = ""


class Shelf(Response):
    rows: tuple[Row, ...] = ()
    total: int
    note: str = ""
    closed: bool | None = None


@pytest.mark.parametrize("nothing", [None, "", "null", {}, []])
def test_whatever_stands_for_nothing_is_absent(nothing: object) -> None:
    """In fields that may be absent; one that must be there is missed."""
    assert Shelf.model_validate(
        {"total": 0, "rows": nothing, "note": nothing, "closed": nothing}
    ) == Shelf(total=0)
    with pytest.raises(ValidationError):
        Shelf.model_validate({"total": nothing})


def test_zero_and_no_are_something() -> None:
    """They are what the service says."""
    assert Shelf.model_validate({"total": 0, "closed": False}).closed is False


def test_the_only_row_of_a_list_may_stand_by_itself() -> None:
    """As converters from XML write it."""
    assert Shelf.model_validate({"total": 1, "rows": {"name": "a"}}).rows == (
        Row(name="a"),
    )


def test_unix_milliseconds_are_read_to_the_millisecond() -> None:
    """Text or number, nothing is cut off."""
    moment = datetime(2026, 5, 20, 7, 47, 49, 913000, tzinfo=UTC)
    assert (
        UNIX_MS.validate_python(1779263269913)
        == UNIX_MS.validate_python("1779263269913")
        == moment
    )


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-13-01 00:00:00", "2026-01-01", "", "0001-01-01 00:00:00"],
)
def test_what_is_no_time(text: str) -> None:
    """A time that can't be read is an error that names its field, not a guess."""
    with pytest.raises(ValidationError):
        TIME.validate_python(text)


def test_what_is_said_of_a_bad_time_is_short() -> None:
    """The error goes into reasons that people read."""
    with pytest.raises(ValidationError) as caught:
        TIME.validate_python("长" * 100_000)
    assert caught.value.errors()[0]["msg"] == "Value error, not a date and time"


def test_a_number_beyond_the_calendar_is_no_time() -> None:
    """It is an error like any other, not an overflow."""
    with pytest.raises(ValidationError, match="not a time"):
        UNIX_MS.validate_python(10**25)


def test_a_number_out_of_all_proportion_does_no_harm() -> None:
    """As an int it would have a hundred million digits: it stays text, and no whole
    number.
    """
    assert read_json(b"[1e99999999, 1e-99999999, 1.50]") == [
        "1e99999999",
        "1e-99999999",
        Decimal("1.50"),
    ]


def test_fields_go_into_the_braces_of_a_path() -> None:
    """Percent-encoded; what is left is the query."""
    assert path_and_query(
        "/refund/cancel/{refundId}", {"refundId": "3/1?a=é", "x": "1"}
    ) == (
        "/refund/cancel/3%2F1%3Fa%3D%C3%A9",
        {"x": "1"},
    )


@pytest.mark.parametrize(
    "fields", [{}, {"refundId": ""}, {"refundId": "."}, {"refundId": ".."}]
)
def test_a_path_that_would_be_another_s_is_not_called(fields: dict[str, str]) -> None:
    """Shorter, or walked up."""
    with pytest.raises(ValueError, match="can't be called"):
        path_and_query("/refund/cancel/{refundId}", fields)


def test_a_writer_sends_nothing_unknown() -> None:
    """A misspelt field of ours is an error before it leaves."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        taobao_order.LogisticsRequest.model_validate(
            {"subPurchaseOrderId": "1", "x": 1}
        )


def test_a_writer_leaves_out_none_and_keeps_empty_text() -> None:
    """Absent is absent, empty is empty, names are the contract's."""
    request = alibaba_order.CreateRequest(
        message="",
        address_param=alibaba_order.AddressParam(
            full_name="n",
            mobile="1",
            phone="1",
            post_code="",
            province_text="p",
            city_text="c",
            area_text="a",
            town_text="",
            address="x",
        ),
        cargo_param_list=(
            alibaba_order.Cargo(
                offer_id="2542285634920880794", spec_id="f" * 32, quantity=2
            ),
        ),
    )
    sent = json.loads(request.body())
    assert list(sent) == ["flow", "message", "addressParam", "cargoParamList"]
    assert sent["message"] == sent["addressParam"]["postCode"] == ""
    assert sent["cargoParamList"] == [
        {"offerId": 2542285634920880794, "specId": "f" * 32, "quantity": 2}
    ]


def test_lists_that_travel_as_text_are_json_inside_json() -> None:
    """`renderItemList` is a text; inside it the names are the contract's again."""
    our = line()
    item = taobao_order.RenderItem(
        item_id=our.distribution_item_id,
        sku_id=our.distribution_sku_id,
        quantity=our.quantity,
    )
    address = taobao_order.Address.model_validate(
        dict.fromkeys(taobao_order.Address.model_fields, "x")
    )
    request = taobao_order.RenderRequest(
        receiver=address, warehouse_address=address, render_item_list=(item, item)
    )
    text = json.loads(request.body())["renderItemList"]
    assert json.loads(text) == [{"itemId": "9001", "skuId": "8001", "quantity": 2}] * 2


def test_an_object_that_travels_as_text_is_json_inside_json() -> None:
    """`pageParamMap` is a text."""
    param = taobao_order.PageParam(source_type="item", biz_id="672991141190")
    text = json.loads(taobao_order.ImLinkRequest(page_param_map=param).body())[
        "pageParamMap"
    ]
    assert json.loads(text) == {"sourceType": "item", "bizId": "672991141190"}


def test_the_cart_writes_its_second_phone_with_an_underscore() -> None:
    """The contract's own slip, kept where it stands and nowhere else."""
    address = taobao_cart.CartAddress.model_validate(
        dict.fromkeys(taobao_cart.CartAddress.model_fields, "x")
    )
    request = taobao_cart.PreviewRequest(ids=("75",), order_address=address)
    sent = json.loads(request.body())
    assert sent["ids"] == [75]
    assert sent["orderAddress"]["mobile_phone"] == "x"
    assert "mobilePhone" not in sent["orderAddress"]


def test_images_travel_as_one_text_with_commas() -> None:
    """`refundImages` is a text."""
    request = taobao_after_sale.MessageRequest(
        refund_id="7", refund_message="你好", refund_images=("a", "b")
    )
    assert json.loads(request.body()) == {
        "refundId": "7",
        "refundMessage": "你好",
        "refundImages": "a,b",
    }
