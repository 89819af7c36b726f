"""The wire form of models, and how answers differ from it, also where the tolerant
readers cope.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, PlainValidator, ValidationError

from connectors.units import Unit
from connectors.xportcn.models import FittingRows, WireModel, names_of
from connectors.xportcn.operations.operation import Call
from connectors.xportcn.wire import (
    Amount,
    Bounds,
    ChinaTime,
    Counted,
    Fen,
    Id,
    ParcelNumber,
    Reference,
    UnixMs,
    Yuan,
)

ANYTHING: frozenset[str] = frozenset()
NATURAL = {
    bool: frozenset({"boolean"}),
    int: frozenset({"number"}),
    float: frozenset({"number"}),
    Decimal: frozenset({"decimal"}),
    str: frozenset({"string"}),
}
# The first annotation of a wire type is its reader. Our readers take more than the
# contract says: ids alone may come in two kinds, and whether yuan and other decimals
# are numbers or texts differs by group.
READ_BY_US = {
    **dict.fromkeys(
        (get_args(kind)[1] for kind in (Id, ParcelNumber, Reference)),
        frozenset({"string", "number"}),
    ),
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

    `annotation` is its type; `required` is false when the model has a default,
    `nullable` true when that may be None.
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
    return tuple(
        WireField(
            names=names_of(name, field),
            annotation=Annotated[field.annotation, *field.metadata]
            if field.metadata
            else field.annotation,
            required=field.is_required(),
            nullable=NoneType in types_in(field.annotation),
        )
        for name, field in model.model_fields.items()
    )


def types_in(annotation: Any) -> list[Any]:
    """The types behind `Annotated` and unions."""
    return _flat(annotation)[0]


def _flat(annotation: Any) -> tuple[list[Any], list[Any]]:
    """The types behind `Annotated` and unions, and everything that annotates them."""
    if get_origin(annotation) is Annotated:
        inner, *how = get_args(annotation)
        types, deeper = _flat(inner)
        return types, how + deeper
    if get_origin(annotation) in (Union, UnionType):
        parts = [_flat(part) for part in get_args(annotation)]
        return [one for types, _ in parts for one in types], [
            one for _, how in parts for one in how
        ]
    return [annotation], []


def element_of(annotation: Any) -> Any | None:
    """The element type of a tuple, list or `FittingRows`; None for anything else."""
    rows = (
        one
        for one in types_in(annotation)
        if get_origin(one) in (tuple, list, FittingRows)
    )
    return next((get_args(one)[0] for one in rows), None)


def model_in(annotation: Any) -> type[WireModel] | None:
    """The model behind an annotation, in lists too; None where values are plain."""
    if (element := element_of(annotation)) is not None:
        return model_in(element)
    types = types_in(annotation)
    return next(
        (one for one in types if isinstance(one, type) and issubclass(one, WireModel)),
        None,
    )


def unit_of(annotation: Any) -> Unit | None:
    """The contract's unit of an amount in CNY; None for anything else."""
    how = _flat(annotation)[1]
    return next((unit for reader, unit in IN_CNY.items() if reader in how), None)


def kinds_of(annotation: Any) -> frozenset[str]:
    """The allowed JSON kinds, `yuan` and `decimal` among them; empty when the
    annotation does not decide.
    """
    if element_of(annotation) is not None:
        return frozenset({"array"})
    if model_in(annotation) is not None:
        return frozenset({"object"})
    types, how = _flat(annotation)
    if (
        known := next(
            (kinds for reader, kinds in READ_BY_US.items() if reader in how), None
        )
    ) is not None:
        return known
    plain = {
        kind
        for one in types
        for kind in (map(type, get_args(one)) if get_origin(one) is Literal else (one,))
    }
    kinds = [NATURAL.get(kind, ANYTHING) for kind in plain - {NoneType}]
    is_read_by_us = any(
        isinstance(one, BeforeValidator | PlainValidator) for one in how
    )
    return ANYTHING if is_read_by_us or ANYTHING in kinds else frozenset().union(*kinds)


def kinds_in(group: str, annotation: Any) -> frozenset[str]:
    """The allowed JSON kinds by the contract for the operations of a group."""
    said = {"yuan": YUAN.get(group, "string"), "decimal": DECIMALS.get(group, "number")}
    return frozenset(said.get(kind, kind) for kind in kinds_of(annotation))


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
    """One field that differs; `path` is dotted, `[]` for every entry of a list. It
    never holds a value.
    """

    path: str
    problem: Mismatch
    expected: str = ""
    got: str = ""


@dataclass
class AnswerComparison:
    """An answer beside its model.

    `extra` are fields that neither our models nor the contract have, `absent` optional
    ones that did not come, `empty` lists without an entry to compare. An optional field
    is missing, not absent, where an extra field may be the same by another name.
    `unread` are the fields that the reader refuses; it copes with all other
    differences.
    """

    differences: list[Difference] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def compare(
    call: Call[Any, Any], data: Any, bounds: Bounds | None = None
) -> AnswerComparison:
    """Compare an envelope's `data`, in the contract's names, with the call's model."""
    observed = _Observed(call.group, bounds or Bounds())
    observed.value(call.response, data, "")
    try:
        read = call.parse(data, bounds)
    except ValidationError as error:
        observed.add_reader_errors(error)
    else:
        for path in _misfits(read):
            observed.is_unread(path, "does not fit")
    return observed.found


def _misfits(read: Any, path: str = "") -> Iterator[str]:
    """The fields of rows that the reader left out."""
    if isinstance(read, FittingRows):
        yield from (
            ".".join(filter(None, (f"{path}[]", misfit.field)))
            for misfit in read.misfits
        )
    if isinstance(read, tuple):
        for entry in read:
            yield from _misfits(entry, f"{path}[]")
    elif isinstance(read, BaseModel):
        for wire_field, name in zip(
            fields_of(type(read)), type(read).model_fields, strict=True
        ):
            yield from _misfits(
                getattr(read, name), f"{path}.{wire_field.name}".removeprefix(".")
            )


class _Observed:
    """The observed paths, each once for all entries of a list."""

    def __init__(self, group: str, bounds: Bounds) -> None:
        self._group = group
        self._bounds = bounds
        self.found = AnswerComparison()

    def differs(
        self, path: str, problem: Mismatch, expected: str = "", got: str = ""
    ) -> None:
        difference = Difference(path or "data", problem, expected, got)
        if all(known.path != difference.path for known in self.found.differences):
            self.found.differences.append(difference)

    def value(self, annotation: Any, value: Any, path: str) -> None:
        expected, got = kinds_in(self._group, annotation), kind_of(value)
        if self._bounds.unit and unit_of(annotation):
            expected = (
                AMOUNTS  # the service's form is not the contract's, as the setting says
            )
        if expected and got not in expected:
            self.differs(path, Mismatch.WRONG_TYPE, " or ".join(sorted(expected)), got)
        elif isinstance(value, list):
            self._entries(element_of(annotation), value, f"{path}[]")
        elif isinstance(value, Mapping) and (model := model_in(annotation)):
            self._object(model, value, f"{path}." if path else "")

    def _entries(self, element: Any, entries: list[Any], path: str) -> None:
        if not entries:
            _add(self.found.empty, path)
        for entry in entries:
            self.value(element, entry, path)

    def _object(
        self, model: type[WireModel], raw: Mapping[str, Any], prefix: str
    ) -> None:
        fields = fields_of(model)
        read = {name for wire_field in fields for name in wire_field.names}
        unread = sorted(raw.keys() - read - model.passed_over)
        _add(self.found.extra, *(f"{prefix}{name}" for name in unread))
        for wire_field in fields:
            self._field(wire_field, raw, prefix, maybe_renamed=bool(unread))

    def _field(
        self,
        wire_field: WireField,
        raw: Mapping[str, Any],
        prefix: str,
        *,
        maybe_renamed: bool,
    ) -> None:
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
            _add(self.found.absent, path)
        else:
            # The reader's default would hide that a stock or a shop's name is gone.
            self._missing(path, wire_field, "nothing")

    def _missing(self, path: str, wire_field: WireField, got: str) -> None:
        expected = kinds_in(self._group, wire_field.annotation)
        self.differs(path, Mismatch.MISSING, " or ".join(sorted(expected)), got)

    def add_reader_errors(self, error: ValidationError) -> None:
        """Faults that only the reader finds: a bad amount, an unreadable time."""
        for fault in error.errors(
            include_input=False, include_url=False, include_context=False
        ):
            self.is_unread(_dotted(fault["loc"]), QUOTED.sub("…", fault["msg"]))

    def is_unread(self, path: str, why: str) -> None:
        _add(self.found.unread, path)
        known = [difference.path for difference in self.found.differences]
        if not any(
            path == one or path.startswith((f"{one}.", f"{one}[]")) for one in known
        ):
            self.differs(path, Mismatch.WRONG_TYPE, "", why)


def _add(paths: list[str], *more: str) -> None:
    paths += [path for path in dict.fromkeys(more) if path not in paths]


def _dotted(loc: tuple[int | str, ...]) -> str:
    path = "".join("[]" if isinstance(part, int) else f".{part}" for part in loc)
    return path.removeprefix(".") or "data"
