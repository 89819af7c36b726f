"""Both envelopes, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.xportcn.envelope import open_envelope


def opened(body: Any) -> tuple[str, str, str, bool, Any]:
    envelope = open_envelope(json.dumps(body).encode())
    assert envelope is not None
    return (
        envelope.code,
        envelope.words,
        envelope.request_id,
        envelope.ok,
        envelope.data,
    )


def test_envelope_a() -> None:
    """`code/msg/data/requestId`, as most operations answer."""
    body = {
        "requestId": "abc",
        "code": 200,
        "developId": 1,
        "msg": "成功",
        "data": {"x": 1},
    }
    assert opened(body) == ("200", "成功", "abc", True, {"x": 1})


def test_envelope_b() -> None:
    """`errorCode/errorMsg/success/data`, as the logistics operations answer."""
    assert opened(
        {"errorCode": 200, "errorMsg": None, "success": True, "data": []}
    ) == ("200", "", "", True, [])


def test_code_and_words_alone_are_an_envelope() -> None:
    """The address upsert answers nothing else."""
    assert opened({"code": "200", "msg": "ok"}) == ("200", "ok", "", True, None)


@pytest.mark.parametrize("said", [None, True, "true", 1, "Y"])
def test_a_yes_beside_the_code_is_one_in_any_form(said: object) -> None:
    """So is the code as another number."""
    assert opened({"code": 200.0, "success": said, "data": {}})[3]


@pytest.mark.parametrize(
    "body",
    [
        {"code": 40401, "msg": "gone", "data": None},
        {"errorCode": "42001", "errorMsg": "no", "success": False, "data": None},
        {"errorCode": 200, "errorMsg": "no", "success": False, "data": {}},
        {"code": 200, "success": 0, "data": {}},
        {"code": 200, "success": "false", "data": {}},
        {"code": 200.5, "data": {}},
    ],
)
def test_anything_but_a_clean_success_is_not_ok(body: Any) -> None:
    """Another code, or success false, is a no."""
    assert not opened(body)[3]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"data": 1}',
        b'{"code": null}',
        b'{"code": true}',
        b"\xff\xfe",
        b"[" * 9999,
        b'{"code": 200, "data": NaN}',
        b'{"code": 200',
    ],
)
def test_what_is_no_envelope(body: bytes) -> None:
    """Not JSON, no object, no code, or cut short: none of it counts as an answer."""
    assert open_envelope(body) is None


def test_ids_of_nineteen_digits_stay_exact() -> None:
    """Neither a whole number nor one written with a point loses a digit."""
    envelope = open_envelope(
        b'{"code": 200, "data": [2542285634920880794, 2542285634920880794.0]}'
    )
    assert envelope is not None
    assert [str(number) for number in envelope.data] == [
        "2542285634920880794",
        "2542285634920880794.0",
    ]
