"""Fields whose names at the service differ from the contract: to its names when writing, back when reading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Renames:
    """The renamed fields of one object, contract's name to service's, and those further below it.

    Lists are passed through, and so is JSON inside a text, as in Taobao's calls.
    """

    here: dict[str, str] = field(default_factory=dict)
    below: dict[str, Renames] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.here or self.below)

    def add(self, path: tuple[str, ...], name: str) -> None:
        """Give the field at a path of the contract's names the service's `name`."""
        if len(path) == 1:
            self.here[path[0]] = name
        else:
            self.below.setdefault(path[0], Renames()).add(path[1:], name)

    def to_service(self, content: Any) -> Any:
        """Content with the service's names."""
        return self._each(content, reading=False)

    def to_contract(self, content: Any) -> Any:
        """Content with the contract's names. A field whose name one of them takes is kept under another name."""
        return self._each(content, reading=True)

    def _each(self, content: Any, *, reading: bool) -> Any:
        if not self:
            return content
        if isinstance(content, list):
            return [self._each(entry, reading=reading) for entry in content]
        if isinstance(content, str):
            return self._in_text(content, reading=reading)
        if isinstance(content, Mapping):
            return self._object(content, reading=reading)
        return content

    def _object(self, content: Mapping[str, Any], *, reading: bool) -> dict[str, Any]:
        names = {theirs: ours for ours, theirs in self.here.items()} if reading else self.here
        renamed: dict[str, Any] = {}
        for key, value in content.items():
            new = names.get(key) or _displaced(key, names)
            below = self.below.get(new if reading else key)
            renamed[new] = below._each(value, reading=reading) if below else value
        return renamed

    def _in_text(self, text: str, *, reading: bool) -> str:
        try:
            content = json.loads(text)
        except ValueError:
            return text
        if not isinstance(content, dict | list):
            return text
        renamed = self._each(content, reading=reading)
        return json.dumps(renamed, ensure_ascii=False, separators=(",", ":"))


def _displaced(key: str, names: Mapping[str, str]) -> str:
    """The free name, along the chain of renames, for a field whose own name a renamed field takes."""
    origins = {new: old for old, new in names.items()}
    while key in origins:
        key = origins[key]
    return key
