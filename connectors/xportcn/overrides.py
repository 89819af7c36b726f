"""A file that corrects path and field names of operations, where the service proves the
contract wrong.

    [5] # nav number, "METHOD /path" of the contract, or group and title
    path = "/open/product/search/v3"

    [5.response]
    "data.shopName" = "storeName" # contract's name = service's name, also in a list
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from connectors.foreign import words_of
from connectors.xportcn.errors import Misconfigured
from connectors.xportcn.models import names_of
from connectors.xportcn.operations import catalogue
from connectors.xportcn.operations.operation import Call, Operation

PATH = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~{}-]+)+")
BRACES = re.compile(r"\{\w+\}")
FIELD = re.compile(r"[\w$-]+")
KEYS = {"path", "request", "response"}
Renames = dict[tuple[str, ...], str]
"""The service's names of fields, by the path of the contract's names."""


@dataclass(frozen=True)
class Override:
    operation: Operation
    request: Renames = field(default_factory=dict)
    response: Renames = field(default_factory=dict)


class Overrides(dict[Operation, Override]):
    """The corrected operations of a file; any other is as the contract has it."""

    def __missing__(self, operation: Operation) -> Override:
        return Override(operation)


class FaultyOverride(ValueError):
    """A part of the file that can't be used."""


def renamed(content: Any, names: Renames, *, reading: bool) -> Any:
    """Content with the service's names, or when `reading` with the contract's. Lists
    are passed through, and so is JSON inside a text.
    """
    if names and isinstance(content, list):
        return [renamed(entry, names, reading=reading) for entry in content]
    if names and isinstance(content, str):
        try:
            inner = renamed(json.loads(content), names, reading=reading)
        except ValueError:
            return content
        return json.dumps(inner, ensure_ascii=False, separators=(",", ":"))
    if not names or not isinstance(content, Mapping):
        return content
    theirs = {path[0]: name for path, name in names.items() if len(path) == 1}
    ours = {name: key for key, name in theirs.items()} if reading else {}
    result = {}
    for key, value in content.items():
        if reading and key in theirs:
            continue  # the service means something else by the contract's name
        contracts = ours.get(key, key)
        below = {path[1:]: name for path, name in names.items() if path[0] == contracts}
        below.pop((), None)
        name = contracts if reading else theirs.get(key, key)
        result[name] = renamed(value, below, reading=reading)
    return result


def load_overrides(file: str | Path) -> Overrides:
    """Read a file; an empty name is no file. Raises `Misconfigured` with the fault."""
    overrides = Overrides()
    if not file:
        return overrides
    try:
        for key, table in tomllib.loads(Path(file).read_text(encoding="utf-8")).items():
            call = _call(key)
            _require(call not in overrides, f"[{key}] names it a second time")
            overrides[call] = _override(key, call, table)
        for operation, override in overrides.items():
            _require_own_path(operation, override.operation.path, overrides)
    except (OSError, ValueError) as error:
        words = f"{file} (XPORTCN_OVERRIDES) can't be used: {words_of(error)}"
        raise Misconfigured(words) from error
    return overrides


def _require(is_well: object, fault: str) -> None:
    if not is_well:
        raise FaultyOverride(fault)


def _call(key: str) -> Call[Any, Any]:
    for call in catalogue():
        names = (str(call.nav), call.name, f"{call.method} {call.path}")
        if key in names and isinstance(call, Call):
            return call
    raise FaultyOverride(f"[{key}] is no call that `sourcing endpoints` lists")


def _override(key: str, call: Call[Any, Any], table: Any) -> Override:
    is_known = isinstance(table, dict) and table.keys() <= KEYS
    _require(is_known, f"[{key}] only {', '.join(sorted(KEYS))} can be set")
    path = str(table.get("path", call.path))
    is_path = PATH.fullmatch(path) and BRACES.findall(path) == BRACES.findall(call.path)
    _require(is_path, f"[{key}] path: write it as {call.path}, without host and query")
    return Override(
        replace(call, path=path),
        _renames(f"[{key}.request]", table.get("request", {}), call.request),
        _renames(f"[{key}.response]", table.get("response", {}), call.response),
    )


def _renames(where: str, table: Any, shape: Any) -> Renames:
    """The names of a table. Raises `FaultyOverride` for a field that the contract has
    not, and a name that another field has: a total must not be read from another sum.
    """
    names: Renames = {}
    _require(isinstance(table, dict), f"{where} is a table")
    for text, name in table.items():
        *above, last = text.removesuffix("[]").replace("[].", ".").split(".")
        fields = _fields(shape)
        for part in above:
            fields = _fields(fields.get(part))
        known = ", ".join(fields) or "nothing"
        is_name = isinstance(name, str) and FIELD.fullmatch(name)
        _require(is_name, f'{where} {text}: write "contract.name" = "newName"')
        _require(last in fields, f"{where} {text}: the contract has {known} there")
        taken = {other for path, other in names.items() if [*path[:-1]] == above}
        is_free = name not in taken.union(fields)
        _require(is_free, f"{where} {text}: another field is called {name}")
        names[(*above, last)] = name
    return names


def _fields(shape: Any) -> dict[str, Any]:
    """The types of a model's fields by the contract's names, through lists and
    unions.
    """
    if not (isinstance(shape, type) and issubclass(shape, BaseModel)):
        return next(filter(None, map(_fields, get_args(shape))), {})
    fields: dict[str, Any] = {}
    for name, info in shape.model_fields.items():
        fields |= dict.fromkeys(names_of(name, info), info.annotation)
    return fields


def _require_own_path(call: Operation, path: str, overrides: Overrides) -> None:
    """An effect stays an effect, and no read gets to a path that changes something."""
    for other in catalogue():
        for taken in (other.path, overrides[other].operation.path):
            pattern = BRACES.sub("[^/]+", taken)  # a server may take anything there
            is_taken = re.fullmatch(pattern, path, re.IGNORECASE)
            is_own = other is call or path == call.path
            _require(is_own or not is_taken, f"{path} is the path of {other.name}")
