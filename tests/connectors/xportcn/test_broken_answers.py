"""What a broken answer holds stays out of errors, logs and tracebacks: these go into
ledger, tables and Prefect.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
import warnings

import pytest

from connectors.foreign import shut_logs
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import XportcnError
from tests.connectors.xportcn.broken_answers import BROKEN, PLANTED
from tests.connectors.xportcn.fake_service import raw_server
from tests.connectors.xportcn.orders import client_of
from tests.connectors.xportcn.test_client import pay, read


async def words_of_case(answer: bytes) -> str:
    """All that a read and a payment leave behind that are answered so."""
    notices: list[str] = []
    for call in (read, pay):
        async with (
            raw_server(answer) as server,
            client_of(server.url, retries=0, timeout_s=5) as client,
        ):
            notices.append(await failure_of(call, client))
    return "\n".join(notices)


async def failure_of(call: object, client: XportcnClient) -> str:
    try:
        await call(client)  # type: ignore[operator]
    except XportcnError as error:
        return "\n".join(
            [str(error), repr(error), error.message, *traceback.format_exception(error)]
        )
    return "answered"


async def test_a_broken_answer_is_quoted_nowhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Short, long, cut, of bad chunks, in another charset, packed otherwise, of another
    protocol, not JSON.
    """
    shut_logs()
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        output = dict(
            zip(
                BROKEN,
                await asyncio.gather(*map(words_of_case, BROKEN.values())),
                strict=True,
            )
        )
        gc.collect()
        await asyncio.sleep(0)
    output["logs"] = caplog.text
    output["output"] = "".join(capfd.readouterr())
    output["warnings"] = "\n".join(
        str(warning_message.message) for warning_message in warned
    )
    quoting = {
        name: text
        for name, text in output.items()
        if any(word in text.lower() for word in PLANTED)
    }
    assert quoting == {}
