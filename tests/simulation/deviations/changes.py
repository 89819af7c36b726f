"""Ways in which answers and requests are changed: everywhere, in lists, in envelopes,
in fields of a sort.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulation.deviations.service import Ask, Tell, Told
from tests.simulation.deviations.wire import (
    ABSENT,
    EVERYWHERE,
    ORDERS,
    PAGE_NUMBERS,
    REFERENCES,
    STATES,
    TOTALS,
    WITH_REFERENCES,
    Change,
    Role,
    changed,
    renamed,
)


def all_of(change: Change) -> Tell:
    """The envelope too."""

    def tell(told: Told) -> None:
        told.answer = changed(told.answer, change)

    return tell


def values(change: Change, where: frozenset[Role] = EVERYWHERE) -> Tell:
    """What stands in the `data` of answers of these roles."""

    def tell(told: Told) -> None:
        if told.role in where:
            told.data = changed(told.data, change, "data")

    return tell


def names(
    rename: Callable[[str], str],
    where: frozenset[Role] = EVERYWHERE,
    *,
    envelope: bool = False,
) -> Tell:
    def tell(told: Told) -> None:
        if envelope:
            told.answer = renamed(told.answer, rename)
        elif told.role in where:
            told.data = renamed(told.data, rename)

    return tell


def of_lists(change: Callable[[Told, dict[str, Any]], None]) -> Tell:
    """Order lists that are a yes."""

    def tell(told: Told) -> None:
        if told.role is Role.LIST and isinstance(told.data, dict):
            change(told, told.data)

    return tell


def rows(change: Callable[[list[Any]], Any]) -> Tell:
    return of_lists(
        lambda notices, data: data.update(
            {notices.rows_name: change(data[notices.rows_name])}
        )
    )


def total(count: Callable[[int, int], Any]) -> Tell:
    """What a list counts, out of its true total and the rows of its page; with it the
    number of pages.
    """

    def change(told: Told, data: dict[str, Any]) -> None:
        listing = len(data[told.rows_name])
        for name in TOTALS:
            if name in data:
                data[name] = count(data[name], listing)
        for name in (*TOTALS, "totalPage"):
            if name in data and (
                data[name] is ABSENT
                or (name == "totalPage" and data.get(TOTALS[0]) is None)
            ):
                del data[name]

    return of_lists(change)


def both(*tells: Tell) -> Tell:
    def tell(told: Told) -> None:
        for tell in tells:
            tell(told)

    return tell


def pages(change: Callable[[dict[str, Any], str], None]) -> Ask:
    def ask(role: Role, body: dict[str, Any]) -> None:
        if role is Role.LIST:
            change(body, next(name for name in PAGE_NUMBERS if name in body))

    return ask


def without(filters: tuple[str, ...]) -> Ask:
    def ask(role: Role, body: dict[str, Any]) -> None:
        if role is Role.LIST:
            for name in filters:
                body.pop(name, None)

    return ask


def references(form: Callable[[str], Any]) -> Tell:
    def change(name: str, value: Any) -> Any:
        return (
            form(value)
            if name in REFERENCES and isinstance(value, str) and value
            else value
        )

    return values(change, WITH_REFERENCES)


def states(form: Callable[[Any], Any]) -> Tell:
    return values(lambda name, value: form(value) if name in STATES else value, ORDERS)


def envelope(change: Callable[[dict[str, Any]], Any]) -> Tell:
    """A success in another envelope."""

    def tell(told: Told) -> None:
        if told.is_yes:
            told.answer = change(told.answer)

    return tell


def code(value: Any, name: str = "") -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The code of a success as another value, or under another name."""

    def change(answer: dict[str, Any]) -> dict[str, Any]:
        old = "code" if "code" in answer else "errorCode"
        built = {
            (name or key) if key == old else key: (value if key == old else item)
            for key, item in answer.items()
        }
        return {key: item for key, item in built.items() if item is not ABSENT}

    return change


def refusals(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Tell:
    """A refusal in the clothes of a success."""

    def tell(told: Told) -> None:
        if not told.is_yes:
            told.answer = change(told.answer)
            told.status = 200

    return tell


def page_of_a_gateway(status: int) -> Tell:
    """In place of one in eight answers; the call was carried out."""

    def tell(told: Told) -> None:
        if told.dice.random() < 1 / 8:
            told.answer = {"error": "Not Allowed"}
            told.status = status

    return tell


def with_status(status: int) -> Tell:
    def tell(told: Told) -> None:
        told.status = status if told.is_yes else told.status

    return tell
