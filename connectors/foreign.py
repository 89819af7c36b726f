"""Filters the errors of other programs: their type is shown, their text only where it
can't quote data.

Such a text may quote what was read: PostgreSQL quotes the row that it refuses, DuckDB
and Arrow the value that they can't convert, Prefect the parameters of a run.
"""

from __future__ import annotations

import logging
import os
import re
import traceback
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

STRUCK_OUT = "***"
LEAST_SECRET = 8  # shorter ones would be found by chance
MOST_WORDS = 500
# JSON's escapes of characters that may need cleaning; letters beyond the first two
# blocks are left to the quick way.
_ESCAPED = re.compile(
    r"\\(?:[bfnrt/]|u(?:00|06|07|08|18|20|[dD][89a-fA-F]|[fF][eEfF]))"
)
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def are_clean(text: str, secrets: Sequence[str]) -> bool:
    """Whether nothing in a JSON text can need cleaning; cheap, and right for nearly all
    answers.
    """
    return (
        text.isprintable()
        and not ("\\" in text and _ESCAPED.search(text))
        and not any(s in text for s in secrets)
    )


def cleaned(value: Any, secrets: Sequence[str] = ()) -> Any:
    """A parsed JSON value with every text in it made harmless, names too."""
    if isinstance(value, str):
        return clean(value, secrets)
    if isinstance(value, Mapping):
        return {
            clean(name, secrets): cleaned(entry, secrets)
            for name, entry in value.items()
        }
    if isinstance(value, list):
        return [cleaned(entry, secrets) for entry in value]
    return value


def clean(text: str, secrets: Sequence[str] = ()) -> str:
    """One text made harmless."""
    for secret in secrets:
        text = text.replace(secret, STRUCK_OUT)
    return text if text.isprintable() else "".join(map(_clean_character, text))


def _clean_character(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return (
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(character) in _HARMFUL
        else character
    )


def shortened(text: str, most: int = MOST_WORDS) -> str:
    """The text, cut at `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


OURS = frozenset({"cli", "connectors", "deployments", "domain", "flows", "tasks"})
SPEAKING = frozenset(
    {
        *(
            "socket.gaierror",
            "ssl.SSLError",
            "builtins.ImportError",
            "builtins.UnicodeDecodeError",
        ),
        *(
            "json.JSONDecodeError",
            "tomllib.TOMLDecodeError",
            "csv.Error",
            "zlib.error",
            "zipfile.BadZipFile",
        ),
        *(
            "sqlite3.Error",
            "redis.ConnectionError",
            "redis.TimeoutError",
            "httpx.NetworkError",
        ),
        *(
            "duckdb.ParserException",
            "duckdb.BinderException",
            "duckdb.CatalogException",
        ),
        *(
            "duckdb.PermissionException",
            "duckdb.OutOfMemoryException",
            "duckdb.InterruptException",
        ),
    }
)
"""Errors whose text names files, hosts, positions and a person's input, and quotes no
answer and no row.
"""
SPEAKING_STATES = ("08", "25", "28", "3D", "40", "42", "53", "55", "57", "58")
"""PostgreSQL's error classes about the connection, the account, names and resources:
none is about data.
"""
MOST = 300


class Defect(Exception):
    """An error that nothing expects, as logs and Prefect may have it."""


def prefect_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """The errors of Prefect's client, and others: its own, and those of httpx, or of
    httpx2 once it is built on that.

    The two have no class in common: the one in use stands above Prefect's own error of
    an HTTP status.
    """
    from prefect.exceptions import (
        PrefectException,
        PrefectHTTPStatusError,
    )  # loads Prefect

    below = (
        kind for kind in PrefectHTTPStatusError.__mro__ if kind.__name__ == "HTTPError"
    )
    return PrefectException, *below, *others


def words_of(error: BaseException) -> str:
    """The text of an error that may be shown: our own words, a text that can't quote
    data, or else its type.
    """
    error = _inmost(error)
    text = str(error) if is_ours(error) else _first_line(_text_of(error))
    return text or type(error).__name__


def is_ours(error: BaseException) -> bool:
    """Whether our own code wrote the error's message."""
    return type(error).__module__.partition(".")[0] in OURS


def shut(error: BaseException) -> BaseException:
    """The error with its traceback, without words that may not be shown; causes with
    such words are dropped.
    """
    if not _may_be_shown(error):
        messages = dict.fromkeys((type(error).__name__, words_of(error)))
        return Defect(": ".join(messages)).with_traceback(error.__traceback__)
    for name in ("__cause__", "__context__"):
        if (behind := getattr(error, name)) is not None and shut(behind) is not behind:
            setattr(error, name, None)
    return error


def traceback_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(shut(error)))


def shut_logs() -> None:
    """From now on every error in a log of this process, of any logger, is `shut`."""
    former = logging.getLogRecordFactory()
    if isinstance(former, _Shutting):
        return
    logging.setLogRecordFactory(_Shutting(former))


class _Shutting:
    def __init__(self, former: Callable[..., logging.LogRecord]) -> None:
        self._former = former

    def __call__(self, *args: Any, **named: Any) -> logging.LogRecord:
        record = self._former(*args, **named)
        if record.exc_info and (error := record.exc_info[1]):
            error = shut(error)
            record.exc_info = (type(error), error, error.__traceback__)
        if isinstance(record.args, tuple):
            record.args = tuple(
                words_of(arg) if isinstance(arg, BaseException) else arg
                for arg in record.args
            )
        return record


def _may_be_shown(error: BaseException) -> bool:
    of_system = isinstance(error, OSError) and error.errno is not None
    return (
        not isinstance(error, Exception)
        or is_ours(error)
        or of_system
        or bool(_names(error) & SPEAKING)
    )


def _inmost(error: BaseException) -> BaseException:
    """The error that SQLAlchemy or urllib have wrapped."""
    for name in ("orig", "reason"):
        if isinstance(wrapped := getattr(error, name, None), BaseException):
            return _inmost(wrapped)
    return error


def _names(error: BaseException) -> set[str]:
    """The public names of its kinds: of the package, not of the module in it. httpx2
    has the names of httpx.
    """
    packages = (
        (kind.__module__.partition(".")[0].lstrip("_"), kind.__qualname__)
        for kind in type(error).__mro__
    )
    return {
        f"{package.replace('httpx2', 'httpx')}.{name}" for package, name in packages
    }


def _text_of(error: BaseException) -> str:
    names = _names(error)
    for name, text in TEXTS.items():
        if name in names:
            return text(error)
    return str(error) if names & SPEAKING else ""


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip()[:MOST]


def _of_system(error: Any) -> str:
    if error.errno is None:
        return ""
    return os.strerror(error.errno) + (f": {error.filename}" if error.filename else "")


def _of_postgresql(error: Any) -> str:
    """The server's message without its detail, which quotes rows; the whole text for a
    failed connection.
    """
    if error.sqlstate is None:
        return str(error) if "psycopg.OperationalError" in _names(error) else ""
    return (
        str(error.diag.message_primary or "")
        if error.sqlstate.startswith(SPEAKING_STATES)
        else ""
    )


def _of_pydantic(error: Any) -> str:
    faults = error.errors(include_url=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ")
        for fault in faults
    )


TEXTS: Mapping[str, Callable[[Any], str]] = {
    "socket.gaierror": lambda error: str(error.strerror),
    "ssl.SSLError": lambda error: str(error.strerror),
    "builtins.OSError": _of_system,
    "psycopg.Error": _of_postgresql,
    "httpx.HTTPStatusError": lambda error: f"HTTP {error.response.status_code}",
    "httpx.NetworkError": lambda error: re.sub(r"^\[Errno -?\d+\] ", "", str(error)),
    "xml.ParseError": lambda error: "no XML at line {}, column {}".format(
        *error.position
    ),
    "pydantic_core.ValidationError": _of_pydantic,
}
"""The part that may be shown of errors whose whole text may not."""
