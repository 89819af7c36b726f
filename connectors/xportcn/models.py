"""Models of requests and answers: strict writers, tolerant readers, and lists of which each entry fits or not.

Readers keep unknown fields and take null for absent. Writers send the contract's names and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args, get_origin
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
from pydantic_core import CoreSchema, core_schema

from connectors.units import Unit
from connectors.xportcn.wire import MOST_TEXT, Count, GivenId, MaybeChinaTime, Reference
from domain.money import Money

Row = TypeVar("Row")
NULL = "null"
MINUS_ONE = (-1, "-1")
BRACES = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class HeadNames:
    """The contract's names of an order's id (the first that is filled), time of creation, reference, own id."""

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
    """The contract's names of lists, objects and required fields; of amounts, counts and times that may be absent."""
    head_names: ClassVar[HeadNames | None] = None
    """Of an order in a list."""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        super().__pydantic_init_subclass__(**options)
        named = [(word, field) for name, field in cls.model_fields.items() for word in _names_of(name, field)]
        cls._lists = frozenset(word for word, field in named if is_list(field.annotation))
        cls._objects = frozenset(word for word, field in named if _is_object(field.annotation))
        cls._needed = frozenset(word for word, field in named if field.is_required())
        cls._never_minus = frozenset(word for word, field in named if not field.is_required() and _has_no_minus(field))

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_absent(cls, raw: Any) -> Any:
        """Empty values are left out of optional fields; a list of one row may come as the bare row, an object as such.

        So is -1 for an amount, a count or a time: some serializers write it for null (upstream).
        """
        if not isinstance(raw, dict):
            return raw
        alone = {name: [raw[name]] for name in cls._lists if isinstance(raw.get(name), dict) and raw[name]}
        alone |= {name: raw[name][0] for name in cls._objects if _is_one_row(raw.get(name))}
        filled = raw | alone if alone else raw
        return {
            name: value
            for name, value in filled.items()
            if ((value or value == 0) and value != NULL and not (value in MINUS_ONE and name in cls._never_minus))
            or name in cls._needed
        }


def _has_no_minus(field: FieldInfo) -> bool:
    """Whether a field is an amount, a count or a time, which are never below zero."""
    kinds = {field.annotation, *get_args(field.annotation)}
    bare = {get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds}
    return bool(bare & {Money, datetime}) or any(getattr(bound, "ge", None) == 0 for bound in field.metadata)


def is_list(kind: Any) -> bool:
    """Whether an answer of this type is a list."""
    made_of = get_origin(kind)
    return isinstance(made_of, type) and issubclass(made_of, tuple)


def _is_object(kind: Any) -> bool:
    kinds = () if is_list(kind) else (kind, *get_args(kind))
    return any(isinstance(one, type) and issubclass(one, BaseModel) for one in kinds)


def _is_one_row(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict)


def _names_of(name: str, field: FieldInfo) -> Sequence[str]:
    alias = field.validation_alias
    return [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else [str(alias or to_camel(name))]


class EffectAnswer(Response):
    """Base of answers that may refuse inside a success; `request_id` is for the error of the refusal."""

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
    """Base of our requests: unknown fields are an error here, None is left out, empty text is kept."""

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
        """The JSON text, fields in the order of the class, amounts in `unit` where it is not the contract's."""
        return self.model_dump_json(by_alias=True, exclude_none=True, context=unit)

    def query(self, unit: Unit | None = None) -> dict[str, str]:
        """The fields as query parameters."""
        fields = self.model_dump(by_alias=True, exclude_none=True, context=unit)
        return {name: str(value) for name, value in fields.items()}


class Nothing(Request):
    """A request without parameters."""


class PagedRequest(Request):
    """Base of requests for a page of a list, where the contract names its number and size so."""

    page_no: int
    page_size: int


def alias(*names: str) -> AliasChoices:
    """The spellings under which a field may arrive: the contract's misspelt one and its likely correction."""
    return AliasChoices(*names)


class Page(Response):
    """The contract's page object; its rows are the subclass's."""

    total_records: Count = Field(0, validation_alias=alias("totalRecords", "totalRecord"))


def path_and_query(path: str, fields: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Put fields into the braces of a path, percent-encoded; the rest is the query.

    Raises `ValueError` for an empty field or dots, which walk up the path even when encoded: the path that comes out
    would be another operation's.
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


def _head_of(entry: Any, names: HeadNames | None) -> Head | None:
    """The head of an entry that does not fit, as far as it can be read."""
    base = entry.get(names.within) if names and names.within and isinstance(entry, dict) else entry
    if not names or not isinstance(base, dict):
        return None
    head = {
        "orderId": next(filter(None, map(base.get, names.ids)), None),
        "reference": base.get(names.reference),
        "ownId": base.get(names.own_id),
        "createdAt": base.get(names.created),
    }
    try:
        return Head.model_validate(head)
    except ValidationError:
        return None


def if_it_fits(otherwise: Any) -> WrapValidator:
    """For a field that is `otherwise` where its value does not fit."""

    def read(value: Any, fits: Callable[[Any], Any]) -> Any:
        try:
            return fits(value)
        except ValidationError:
            return otherwise

    return WrapValidator(read)


@dataclass(frozen=True, slots=True)
class Misfit:
    """An entry that does not fit: its place in the list, counted from 0, the field, dotted, and its readable head."""

    place: int
    field: str
    head: Head | None = None

    def __str__(self) -> str:
        return f"entry {self.place}, `{self.field}`"


class FittingRows(tuple[Row, ...]):
    """The entries of an answer's list that fit the contract; `misfits` are the others.

    For answers about several offers or orders: search hits, order lists. A list of which no entry fits is an error.

    Code that needs the whole list must check `misfits`: a missing entry may be among them. A list with misfits may show
    that an order exists, but proves of no order that it does not.
    """

    misfits: tuple[Misfit, ...]

    def __new__(cls, rows: Iterable[Row] = (), misfits: Iterable[Misfit] = ()) -> Self:
        made = super().__new__(cls, rows)
        made.misfits = tuple(misfits)
        return made

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (row,) = get_args(source)
        return core_schema.no_info_wrap_validator_function(
            partial(_fitting, row.head_names), core_schema.tuple_variable_schema(handler.generate_schema(row))
        )


def _fitting(names: HeadNames | None, value: Any, together: Callable[[Any], tuple[Any, ...]]) -> FittingRows[Any]:
    """The fitting entries, validated at once, or one by one after a fault. Where none fits, the contract is wrong."""
    try:
        return FittingRows(together(value))
    except ValidationError as fault:
        rows, misfits = _one_by_one(names, value, together) if isinstance(value, list | tuple) else ([], [])
        if not rows:
            raise fault
    return FittingRows(rows, misfits)


def _one_by_one(
    names: HeadNames | None, entries: Iterable[Any], together: Callable[[Any], tuple[Any, ...]]
) -> tuple[list[Any], list[Misfit]]:
    rows: list[Any] = []
    misfits: list[Misfit] = []
    for place, entry in enumerate(entries):
        try:
            rows += together([entry])
        except ValidationError as error:
            misfits.append(Misfit(place, field_of(error, skip=1), _head_of(entry, names)))
    return rows, misfits


def field_of(error: ValidationError, *, skip: int = 0) -> str:
    """The path of the first fault, by the contract's names, without the first `skip` steps."""
    return ".".join(str(step) for step in error.errors(include_input=False, include_url=False)[0]["loc"][skip:])
