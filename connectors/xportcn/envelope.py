"""The envelope around every answer, in both families (contract 1.5): numbers stay
exact, words lose the receiver.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from connectors.foreign import are_clean, cleaned, shortened
from connectors.xportcn.failures import SUCCESS
from connectors.xportcn.models import Request
from connectors.xportcn.wire import MOST_DIGITS, MOST_TEXT
from domain.addresses import without_receiver
from domain.orders import ADDRESS, Receiver

YES = ("1", "true", "y", "yes")

FIELDS = ("receiver", "receiver_address")
WORDS = re.compile(r"(?:message|msg|reason|desc|description|remark)s?$", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Opened:
    """An answer out of its envelope. `code` is always text; `ok` is whether the service
    reports success.

    All words are clean (see `words`), those of the envelope also short.
    """

    code: str
    words: str
    request_id: str
    ok: bool
    data: Any


def open_envelope(body: bytes, secrets: Sequence[str] = ()) -> Opened | None:
    """Open either envelope; None for anything else: not JSON in UTF-8, no object, no
    code.

    The family is recognized by its field names and not by the operation: the gateway
    may answer in the other family. `secrets` are removed wherever they stand.
    """
    try:
        text = body.removeprefix(BOM_UTF8).decode()
        parsed = read_json(text)
        parsed = parsed if are_clean(text, secrets) else cleaned(parsed, secrets)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    code = _text(parsed.get("code", parsed.get("errorCode")))
    if not code:
        return None
    return Opened(
        code=code,
        words=_text(parsed.get("msg", parsed.get("errorMsg"))),
        request_id=_text(parsed.get("requestId")),
        ok=code == SUCCESS and _is_yes(parsed.get("success", True)),
        data=parsed.get("data"),
    )


def _is_yes(value: object) -> bool:
    """Whether the field beside the code agrees with success."""
    return value is None or value is True or str(value).lower() in YES


def _text(value: object) -> str:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    return (
        ""
        if value is None or isinstance(value, (bool, dict, list))
        else shortened(str(value))
    )


def without_the_receiver(envelope: Opened | None, request: Request) -> Opened | None:
    """The answer without the request's receiver in its words; ids, amounts and titles
    stay unchanged.
    """
    receiver = _receiver_in(request)
    if envelope is None or receiver is None:
        return envelope
    message = (
        envelope.words if envelope.ok else without_receiver(envelope.words, receiver)
    )
    return replace(envelope, words=message, data=_struck(envelope.data, receiver))


def _receiver_in(request: Request) -> Receiver | None:
    sent = next(
        (
            sub_request
            for field in FIELDS
            if isinstance(sub_request := getattr(request, field, None), Request)
        ),
        None,
    )
    if sent is None:
        return None
    return Receiver(**{field: getattr(sent, field, "") for field in ADDRESS})


def _struck(value: Any, receiver: Receiver, name: str = "") -> Any:
    if isinstance(value, str):
        return (
            without_receiver(value, receiver) if value and _holds_words(name) else value
        )
    if isinstance(value, Mapping):
        return {key: _struck(entry, receiver, key) for key, entry in value.items()}
    return (
        [_struck(entry, receiver, name) for entry in value]
        if isinstance(value, list)
        else value
    )


@lru_cache(maxsize=512)
def _holds_words(name: str) -> bool:
    return WORDS.search(name) is not None


def read_json(raw: bytes | str) -> Any:
    """Parse JSON with every number exact. Raises `ValueError` for anything else, and
    for a name twice in an object.
    """
    text = raw if isinstance(raw, str) else raw.decode(json.detect_encoding(raw))
    try:
        try:
            return _EXACT.decode(text)
        except ValueError as error:
            if "integer string conversion" not in str(error):
                raise
            return _EXACT_AND_HUGE.decode(text)
    except RecursionError as error:
        raise ValueError("JSON nested too deep") from error


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of JSON pairs. Raises `ValueError` for a name twice: readers differ in
    which of the two counts.
    """
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return fields


def _huge(text: str) -> int | str:
    """A number of thousands of digits stays text: its field does not fit, and the rest
    of the answer is kept.
    """
    return int(text) if len(text) <= MOST_TEXT else text


def _number(text: str) -> Decimal | str:
    """An exact number; an enormous number stays text, since 1e99999999 as an int would
    take all memory.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if abs(number.adjusted()) <= MOST_DIGITS else text


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_EXACT = json.JSONDecoder(
    parse_float=_number, parse_constant=_no_number, object_pairs_hook=_once_each
)
_EXACT_AND_HUGE = json.JSONDecoder(
    parse_float=_number,
    parse_int=_huge,
    parse_constant=_no_number,
    object_pairs_hook=_once_each,
)
