"""Differences of the service's answers from the contract, also those that the tolerant readers cope with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ValidationError

from connectors.xportcn.operations import Call
from connectors.xportcn.rows import FittingRows
from connectors.xportcn.shapes import WireField, element_of, fields_of, kind_of, kinds_in, model_in, unit_of
from connectors.xportcn.wire import Bounds

# A model serves several groups: the group named here is not promised these fields.
UNPROMISED = {
    "Taobao / Order": ("lines[].cartId", "subPurchaseOrders[].closeReason"),
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

    `extra` are fields that our models do not read, `absent` optional ones that did not come, `empty` lists without an
    entry to compare. An optional field is missing, not absent, where an extra field may be the same by another name.
    `unread` are the fields that the reader refuses; it copes with all other differences.
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
        unread = sorted(raw.keys() - {name for wire_field in fields for name in wire_field.names})
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
