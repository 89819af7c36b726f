"""A file that corrects method, path and field names of operations, where the service
proves the contract wrong.

    [5] # nav number, "METHOD /path" of the contract, or group and title path =
    "/open/product/search/v3"

    [5.request]
    keyword = "words"                     # contract's name = service's name

    [5.response] "data.shopName" = "storeName" # lists are passed through: the name in
    every entry

The meaning of an operation cannot be changed here: an effect stays an effect, and a
call that changes nothing can't get the path of a call that does.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.foreign import words_of
from connectors.xportcn.errors import Misconfigured
from connectors.xportcn.operations import catalogue
from connectors.xportcn.operations.operation import Call, Operation

if TYPE_CHECKING:
    from connectors.units import Unit
    from connectors.xportcn.models import Request


Renames = dict[tuple[str, ...], str]
"""The service's names of fields, by the path of the contract's names."""


def renamed(content: Any, names: Renames, *, reading: bool) -> Any:
    """Content with the service's names, or when `reading` with the contract's.

    Lists are passed through, and so is JSON inside a text, as in Taobao's calls. A
    field whose name a renamed one takes is kept under another name.
    """
    if not names:
        return content
    if isinstance(content, list):
        return [renamed(entry, names, reading=reading) for entry in content]
    if isinstance(content, str):
        return _in_text(content, names, reading=reading)
    return (
        _object(content, names, reading=reading)
        if isinstance(content, Mapping)
        else content
    )


def _object(
    content: Mapping[str, Any], names: Renames, *, reading: bool
) -> dict[str, Any]:
    here = {path[0]: name for path, name in names.items() if len(path) == 1}
    new_names = {theirs: ours for ours, theirs in here.items()} if reading else here
    told: dict[str, Any] = {}
    for key, value in content.items():
        new = new_names.get(key) or _displaced(key, new_names)
        ours = new if reading else key
        below = {
            path[1:]: name
            for path, name in names.items()
            if path[0] == ours and len(path) > 1
        }
        told[new] = renamed(value, below, reading=reading)
    return told


def _in_text(text: str, names: Renames, *, reading: bool) -> str:
    try:
        content = json.loads(text)
    except ValueError:
        return text
    if not isinstance(content, dict | list):
        return text
    return json.dumps(
        renamed(content, names, reading=reading),
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _displaced(key: str, names: Mapping[str, str]) -> str:
    """The free name, along the chain of renames, for a field whose own name a renamed
    field takes.
    """
    origins = {new: old for old, new in names.items()}
    while key in origins:
        key = origins[key]
    return key


KEYS = ("method", "path", "request", "response")
METHODS = ("GET", "POST")
PATH = re.compile(r"(/[A-Za-z0-9._~{}-]+)+")
BRACES = re.compile(r"\{(\w+)\}")
FIELD = re.compile(r"[\w$-]+")


@dataclass(frozen=True)
class Override:
    """The corrections of one operation."""

    operation: Operation
    request: Renames = field(default_factory=dict)
    response: Renames = field(default_factory=dict)


@cache
def _as_it_is(operation: Operation) -> Override:
    return Override(operation)


class Overrides(dict[Operation, Override]):
    """The corrected operations of a file, empty when there is none; any other operation
    is as the contract has it.
    """

    def __missing__(self, operation: Operation) -> Override:
        return _as_it_is(operation)


def load_overrides(file: str | Path) -> Overrides:
    """Read a file; an empty name is no file. Raises `Misconfigured` with every fault,
    each with its remedy.
    """
    if not file:
        return Overrides()
    reading = _Reading(Path(file))
    overrides = reading.overrides()
    if reading.faults:
        raise Misconfigured(
            "\n  ".join([f"{file} (XPORTCN_OVERRIDES) can't be used:", *reading.faults])
        )
    return overrides


class _Reading:
    """One pass over a file that gathers all faults."""

    def __init__(self, file: Path) -> None:
        self.faults: list[str] = []
        self._tables = self._parsed(file)

    def _parsed(self, file: Path) -> dict[str, Any]:
        try:
            return tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            self.faults.append(f"{error.strerror}: check the path and its permissions")
        except ValueError as error:
            self.faults.append(f"no TOML: {words_of(error)}")
        return {}

    def overrides(self) -> Overrides:
        found = Overrides()
        for key, table in self._tables.items():
            operation = self._operation(key)
            if operation is None:
                continue
            if not isinstance(table, dict):
                self.faults.append(
                    f"{key}: a table belongs here, such as [{key}] with path = ... below it"
                )
            elif operation in found:
                self.faults.append(
                    f"{key}: names {operation.name} a second time; put both into one table"
                )
            else:
                found[operation] = self._override(key, operation, table)
        self.faults.extend(clashes(found))
        return found

    def _operation(self, key: str) -> Operation | None:
        found = [operation for operation in catalogue() if key in _keys(operation)]
        if len(found) == 1:
            return found[0]
        self.faults.append(
            f"[{key}]: no such operation; use a number, name (group / title) or METHOD /path as "
            "`sourcing endpoints --all` lists them without this file"
        )
        return None

    def _override(
        self, key: str, operation: Operation, table: dict[str, Any]
    ) -> Override:
        for unknown in table.keys() - set(KEYS):
            self.faults.append(
                f"[{key}] {unknown}: unknown; only {', '.join(KEYS)} can be set"
            )
        if not isinstance(operation, Call):
            self.faults.append(
                f"[{key}]: the service calls us here; there is nothing to set"
            )
            return Override(operation)
        method = self._method(key, operation, table.get("method", operation.method))
        changed = replace(
            operation,
            method=method,
            path=self._path(key, operation, table.get("path", operation.path)),
        )
        return Override(
            changed,
            self._renames(
                f"[{key}.request]", table.get("request", {}), operation.request
            ),
            self._renames(
                f"[{key}.response]", table.get("response", {}), operation.response
            ),
        )

    def _method(self, key: str, operation: Operation, method: object) -> Any:
        if method == "POST" != operation.method and BRACES.search(operation.path):
            self.faults.append(
                f"[{key}] method: {operation.path} carries a field and stays GET"
            )
            return operation.method
        if method in METHODS:
            return method
        self.faults.append(f"[{key}] method: {method!r} is neither GET nor POST")
        return operation.method

    def _path(self, key: str, operation: Operation, path: object) -> str:
        if (
            not isinstance(path, str)
            or not PATH.fullmatch(path)
            or {".", ".."} & set(path.split("/"))
        ):
            self.faults.append(
                f"[{key}] path: {path!r} is no path; write it as {operation.path}, without host, base path and query"
            )
            return operation.path
        if set(BRACES.findall(path)) != set(BRACES.findall(operation.path)):
            self.faults.append(
                f"[{key}] path: must hold the same names in braces as {operation.path}"
            )
            return operation.path
        return path

    def _renames(self, where: str, table: object, shape: Any) -> Renames:
        renames: Renames = {}
        if not isinstance(table, dict):
            self.faults.append(
                f'{where}: a table belongs here, with lines like "contract.name" = "newName"'
            )
            return renames
        taken: dict[tuple[str, ...], str] = {}
        for path, name in _flat(table):
            if not isinstance(name, str) or not FIELD.fullmatch(name):
                self.faults.append(
                    f"{where} {path}: {name!r} is no field name; give the one name, without dots"
                )
                continue
            parts = tuple(part for part in path.replace("[]", "").split(".") if part)
            problem = _unknown_field(shape, parts) or _taken(
                shape, parts, name, table, taken
            )
            if problem:
                self.faults.append(f"{where} {path}: {problem}")
            else:
                taken[(*parts[:-1], name)] = path
                renames[parts] = name
        return renames


def query_of(
    request: Request, operation: Operation, unit: Unit | None
) -> dict[str, str]:
    """A request as query parameters; of a request that the catalogue sends as JSON,
    lists and objects become text.
    """
    if operation.method == "GET":
        return request.query(unit)
    fields = json.loads(request.body(unit))
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
    }


def _keys(operation: Operation) -> set[str]:
    nav = set() if operation.nav is None else {str(operation.nav)}
    return {*nav, operation.name, f"{operation.method} {operation.path}"}


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths of a table; `a.b = "c"` without quotes makes nested tables in TOML,
    with equal meaning.
    """
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _unknown_field(shape: Any, parts: tuple[str, ...]) -> str:
    """Why there is no such field in a request or answer; empty when there is, also
    where it is passed over.
    """
    from connectors.xportcn.live_check.comparing import fields_of, model_in

    for part in parts:
        model = model_in(shape)
        known = (
            {name: field for field in fields_of(model) for name in field.names}
            if model
            else {}
        )
        if model and part in model.passed_over:
            return ""
        if part not in known:
            names = ", ".join(known) or "none"
            return f"the contract has no `{part}` there; its fields are: {names}"
        shape = known[part].annotation
    return "" if parts else "an empty name"


def _taken(
    shape: Any,
    parts: tuple[str, ...],
    name: str,
    table: Any,
    taken: Mapping[tuple[str, ...], str],
) -> str:
    """Why the name is taken by a sibling of the field; empty when it is free."""
    place = (*parts[:-1], name)
    if place in taken:
        return f"{taken[place]} is called {name} already"
    moved = {
        tuple(part for part in path.replace("[]", "").split(".") if part)
        for path, _ in _flat(table)
    }
    is_read = bool(
        _unknown_field(shape, (*parts[:-1], ""))
    )  # below a field that is passed over no name is unknown
    if (
        is_read
        and place != parts
        and place not in moved
        and not _unknown_field(shape, place)
    ):
        return f"the contract has another field {name} beside it; rename that one too"
    return ""


def clashes(found: Overrides) -> list[str]:
    """Operations that nothing would distinguish, and reads on the path of a call that
    changes something.
    """
    called = [(found[entry].operation, entry) for entry in catalogue()]
    changing = {
        path
        for now, was in called
        if not was.is_read_only
        for path in (now.path, was.path)
    }
    faults = []
    for entry, override in found.items():
        now = override.operation
        if (now.method, now.path) == (entry.method, entry.path):
            continue
        twins = [
            other.name for other, was in called if was != entry and _same(other, now)
        ]
        if entry.is_read_only and any(_is_at(now.path, path) for path in changing):
            faults.append(
                f"{entry.name}: {now.path} changes something; a call that changes nothing can't go there"
            )
        elif twins:
            faults.append(
                f"{entry.name}: {now.method} {now.path} is also {twins[0]}; override that one too, or not this"
            )
    return faults


def _same(one: Operation, other: Operation) -> bool:
    return one.method == other.method and (
        _is_at(one.path, other.path) or _is_at(other.path, one.path)
    )


def _is_at(path: str, other: str) -> bool:
    """Whether a server may take `path` for `other`, whose braces stand for anything."""
    pattern = "".join(
        "[^/]+" if part.startswith("{") else re.escape(part)
        for part in re.split(r"(\{\w+\})", other)
    )
    return re.fullmatch(pattern, path, re.IGNORECASE) is not None
