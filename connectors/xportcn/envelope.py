"""The service's envelope around every answer, in both families (contract 1.5)."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.words import are_clean, cleaned, shortened
from connectors.xportcn.failures import SUCCESS
from connectors.xportcn.wire import read_json

YES = ("1", "true", "y", "yes")


@dataclass(slots=True, kw_only=True)
class Opened:
    """An answer out of its envelope. `code` is always text; `ok` is whether the service reports success.

    All words are clean (see `words`), those of the envelope also short.
    """

    code: str
    words: str
    request_id: str
    ok: bool
    data: Any


def open_envelope(body: bytes, secrets: Sequence[str] = ()) -> Opened | None:
    """Open either envelope; None for anything else: not JSON in UTF-8, no object, no code.

    The family is recognized by its field names and not by the operation: the gateway may answer in the other family.
    `secrets` are removed wherever they stand.
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
    return "" if value is None or isinstance(value, (bool, dict, list)) else shortened(str(value))
