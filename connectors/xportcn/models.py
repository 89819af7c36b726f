"""Models of requests and answers: strict writers, tolerant readers, and lists of which
each entry fits or not.

Readers keep unknown fields and take null for absent. Writers send the contract's names
and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Self,
    TypeVar,
    get_args,
    get_origin,
)
from urllib.parse import quote

from pydantic import (
    AliasChoices,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    PrivateAttr,
    SerializationInfo,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from connectors.xportcn.wire import (
    MOST_TEXT,
    Count,
    GivenId,
    MaybeChinaTime,
    Reference,
    Unit,
)
from domain.absence import Misread
from domain.money import Money

Row = TypeVar("Row")
NULL = "null"
MINUS_ONE = (-1, "-1")
BRACES = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class HeadNames:
    """The contract's names of an order's id (the first that is filled), time of
    creation, reference, own id.
    """

    ids: Sequence[str]
    created: str
    reference: str
    own_id: str | None = None
    within: str | None = None


class Response(BaseModel):
    """Base of the service's answers."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=to_camel),
        extra="allow",
        frozen=True,
        coerce_numbers_to_str=True,
        str_max_length=MOST_TEXT,
        defer_build=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
    )

    _lists: ClassVar[frozenset[str]] = frozenset()
    _objects: ClassVar[frozenset[str]] = frozenset()
    _needed: ClassVar[frozenset[str]] = frozenset()
    _never_minus: ClassVar[frozenset[str]] = frozenset()
    """The contract's names of lists, objects and required fields; of amounts, counts
    and times that may be absent.
    """
    head_names: ClassVar[HeadNames | None] = None
    """Of an order in a list."""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        super().__pydantic_init_subclass__(**options)
        named = [
            (word, field)
            for name, field in cls.model_fields.items()
            for word in names_of(name, field)
        ]
        cls._lists = frozenset(
            word for word, field in named if is_list(field.annotation)
        )
        cls._objects = frozenset(
            word for word, field in named if _is_object(field.annotation)
        )
        cls._needed = frozenset(word for word, field in named if field.is_required())
        cls._never_minus = frozenset(
            word
            for word, field in named
            if not field.is_required() and _has_no_minus(field)
        )

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_absent(cls, raw: Any) -> Any:
        """Empty values are left out of optional fields; a list of one row may come as
        the bare row, an object as such.

        So is -1 for an amount, a count or a time: some serializers write it for null
        (upstream).
        """
        if not isinstance(raw, dict):
            return raw
        alone = {
            name: [raw[name]]
            for name in cls._lists
            if isinstance(raw.get(name), dict) and raw[name]
        }
        alone |= {
            name: raw[name][0] for name in cls._objects if _is_one_row(raw.get(name))
        }
        filled = raw | alone if alone else raw
        return {
            name: value
            for name, value in filled.items()
            if (
                (value or value == 0)
                and value != NULL
                and not (value in MINUS_ONE and name in cls._never_minus)
            )
            or name in cls._needed
        }


def _has_no_minus(field: FieldInfo) -> bool:
    """Whether a field is an amount, a count or a time, which are never below zero."""
    kinds = {field.annotation, *get_args(field.annotation)}
    bare = {
        get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds
    }
    return bool(bare & {Money, datetime}) or any(
        getattr(bound, "ge", None) == 0 for bound in field.metadata
    )


def is_list(kind: Any) -> bool:
    """Whether an answer of this type is a list."""
    made_of = get_origin(kind)
    return isinstance(made_of, type) and issubclass(made_of, tuple)


def _is_object(kind: Any) -> bool:
    kinds = () if is_list(kind) else (kind, *get_args(kind))
    return any(isinstance(one, type) and issubclass(one, BaseModel) for one in kinds)


def _is_one_row(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict)


def names_of(name: str, field: FieldInfo) -> tuple[str, ...]:
    """The names under which a field may travel, the contract's first."""
    alias = field.validation_alias
    return (
        tuple(map(str, alias.choices))
        if isinstance(alias, AliasChoices)
        else (str(alias or to_camel(name)),)
    )


class EffectAnswer(Response):
    """Base of answers that may refuse inside a success; `request_id` is for the error
    of the refusal.
    """

    _request_id: str = PrivateAttr("")

    @property
    def request_id(self) -> str:
        return self._request_id

    def came_with(self, request_id: str) -> None:
        self._request_id = request_id


class CheckedAnswer(EffectAnswer):
    """Base of answers with a success flag, and with code and words of a refusal."""

    success: bool | None = None
    error_code: str = ""
    error_message: str = ""


class Request(BaseModel):
    """Base of our requests: unknown fields are an error here, None is left out, empty
    text is kept.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        defer_build=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
    )

    def body(self, unit: Unit | None = None) -> str:
        """The JSON text, fields in the order of the class, amounts in `unit` where it
        is not the contract's.
        """
        return self.model_dump_json(by_alias=True, exclude_none=True, context=unit)

    def query(self, unit: Unit | None = None) -> dict[str, str]:
        """The fields as query parameters."""
        fields = self.model_dump(by_alias=True, exclude_none=True, context=unit)
        return {name: str(value) for name, value in fields.items()}


class Nothing(Request):
    """A request without parameters."""


class AnyRequest(Request, extra="allow"):
    """A request that is neither built by code nor made by hand."""


class PagedRequest(Request):
    """Base of requests for a page of a list, where the contract names its number and
    size so.
    """

    page_no: int
    page_size: int


def alias(*names: str) -> AliasChoices:
    """The spellings under which a field may arrive: the contract's misspelt one and its
    likely correction.
    """
    return AliasChoices(*names)


class Page(Response):
    """The contract's page object, without its rows."""

    total_records: Count = Field(
        0, validation_alias=alias("totalRecords", "totalRecord")
    )


def path_and_query(path: str, fields: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Put fields into the braces of a path, percent-encoded; the rest is the query.

    Raises `ValueError` for an empty field or dots, which walk up the path even when
    encoded: the path that comes out would be another operation's.
    """
    query = dict(fields)

    def encoded(brace: re.Match[str]) -> str:
        value = query.pop(brace[1], "")
        if value in ("", ".", ".."):
            raise ValueError(f"{brace[1]} is {value!r}: {path} can't be called")
        return quote(value, safe="")

    return BRACES.sub(encoded, path), query


def json_text(entries: Iterable[Request], info: SerializationInfo) -> str:
    """Entries as the JSON text that Taobao's calls carry inside their JSON."""
    return f"[{','.join(entry.body(info.context) for entry in entries)}]"


def _object_text(entry: Request, info: SerializationInfo) -> str:
    return entry.body(info.context)


JsonText = PlainSerializer(json_text, return_type=str)
"""For a list of writers: travels as JSON text."""

JsonObjectText = PlainSerializer(_object_text, return_type=str)
"""For one writer: travels as JSON text."""


class Head(Response):
    """What tells which order a row of a list is about, and whose."""

    order_id: GivenId
    reference: Reference = ""
    own_id: Reference = ""
    created_at: MaybeChinaTime = None


def _misread(entry: Any, fault: ErrorDetails, names: HeadNames | None) -> Misread:
    """An entry that does not fit, with what of its head can be read."""
    field = field_of(fault, skip=1)
    base = (
        entry.get(names.within)
        if names and names.within and isinstance(entry, dict)
        else entry
    )
    if not names or not isinstance(base, dict):
        return Misread(field=field)
    told = {
        "orderId": next(filter(None, map(base.get, names.ids)), None),
        "reference": base.get(names.reference),
        "ownId": base.get(names.own_id),
        "createdAt": base.get(names.created),
    }
    try:
        head = Head.model_validate(told)
    except ValidationError:
        return Misread(field=field)
    own_names = tuple(filter(None, (head.reference, head.own_id)))
    return Misread(
        field=field, order_id=head.order_id, names=own_names, created_at=head.created_at
    )


def if_it_fits(otherwise: Any) -> WrapValidator:
    """For a field that is `otherwise` where its value does not fit."""

    def read(value: Any, fits: Callable[[Any], Any]) -> Any:
        try:
            return fits(value)
        except ValidationError:
            return otherwise

    return WrapValidator(read)


class FittingRows(tuple[Row, ...]):
    """The entries of an answer's list that fit the contract; `misfits` are the others.

    For answers about several offers or orders: search hits, order lists. A list of
    which no entry fits is an error.

    Code that needs the whole list must check `misfits`: a missing entry may be among
    them. A list with misfits may show that an order exists, but proves of no order that
    it does not.
    """

    misfits: tuple[Misread, ...]

    def __new__(cls, rows: Iterable[Row] = (), misfits: Iterable[Misread] = ()) -> Self:
        made = super().__new__(cls, rows)
        made.misfits = tuple(misfits)
        return made

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        (row,) = get_args(source)
        names = getattr(
            row, "head_names", None
        )  # a type variable, in `PageOf` itself, has none
        return core_schema.no_info_wrap_validator_function(
            partial(_fitting, names),
            core_schema.tuple_variable_schema(handler.generate_schema(row)),
        )


RowsWithin = Annotated[FittingRows[Row], if_it_fits(FittingRows())]
"""Rows within an order, which they make unreadable in no case."""


class PageOf(Page, Generic[Row]):
    """A page of rows that stand for themselves."""

    data: FittingRows[Row] = FittingRows()


def _fitting(
    names: HeadNames | None, value: Any, together: Callable[[Any], tuple[Any, ...]]
) -> FittingRows[Any]:
    """The fitting entries, validated at once, or one by one after a fault. Where none
    fits, the contract is wrong.
    """
    try:
        return FittingRows(together(value))
    except ValidationError as fault:
        rows, misfits = (
            _one_by_one(names, value, together)
            if isinstance(value, list | tuple)
            else ([], [])
        )
        if not rows:
            raise fault
    return FittingRows(rows, misfits)


def _one_by_one(
    names: HeadNames | None,
    entries: Iterable[Any],
    together: Callable[[Any], tuple[Any, ...]],
) -> tuple[list[Any], list[Misread]]:
    rows: list[Any] = []
    misfits: list[Misread] = []
    for entry in entries:
        try:
            rows += together([entry])
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            misfits.append(_misread(entry, fault, names))
    return rows, misfits


def field_of(fault: ErrorDetails, *, skip: int = 0) -> str:
    """The path of a fault, by the contract's names, without the first `skip` steps."""
    return ".".join(str(step) for step in fault["loc"][skip:])
