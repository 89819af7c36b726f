"""The wire form of a model: its fields by the contract's names, and their JSON kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, BaseModel, BeforeValidator, PlainValidator
from pydantic.alias_generators import to_camel

from connectors.units import Unit
from connectors.xportcn.rows import FittingRows
from connectors.xportcn.wire import Amount, ChinaTime, Fen, Id, ParcelNumber, Reference, UnixMs, Yuan

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
    get_args(Fen)[1]: frozenset({"number"}),
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
