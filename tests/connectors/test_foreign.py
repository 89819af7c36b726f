"""What may be told of errors that other programs raise, and that all of them pass this
one door.
"""

from __future__ import annotations

import ast
import errno
import json
import logging
import socket
import sqlite3
import ssl
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import duckdb
import httpx
import psycopg
import pyarrow as pa
import pytest
from prefect.exceptions import ObjectNotFound
from pydantic import BaseModel
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import ResponseError
from sqlalchemy.exc import IntegrityError

from connectors.foreign import (
    OURS,
    Defect,
    prefect_errors,
    shut,
    shut_logs,
    traceback_of,
    words_of,
)
from connectors.ledger.engine import LedgerUnusable, open_engine
from connectors.request_files.decoding import Malformed
from tests.postgres import Postgres
from tests.running import ROOT

JANE = "Jane Doe, 5083326888"


class Line(BaseModel):
    quantity: int


def raised(act: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        act()
    return caught.value


def of_httpx2(name: str, **has: object) -> type[Exception]:
    """A class as the successor of httpx has it, by the name that it has there."""
    return type(name, (Exception,), {"__module__": "httpx2", **has})


def of_http(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://127.0.0.1")
    return httpx.HTTPStatusError(
        JANE, request=request, response=httpx.Response(status, text=JANE)
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LedgerUnusable("the ledger is full"), "the ledger is full"),
        (Malformed("a tag has no end"), "a tag has no end"),
        (ValueError(JANE), "ValueError"),
        (KeyError(JANE), "KeyError"),
        (OSError(errno.ENOSPC, JANE, "/data/ledger.db"), "No space left on device: /data/ledger.db"),
        (OSError(JANE), "OSError"),
        (pa.ArrowInvalid(JANE), "ArrowInvalid"),
        (httpx.ConnectError("Connection refused"), "Connection refused"),
        (httpx.ReadError("Connection reset by peer"), "Connection reset by peer"),
        (httpx.RemoteProtocolError(JANE), "RemoteProtocolError"),
        (httpx.DecodingError(JANE), "DecodingError"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (URLError(ConnectionRefusedError(errno.ECONNREFUSED, "x")), "Connection refused"),
        (ssl.SSLError(1, "certificate verify failed"), "certificate verify failed"),
        (of_http(404), "HTTP 404"),
        (of_httpx2("HTTPStatusError", response=of_http(503).response)(JANE), "HTTP 503"),
        (RedisGone("Error 111 connecting to 127.0.0.1:1"), "Error 111 connecting to 127.0.0.1:1"),
        (ResponseError(JANE), "ResponseError"),
        (sqlite3.OperationalError("database or disk is full"), "database or disk is full"),
        (raised(lambda: json.loads(f'{{"a": {JANE}')), "Expecting value: line 1 column 7 (char 6)"),
        (raised(lambda: tomllib.loads("= 1")), "Invalid statement (at line 1, column 1)"),
        (raised(lambda: duckdb.execute(f"select cast('{JANE}' as int)")), "ConversionException"),
        (raised(lambda: Line.model_validate({"quantity": JANE})), "quantity: Input should be a valid integer, "
         "unable to parse string as an integer"),
        (IntegrityError("INSERT", {"name": JANE}, sqlite3.IntegrityError("UNIQUE constraint failed: orders.order_ref")),
         "UNIQUE constraint failed: orders.order_ref"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)  # fmt: skip
def test_only_what_can_quote_nothing_is_told(error: Exception, words: str) -> None:
    assert words_of(error) == words


def test_errors_of_prefects_client_are_those_of_the_library_that_it_is_built_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    above = of_httpx2("HTTPError")
    assert [
        issubclass(kind, prefect_errors())
        for kind in (httpx.ConnectError, ObjectNotFound, above)
    ] == [1, 1, 0]
    monkeypatch.setattr(
        "prefect.exceptions.PrefectHTTPStatusError",
        type("PrefectHTTPStatusError", (above,), {}),
    )
    assert [issubclass(kind, prefect_errors()) for kind in (ObjectNotFound, above)] == [
        1,
        1,
    ]


def test_postgresql_names_what_is_wrong_and_no_row(postgres: Postgres) -> None:
    with psycopg.connect(url := postgres.new_database(), autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE people (name text PRIMARY KEY, age int NOT NULL)"
        )
        connection.execute("INSERT INTO people VALUES (%s, 1)", [JANE])

        def told(statement: str, *values: object) -> str:
            return words_of(raised(lambda: connection.execute(statement, values)))

        assert told("INSERT INTO people VALUES (%s, 1)", JANE) == "UniqueViolation"
        assert (
            told("INSERT INTO people VALUES (%s, NULL)", f"{JANE}!")
            == "NotNullViolation"
        )
        assert told("SELECT cast(%s AS int)", JANE) == "InvalidTextRepresentation"
        assert told("SELECT * FROM orders") == 'relation "orders" does not exist'
    removed = words_of(raised(lambda: psycopg.connect(f"{url}_missing")))
    assert removed.endswith(
        f'database "{url.rpartition("/")[2]}_missing" does not exist'
    )


def test_an_error_for_logs_has_nothing_foreign_behind_it_either() -> None:
    def act() -> None:
        try:
            raise ValueError(JANE)
        except ValueError as error:
            raise LedgerUnusable("it is full") from error

    message = traceback_of(raised(act))
    assert "LedgerUnusable: it is full" in message
    assert JANE not in message
    defect = shut(raised(lambda: [][int("7")]))
    assert (type(defect), str(defect)) == (Defect, "IndexError")
    assert "raised(lambda" in traceback_of(defect)


def test_logs_of_whatever_program_are_shut(caplog: pytest.LogCaptureFixture) -> None:
    shut_logs()
    try:
        raise KeyError(JANE)
    except KeyError as error:
        logging.getLogger("asyncio").exception("not retrieved: %s", error)
    assert "not retrieved: KeyError" in caplog.text
    assert JANE not in caplog.text


def test_a_ledger_that_can_not_be_opened_is_told_as_before(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database at all, " * 100)
    with pytest.raises(
        LedgerUnusable, match=r"\(file is not a database\): keep the damaged file"
    ):
        open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")


OWN_VALUE_ERRORS = frozenset(
    {
        *(
            "cli/failures.py",
            "cli/failures.py",
            "connectors/request_files/decoding.py",
            "connectors/settings.py",
        ),
        *(
            "connectors/snapshots/rows.py",
            "connectors/xportcn/client.py",
            "connectors/xportcn/envelope.py",
        ),
        *(
            "connectors/credentials_block.py",
            "flows/prefect_ui/parameters.py",
            "flows/prefect_ui/remedy_parameters.py",
        ),
        *("domain/sku_book.py", "domain/cell_table.py", "domain/request_files.py"),
    }
)
"""Where a `ValueError` is what our own check of one value has raised a line before; its
text is looked at or told.
"""
HARMLESS = frozenset(
    {
        ("connectors/ledger/engine.py", "str(error)"),
        ("connectors/ledger/verify.py", "str(error)"),
        ("connectors/snapshots/reader.py", "str(error)"),
        ("connectors/snapshots/frames.py", "{error}"),
    }
)
"""Where a foreign text is searched for a sign and goes no further, or comes of a trial
on a table without rows.
"""


def test_no_other_text_of_a_foreign_error_is_told() -> None:
    """`words_of` is the door: without it a caught error of another program comes into
    no text and no log.
    """
    files = [
        path
        for folder in sorted(OURS)
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in files}
    own = {
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    assert [
        f"{file}:{line}: {used}"
        for file, tree in trees.items()
        for handler in ast.walk(tree)
        if isinstance(handler, ast.ExceptHandler)
        and handler.name
        and not caught(handler) <= allowed(file, own)
        for line, used in told_of(handler)
        if (file, used) not in HARMLESS
    ] == []


def allowed(file: str, ours: set[str]) -> set[str]:
    return ours | ({"ValueError"} if file in OWN_VALUE_ERRORS else set())


def caught(handler: ast.ExceptHandler) -> set[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind).rpartition(".")[2] for kind in kinds if kind}


def told_of(handler: ast.ExceptHandler) -> Iterator[tuple[int, str]]:
    """Where the caught error itself becomes text."""
    for node in (inner for inner in ast.walk(handler) if isinstance(inner, ast.expr)):
        inputs: list[ast.expr] = []
        if isinstance(node, ast.FormattedValue):
            inputs = [node.value]
        elif isinstance(node, ast.Call) and is_telling(node):
            inputs = [*node.args, *(keyword.value for keyword in node.keywords)]
        pieces = [
            piece
            for item in inputs
            for piece in ast.walk(item)
            if isinstance(item, ast.Name | ast.BoolOp)
        ]
        if any(
            isinstance(piece, ast.Name) and piece.id == handler.name for piece in pieces
        ):
            yield node.lineno, ast.unparse(node)


def is_telling(call: ast.Call) -> bool:
    name: Any = ast.unparse(call.func)
    logs = ("debug", "info", "warning", "error", "exception", "critical")
    return name in ("str", "repr", "print", "format") or name.rpartition(".")[2] in logs
