"""The wire form of models, and how answers differ from it, also where the tolerant readers cope."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, BaseModel, BeforeValidator, PlainValidator, ValidationError
from pydantic.alias_generators import to_camel

from connectors.units import Unit
from connectors.xportcn.models import FittingRows
from connectors.xportcn.operations.operation import Call
from connectors.xportcn.operations.passed_over import passed_over
from connectors.xportcn.wire import Amount, Bounds, ChinaTime, Counted, Fen, Id, ParcelNumber, Reference, UnixMs, Yuan

ANYTHING: frozenset[str] = frozenset()
NATURAL = {
    bool: frozenset({"boolean"}),
    int: frozenset({"number"}),
    float: frozenset({"number"}),
    Decimal: frozenset({"decimal"}),
    str: frozenset({"string"}),
}
# The first annotation of a wire type is its reader. Our readers take more than the contract says: ids alone may come
# in two kinds, and whether yuan and other decimals are numbers or texts differs by group.
READ_BY_US = {
    **dict.fromkeys((get_args(kind)[1] for kind in (Id, ParcelNumber, Reference)), frozenset({"string", "number"})),
    get_args(Yuan)[1]: frozenset({"yuan"}),
    **dict.fromkeys((get_args(Fen)[1], get_args(Counted)[-1]), frozenset({"number"})),
    get_args(Amount)[1]: frozenset({"string"}),
    get_args(ChinaTime)[1]: frozenset({"string"}),
    get_args(UnixMs)[1]: frozenset({"number"}),
}
IN_CNY = {get_args(Fen)[1]: Unit.FEN, get_args(Yuan)[1]: Unit.YUAN}
YUAN = {"1688 / Order": "number", "1688 / Shopping cart": "number"}
DECIMALS = {"InternationalAlibaba": "string"}


@dataclass(frozen=True, slots=True)
class WireField:
    """A field by all the names under which it may travel, the contract's first.

    `annotation` is its type; `required` is false when the model has a default, `nullable` true when that may be None.
    """

    names: tuple[str, ...]
    annotation: Any
    required: bool
    nullable: bool

    @property
    def name(self) -> str:
        return self.names[0]


@cache
def fields_of(model: type[BaseModel]) -> tuple[WireField, ...]:
    """The fields of a model, in its order."""
    hints = get_type_hints(model, include_extras=True)
    return tuple(
        WireField(
            names=_names(field.validation_alias or field.alias or to_camel(name)),
            annotation=hints[name],
            required=field.is_required(),
            nullable=is_nullable(hints[name]),
        )
        for name, field in model.model_fields.items()
    )


def _names(alias: object) -> tuple[str, ...]:
    return tuple(str(choice) for choice in alias.choices) if isinstance(alias, AliasChoices) else (str(alias),)


def is_nullable(annotation: Any) -> bool:
    """Whether None is allowed."""
    if get_origin(annotation) is Annotated:
        return is_nullable(get_args(annotation)[0])
    return _is_union(annotation) and NoneType in get_args(annotation)


def bare(annotation: Any) -> Any:
    """An annotation without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    if _is_union(annotation):
        others = [part for part in get_args(annotation) if part is not NoneType]
        return bare(others[0]) if len(others) == 1 else annotation
    return annotation


def element_of(annotation: Any) -> Any | None:
    """The element type of a tuple, list or `FittingRows`; None for anything else."""
    plain = bare(annotation)
    return get_args(plain)[0] if get_origin(plain) in (tuple, list, FittingRows) else None


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model behind an annotation, in lists too; None where values are plain."""
    element = element_of(annotation)
    if element is not None:
        return model_in(element)
    plain = bare(annotation)
    return plain if isinstance(plain, type) and issubclass(plain, BaseModel) else None


def unit_of(annotation: Any) -> Unit | None:
    """The contract's unit of an amount in CNY; None for anything else."""
    if get_origin(annotation) is Annotated:
        return next((unit for reader, unit in IN_CNY.items() if reader in get_args(annotation)[1:]), None)
    parts = get_args(annotation) if _is_union(annotation) else ()
    return next((unit for part in parts if (unit := unit_of(part))), None)


def kinds_of(annotation: Any) -> frozenset[str]:
    """The allowed JSON kinds, `yuan` and `decimal` among them; empty when the annotation does not decide."""
    if element_of(annotation) is not None:
        return frozenset({"array"})
    if model_in(annotation) is not None:
        return frozenset({"object"})
    if get_origin(annotation) is Annotated:
        return _kinds_of_annotated(*get_args(annotation))
    if _is_union(annotation):
        parts = [kinds_of(part) for part in get_args(annotation) if part is not NoneType]
        return ANYTHING if ANYTHING in parts else frozenset().union(*parts)
    if get_origin(annotation) is Literal:
        return frozenset().union(*(NATURAL.get(type(word), ANYTHING) for word in get_args(annotation)))
    return NATURAL.get(annotation, ANYTHING)


def kinds_in(group: str, annotation: Any) -> frozenset[str]:
    """The allowed JSON kinds by the contract for the operations of a group."""
    said = {"yuan": YUAN.get(group, "string"), "decimal": DECIMALS.get(group, "number")}
    return frozenset(said.get(kind, kind) for kind in kinds_of(annotation))


def _kinds_of_annotated(base: Any, *how: Any) -> frozenset[str]:
    for reader, kinds in READ_BY_US.items():
        if any(reader == known for known in how):  # by ==: not everything that annotates can be hashed
            return kinds
    is_read_by_us = any(isinstance(part, BeforeValidator | PlainValidator) for part in how)
    return ANYTHING if base in NATURAL and is_read_by_us else kinds_of(base)


def kind_of(value: object) -> str:
    """The JSON kind of a parsed value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Mapping) else "array"


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


# A model serves several groups: the group named here is not promised these fields.
UNPROMISED = {
    "Taobao / Order": ("subPurchaseOrders[].closeReason",),
    "bigMajor": ("flowFlag", "tradeModeNameList"),
}
AMOUNTS = frozenset({"number", "string"})
OF_REFUSALS = {"Taobao / Order": ("errorCode", "errorMessage", "isRefused")}
"""Fields of a whole answer that come with a no alone, or are made of one."""
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class Mismatch(StrEnum):
    """The kinds of differences."""

    MISSING = "missing"
    WRONG_TYPE = "wrong type"
    NOT_ACCEPTED = "not accepted"  # a field of our request, by the service


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs; `path` is dotted, `[]` for every entry of a list. It never holds a value."""

    path: str
    problem: Mismatch
    expected: str = ""
    got: str = ""


@dataclass
class AnswerComparison:
    """An answer beside its model.

    `extra` are fields that neither our models nor the contract have, `absent` optional ones that did not come, `empty`
    lists without an entry to compare. An optional field is missing, not absent, where an extra field may be the same by
    another name. `unread` are the fields that the reader refuses; it copes with all other differences.
    """

    differences: list[Difference] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def compare(call: Call[Any, Any], data: Any, bounds: Bounds | None = None) -> AnswerComparison:
    """Compare an envelope's `data`, in the contract's names, with the call's model."""
    found = _Observed(call.group, bounds or Bounds())
    found.value(call.response, data, "")
    try:
        read = call.parse(data, bounds)
    except ValidationError as error:
        found.add_reader_errors(error)
    else:
        for path in _misfits(read):
            found.is_unread(path, "does not fit")
    return AnswerComparison(
        [*found.differences.values()], [*found.extra], [*found.absent], [*found.empty], [*found.unread]
    )


def _misfits(read: Any, path: str = "") -> Iterator[str]:
    """The fields of rows that the reader left out."""
    if isinstance(read, FittingRows):
        yield from (".".join(filter(None, (f"{path}[]", misfit.field))) for misfit in read.misfits)
    if isinstance(read, tuple):
        for entry in read:
            yield from _misfits(entry, f"{path}[]")
    elif isinstance(read, BaseModel):
        for wire_field, name in zip(fields_of(type(read)), type(read).model_fields, strict=True):
            yield from _misfits(getattr(read, name), f"{path}.{wire_field.name}".removeprefix("."))


class _Observed:
    """The observed paths, each once for all entries of a list."""

    def __init__(self, group: str, bounds: Bounds) -> None:
        self._group = group
        self._bounds = bounds
        self.differences: dict[str, Difference] = {}
        self.extra: dict[str, None] = {}
        self.absent: dict[str, None] = {}
        self.empty: dict[str, None] = {}
        self.unread: dict[str, None] = {}

    def differs(self, path: str, problem: Mismatch, expected: str = "", got: str = "") -> None:
        self.differences.setdefault(path or "data", Difference(path or "data", problem, expected, got))

    def value(self, annotation: Any, value: Any, path: str) -> None:
        expected, got = kinds_in(self._group, annotation), kind_of(value)
        if self._bounds.unit and unit_of(annotation):
            expected = AMOUNTS  # the service's form is not the contract's, as the setting says
        if expected and got not in expected:
            self.differs(path, Mismatch.WRONG_TYPE, " or ".join(sorted(expected)), got)
        elif isinstance(value, list):
            self._entries(element_of(annotation), value, f"{path}[]")
        elif isinstance(value, Mapping) and (model := model_in(annotation)):
            self._object(model, value, f"{path}." if path else "")

    def _entries(self, element: Any, entries: list[Any], path: str) -> None:
        if not entries:
            self.empty[path] = None
        for entry in entries:
            self.value(element, entry, path)

    def _object(self, model: type[BaseModel], raw: Mapping[str, Any], prefix: str) -> None:
        fields = fields_of(model)
        read = {name for wire_field in fields for name in wire_field.names}
        unread = sorted(raw.keys() - read - passed_over(model))
        self.extra.update(dict.fromkeys(f"{prefix}{name}" for name in unread))
        for wire_field in fields:
            self._field(wire_field, raw, prefix, maybe_renamed=bool(unread))

    def _field(self, wire_field: WireField, raw: Mapping[str, Any], prefix: str, *, maybe_renamed: bool) -> None:
        present = [name for name in wire_field.names if name in raw]
        value = next((raw[name] for name in present if raw[name] is not None), None)
        path = f"{prefix}{present[0] if present else wire_field.name}"
        if value is not None:
            self.value(wire_field.annotation, value, path)
        elif wire_field.required:
            self._missing(path, wire_field, "null or nothing")
        elif present:
            return
        elif (
            path in OF_REFUSALS.get(self._group, ())
            or path.endswith(UNPROMISED.get(self._group, ()))
            or (wire_field.nullable and not maybe_renamed)
        ):
            self.absent[path] = None
        else:
            # The reader's default would hide that a stock or a shop's name is gone.
            self._missing(path, wire_field, "nothing")

    def _missing(self, path: str, wire_field: WireField, got: str) -> None:
        expected = kinds_in(self._group, wire_field.annotation)
        self.differs(path, Mismatch.MISSING, " or ".join(sorted(expected)), got)

    def add_reader_errors(self, error: ValidationError) -> None:
        """Faults that only the reader finds: a bad amount, an unreadable time."""
        for fault in error.errors(include_input=False, include_url=False, include_context=False):
            self.is_unread(_dotted(fault["loc"]), QUOTED.sub("…", fault["msg"]))

    def is_unread(self, path: str, why: str) -> None:
        self.unread[path] = None
        if not any(path == known or path.startswith((f"{known}.", f"{known}[]")) for known in self.differences):
            self.differs(path, Mismatch.WRONG_TYPE, "", why)


def _dotted(loc: tuple[int | str, ...]) -> str:
    path = "".join("[]" if isinstance(part, int) else f".{part}" for part in loc)
    return path.removeprefix(".") or "data"
