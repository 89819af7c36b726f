"""Every call and every model of the connector, found by looking, and JSON that fits
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from pkgutil import iter_modules
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretStr, WrapValidator
from pydantic.alias_generators import to_camel

from connectors.xportcn import operations
from connectors.xportcn.models import FittingRows, Response
from connectors.xportcn.operations import catalogue
from connectors.xportcn.operations.operation import Call
from connectors.xportcn.wire import UnixMs

MODULES = [
    import_module(module.name)
    for module in iter_modules(operations.__path__, f"{operations.__name__}.")
]
CALLS: list[Call[Any, Any]] = [
    operation for operation in catalogue() if isinstance(operation, Call)
]
READERS: list[type[Response]] = [
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type)
    and issubclass(value, Response)
    and value.__module__ == module.__name__
]


class Field(NamedTuple):
    """A field of a model: its names on the wire, the contract's first, and what belongs
    there.
    """

    attribute: str
    names: tuple[str, ...]
    annotation: Any
    required: bool


def name_of(model: type[BaseModel]) -> str:
    return f"{model.__module__.rsplit('.', 1)[-1]}.{model.__name__}"


def fields_of(model: type[BaseModel]) -> list[Field]:
    return [
        Field(
            name,
            _names(field.validation_alias or field.alias or to_camel(name)),
            Annotated[field.annotation, *field.metadata]
            if field.metadata
            else field.annotation,
            field.is_required(),
        )
        for name, field in model.model_fields.items()
    ]


def _names(alias: object) -> tuple[str, ...]:
    return (
        tuple(str(choice) for choice in alias.choices)
        if isinstance(alias, AliasChoices)
        else (str(alias),)
    )


def bare(annotation: Any) -> Any:
    """Without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return bare(
            next(piece for piece in get_args(annotation) if piece is not NoneType)
        )
    return annotation


def example(annotation: Any, *, full: bool = True) -> Any:
    """JSON that fits: with every field, or only with those that are required."""
    kind = bare(annotation)
    if get_origin(kind) in (tuple, FittingRows):
        return [example(get_args(kind)[0], full=full)]
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {
            field.names[0]: "CNY"
            if field.names[0] == "currency"
            else example(field.annotation, full=full)
            for field in fields_of(kind)
            if full or field.required
        }
    if get_args(UnixMs)[1] in metadata(annotation):
        return "1767225600000"
    return {datetime: "1767225600", bool: True, object: {}, SecretStr: "x"}.get(
        kind, "12"
    )


def required_paths(annotation: Any) -> Iterator[tuple[str | int, ...]]:
    """Where something must stand in the full example, by names and places in lists."""
    kind = bare(annotation)
    if get_origin(kind) in (tuple, FittingRows):
        yield from ((0, *path) for path in required_paths(get_args(kind)[0]))
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        for field in fields_of(kind):
            if field.required:
                yield (field.names[0],)
            if not any(
                isinstance(how, WrapValidator) for how in metadata(field.annotation)
            ):  # left out if it does not fit
                yield from (
                    (field.names[0], *path) for path in required_paths(field.annotation)
                )


def metadata(annotation: Any) -> list[Any]:
    """Everything that annotates, outside and inside of a union."""
    if get_origin(annotation) is Annotated:
        inner, *outer = get_args(annotation)
        return [*outer, *metadata(inner)]
    return [piece for inside in get_args(annotation) for piece in metadata(inside)]
