"""Reading a request's fields; a missing field, or one of the wrong kind, is refused
with its name (40001).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from sandbox.refusals import bad_request

MAX_PAGE_SIZE = 50


class Fields:
    """A JSON object (or query string) of a request, with its place in the request for
    messages.
    """

    __slots__ = ("_place", "_raw")

    def __init__(self, raw: Mapping[str, Any], place: str = "") -> None:
        self._raw = raw
        self._place = place

    @property
    def raw(self) -> Mapping[str, Any]:
        return self._raw

    def named(self, name: str) -> str:
        return self._place + name

    def has(self, name: str) -> bool:
        return self._raw.get(name) is not None

    def text(self, name: str) -> str:
        """A required text that is not blank."""
        value = self._raw.get(name)
        if not isinstance(value, str) or not value.strip():
            raise bad_request(self.named(name), "a text is required")
        return value

    def text_or_empty(self, name: str) -> str:
        """A required text that may be blank."""
        value = self._raw.get(name)
        if not isinstance(value, str):
            raise bad_request(self.named(name), "a text is required")
        return value

    def optional_text(self, name: str, default: str = "") -> str:
        value = self._raw.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise bad_request(self.named(name), "must be a text")
        return value

    def identifier(self, name: str) -> str:
        return _identifier(self.named(name), self._raw.get(name))

    def identifiers(self, name: str) -> list[str]:
        values = self._raw.get(name)
        if not isinstance(values, list):
            raise bad_request(self.named(name), "a list of ids is required")
        return [
            _identifier(f"{self.named(name)}[{index}]", value)
            for index, value in enumerate(values)
        ]

    def flag(self, name: str) -> bool:
        """A boolean; false when it is left out."""
        value = self._raw.get(name)
        if value is not None and not isinstance(value, bool):
            raise bad_request(self.named(name), "must be true or false")
        return bool(value)

    def short_text(self, name: str, longest: int) -> str:
        """A required text of at most so many characters."""
        text = self.text(name)
        if len(text) > longest:
            raise bad_request(self.named(name), f"at most {longest} characters")
        return text

    def texts(self, name: str, *, at_least: int = 0, at_most: int) -> list[str]:
        """A list of texts; a list that may be empty may also be left out."""
        values = self._raw.get(name)
        if values is None and not at_least:
            return []
        if not isinstance(values, list) or not all(
            isinstance(value, str) and value.strip() for value in values
        ):
            raise bad_request(self.named(name), "a list of texts is required")
        if not at_least <= len(values) <= at_most:
            raise bad_request(self.named(name), f"from {at_least} to {at_most} texts")
        return values

    def row_numbers(self, name: str) -> list[int]:
        """Distinct numbers of cart rows, at least one."""
        values = self._raw.get(name)
        if not isinstance(values, list) or not values:
            raise bad_request(
                self.named(name), "a list with at least one number is required"
            )
        places = (
            Fields({f"{name}[{index}]": value}, self._place)
            for index, value in enumerate(values)
        )
        return list(
            dict.fromkeys(
                place.whole(f"{name}[{index}]") for index, place in enumerate(places)
            )
        )

    def optional_identifier(self, name: str) -> str:
        return self.identifier(name) if self.has(name) else ""

    def whole(self, name: str, *, minimum: int = 0, default: int | None = None) -> int:
        """A whole number of at least `minimum`; required when there is no default."""
        value = self._raw.get(name)
        if value is None:
            value = default
        if not isinstance(value, int) or isinstance(value, bool):
            raise bad_request(self.named(name), "a whole number is required")
        if value < minimum:
            raise bad_request(self.named(name), f"must be at least {minimum}")
        return value

    def optional_whole(self, name: str) -> int | None:
        return self.whole(name) if self.has(name) else None

    def number(
        self, name: str, *, default: float | None = None, maximum: float = float("inf")
    ) -> float:
        """A number from 0 to `maximum`; required when there is no default."""
        value = self._raw.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise bad_request(self.named(name), "a number is required")
        if not 0 <= value <= maximum:
            raise bad_request(self.named(name), f"must be from 0 to {maximum:g}")
        return value

    def only(self, *names: str) -> None:
        """Refuse unread fields, so that a misspelt one is noticed."""
        for name in self._raw:
            if name not in names:
                raise bad_request(
                    self.named(name), f"unknown; known are {', '.join(names)}"
                )

    def quantity(self, name: str = "quantity") -> int:
        """A quantity of 1688: a number, which may be written 2.0 but not 2.5."""
        value = self._raw.get(name)
        if isinstance(value, float) and value.is_integer():
            return Fields({name: int(value)}, self._place).whole(name, minimum=1)
        return self.whole(name, minimum=1)

    def optional_yuan(self, name: str) -> int | None:
        """An amount in yuan, as number or text, returned in fen."""
        value = self._raw.get(name)
        if value is None or value == "":
            return None
        try:
            return int(Decimal(str(value)) * 100)
        except (InvalidOperation, ValueError, OverflowError) as error:
            raise bad_request(self.named(name), "must be an amount in yuan") from error

    def object(self, name: str) -> Fields:
        value = self._raw.get(name)
        if not isinstance(value, dict):
            raise bad_request(self.named(name), "an object is required")
        return Fields(value, f"{self.named(name)}.")

    def objects(self, name: str) -> list[Fields]:
        return self._objects(name, self._raw.get(name))

    def objects_in_text(self, name: str) -> list[Fields]:
        """A list of objects that travels as JSON text, as Taobao's order lines do."""
        try:
            value = orjson.loads(self.text(name))
        except orjson.JSONDecodeError as error:
            raise bad_request(
                self.named(name), "must be the JSON text of a list"
            ) from error
        return self._objects(name, value)

    def _objects(self, name: str, value: Any) -> list[Fields]:
        if not isinstance(value, list) or not value:
            raise bad_request(
                self.named(name), "a list with at least one entry is required"
            )
        if not all(isinstance(entry, dict) for entry in value):
            raise bad_request(self.named(name), "every entry must be an object")
        return [
            Fields(entry, f"{self.named(name)}[{index}].")
            for index, entry in enumerate(value)
        ]

    def object_in_text(self, name: str) -> Fields:
        """An object that travels as JSON text."""
        try:
            value = orjson.loads(self.text(name))
        except orjson.JSONDecodeError as error:
            raise bad_request(
                self.named(name), "must be the JSON text of an object"
            ) from error
        return Fields({name: value}, self._place).object(name)

    def with_numbers(self, *names: str) -> Fields:
        """A query string with the named texts as numbers, where they are decimal
        digits.
        """
        numbers = {
            name: int(text)
            for name in names
            if (text := str(self._raw.get(name, ""))).isdecimal()
        }
        return Fields({**self._raw, **numbers}, self._place)

    def page(self, name: str) -> Page:
        size = self.whole("pageSize", minimum=1)
        if size > MAX_PAGE_SIZE:
            raise bad_request(
                self.named("pageSize"), f"must be at most {MAX_PAGE_SIZE}"
            )
        return Page(self.whole(name, minimum=1), size)


def read_object(body: bytes) -> Fields:
    """A request body, which must be a JSON object."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request("body", "must be JSON") from error
    if not isinstance(parsed, dict):
        raise bad_request("body", "must be a JSON object")
    return Fields(parsed)


def _identifier(place: str, value: Any) -> str:
    """An id as text. A float has lost digits of a long id and is refused."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise bad_request(place, "an id (text or whole number) is required")


class Page:
    """The asked page of a listing; pages count from 1."""

    __slots__ = ("number", "size")

    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.size = size

    @property
    def start(self) -> int:
        return (self.number - 1) * self.size

    @property
    def stop(self) -> int:
        return self.number * self.size

    def answer(self, total: int, rows: list[Any]) -> dict[str, Any]:
        """The page object of Taobao listings and 1688 product queries."""
        return {
            "totalRecords": total,
            "totalPage": -(-total // self.size),
            "pageSize": self.size,
            "currentPage": self.number,
            "data": rows,
        }
