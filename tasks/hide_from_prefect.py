"""Keeps Prefect from walking what is big: it looks for futures in every parameter of a task, down to the last cell."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def hide_from_prefect(mapping: Mapping[K, V]) -> Mapping[K, V]:
    """The same mapping as a parameter that costs nothing to pass, however much it holds. For `reading_task` alone."""
    return MappingProxyType(mapping)  # Prefect walks dicts, lists, tuples, sets, dataclasses and pydantic models
