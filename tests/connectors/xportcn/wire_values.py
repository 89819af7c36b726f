"""Values of every wire type as the service may send them, beside what must be read from
them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.xportcn.models import FittingRows, Response
from connectors.xportcn.wire import (
    Amount,
    ChinaTime,
    Fen,
    Id,
    ParcelNumber,
    UnixMs,
    Yuan,
    china_text,
)
from domain.money import Money
from tests.connectors.xportcn.models import bare, fields_of

NEW = st.dictionaries(
    st.from_regex(r"new[A-Z]{1,3}", fullmatch=True),
    st.integers() | st.text(min_size=1) | st.just({"deep": [1]}),
    max_size=2,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBERS = st.integers(0, 10**19)


class Sent(NamedTuple):
    """What arrives and what is read from it."""

    wire: Any
    read: Any


class Object(NamedTuple):
    """What is read from an object: some of its attributes, and the fields that nobody
    told us of.
    """

    attributes: dict[str, Any]
    unknown: dict[str, Any]


def _either_way(number: int) -> st.SearchStrategy[Any]:
    return st.sampled_from([number, str(number)])


def _seconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)


MOMENTS = st.integers(10**9, 2 * 10**9).map(
    lambda seconds: EPOCH + timedelta(seconds=seconds)
)
IDS = NUMBERS.flatmap(lambda n: _either_way(n).map(lambda wire: Sent(wire, str(n))))
FEN = st.integers(0, 10**12).flatmap(
    lambda n: _either_way(n).map(lambda wire: Sent(wire, Money(n)))
)
YUAN = st.integers(1, 10**12).flatmap(
    lambda n: st.sampled_from([f"{Decimal(n) / 100:.2f}", n / 100]).map(
        lambda wire: Sent(wire, Money(n))
    )
)
CURRENCY = st.just(Sent("CNY", "CNY"))  # amounts beside it are read in it
CHINA_TIMES = MOMENTS.flatmap(
    lambda moment: st.sampled_from(
        [china_text(moment), _seconds(moment), _seconds(moment) * 1000]
    ).map(lambda wire: Sent(wire, moment))
)
UNIX_MS = MOMENTS.flatmap(
    lambda moment: _either_way(_seconds(moment) * 1000).map(
        lambda wire: Sent(wire, moment)
    )
)
PLAIN: dict[Any, st.SearchStrategy[Sent]] = {
    str: IDS,  # a number where text belongs is its text
    int: st.integers(0, 10**9).flatmap(
        lambda n: _either_way(n).map(lambda wire: Sent(wire, n))
    ),
    bool: st.booleans().map(lambda truth: Sent(truth, truth)),
    Decimal: st.integers(0, 10**6).map(lambda n: Sent(n / 100, Decimal(str(n / 100)))),
    SecretStr: st.just(Sent("x", SecretStr("x"))),
    object: st.just(Sent("x", "x")),
}
# By the validator that makes the wire type what it is.
SPECIAL = [
    (get_args(Id)[1], IDS),
    (
        get_args(ParcelNumber)[1],
        IDS.map(lambda sent: sent._replace(read=sent.read.strip("0") and sent.read)),
    ),
    (get_args(Fen)[1], FEN),
    (get_args(Yuan)[1], YUAN),
    (get_args(Amount)[1], YUAN),
    (get_args(ChinaTime)[1], CHINA_TIMES),
    (get_args(UnixMs)[1], UNIX_MS),
]


def values_of(annotation: Any, *, least: int = 0) -> st.SearchStrategy[Sent]:
    """Values that belong where the annotation stands, lists with at least so many
    entries.
    """
    for validator, values in SPECIAL:
        if any(validator == piece for piece in _metadata(annotation)):
            return values
    kind = bare(annotation)
    if get_origin(kind) in (tuple, FittingRows):
        return st.lists(values_of(get_args(kind)[0]), min_size=least, max_size=2).map(
            lambda sent: Sent(
                [item.wire for item in sent], tuple(item.read for item in sent)
            )
        )
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind)).map(lambda text: Sent(text, text))
    return (
        objects_of(kind)
        if isinstance(kind, type) and issubclass(kind, Response)
        else PLAIN[kind]
    )


def _metadata(annotation: Any) -> list[Any]:
    """Everything that annotates, outside and inside."""
    if get_origin(annotation) is Annotated:
        inner, *outer = get_args(annotation)
        return [*outer, *_metadata(inner)]
    if get_origin(annotation) in (tuple, FittingRows):
        return []
    return [piece for inside in get_args(annotation) for piece in _metadata(inside)]


@st.composite
def objects_of(draw: st.DrawFn, model: type[Response]) -> Sent:
    """An object with what is required, some of the rest as value or null, any spelling,
    and fields of its own.
    """
    wire: dict[str, Any] = {}
    read: dict[str, Any] = {}
    for field in fields_of(model):
        name = draw(st.sampled_from(field.names))
        presence = (
            "value"
            if field.required
            else draw(st.sampled_from(["value", "null", "absent"]))
        )
        if presence == "value":
            wire[name], read[field.attribute] = draw(
                CURRENCY
                if name == "currency"
                else values_of(field.annotation, least=int(field.required))
            )
        elif presence == "null":
            wire[name] = None
    unknown = draw(NEW)
    return Sent(wire | unknown, Object(read, unknown))


def require_same(got: Any, expected: Any) -> None:
    """Everything expected was read, at every depth."""
    if isinstance(expected, Object):
        assert got.model_extra == expected.unknown
        for attribute, value in expected.attributes.items():
            require_same(getattr(got, attribute), value)
    elif isinstance(expected, tuple) and not isinstance(expected, Sent):
        assert len(got) == len(expected)
        for run_case, second in zip(got, expected, strict=True):
            require_same(run_case, second)
    else:
        assert got == expected
