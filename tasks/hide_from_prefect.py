"""Keeps Prefect from walking large parameters of a task, down to the last cell, in search of futures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def hide_from_prefect(mapping: Mapping[K, V]) -> Mapping[K, V]:
    """A view of the mapping that costs nothing to pass as a parameter, of any size. For `reading_task` alone."""
    return MappingProxyType(mapping)  # Prefect walks dicts, lists, tuples, sets, dataclasses and pydantic models
