"""The run form: what it shows, and what it refuses before a run begins."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.utilities.schema_tools import ValidationError as SchemaError
from prefect.utilities.schema_tools import validate

from flows.inbox import source_inbox
from flows.parameters import BadInput, Limits, Requests
from flows.source_orders import source_orders

SCHEMA = source_orders.parameters.model_dump()


def refused(parameters: dict[str, Any]) -> bool:
    """Whether the server that validates a form's input refuses these parameters."""
    try:
        validate(parameters, SCHEMA, raise_on_error=True)
    except SchemaError:
        return True
    return False


def test_every_field_has_a_title_of_words_and_a_description() -> None:
    """Nothing of the form shows a bare parameter name."""
    fields = {name: field for name, field in SCHEMA["properties"].items() if "$ref" not in field}
    for section in SCHEMA["definitions"].values():
        assert section["description"]
        fields |= section["properties"]
    assert set(fields) == {
        *("dry_run", "yes", "batch", "file", "lines", "encoding", "budget_cny", "done_by"),
        *("chunk_size", "concurrency"),
    }
    for name, field in fields.items():
        assert field["title"] != name
        assert len(field["description"]) > 20
    titles = [SCHEMA["properties"][name]["title"] for name in ("requests", "limits", "speed")]
    assert titles == ["What to buy", "Limits of this run", "Chunks and speed"]


def test_a_run_started_by_hand_buys_nothing_unless_told_to() -> None:
    """The defaults: a dry run, and not approved beforehand."""
    assert (SCHEMA["properties"]["dry_run"]["default"], SCHEMA["properties"]["yes"]["default"]) == (True, False)
    assert SCHEMA["required"] == ["requests"]


@pytest.mark.parametrize(
    ("parameters", "is_refused"),
    [
        ({"requests": {"file": "orders.csv"}}, False),
        ({"requests": {"file": "C:\\in\\Orders 1.XLSX"}}, False),
        ({"requests": {"file": "orders.ods"}}, True),
        ({"requests": {"lines": "order_ref\titem\nA\t1"}, "batch": "week-47.b"}, False),
        ({"requests": {"lines": "x"}, "batch": "week 47"}, True),
        ({"requests": {"lines": "x"}, "limits": {"budget_cny": "99.50"}}, False),
        ({"requests": {"lines": "x"}, "limits": {"budget_cny": "0.01"}}, False),
        ({"requests": {"lines": "x"}, "limits": {"budget_cny": "0"}}, True),
        ({"requests": {"lines": "x"}, "limits": {"budget_cny": "0.00"}}, True),
        ({"requests": {"lines": "x"}, "limits": {"budget_cny": "-3"}}, True),
        ({"requests": {"lines": "x"}, "limits": {"budget_cny": "1.234"}}, True),
        ({"requests": {"lines": "x"}, "limits": {"budget_cny": "a lot"}}, True),
        ({"requests": {"lines": "x"}, "speed": {"chunk_size": 1001}}, True),
        ({"requests": {"lines": "x"}, "speed": {"concurrency": -1}}, True),
        ({"requests": {"path": "orders.csv"}}, True),
        ({}, True),
    ],
)
def test_the_server_refuses_what_the_form_does_not_allow(parameters: dict[str, Any], is_refused: bool) -> None:  # noqa: FBT001
    """The schema says it, so a wrong form never becomes a run."""
    assert refused(parameters) is is_refused


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        (Requests(), "nothing to buy: give the path or https address of a request file, or paste its lines"),
        (Requests(lines=" \n"), "nothing to buy: give the path or https address of a request file, or paste its lines"),
        (Requests(file="a.csv", lines="b"), "give a request file or pasted lines, not both"),
    ],
)
def test_what_a_schema_can_not_say_is_said_in_words(requests: Requests, message: str) -> None:
    """Exactly one of file and lines."""
    with pytest.raises(BadInput) as failure:
        requests.check()
    assert str(failure.value) == message


def test_a_budget_is_whole_fen_above_nothing() -> None:
    """The model refuses what a caller without a form might pass."""
    assert Limits(budget_cny="12.5").budget_cny == "12.5"
    with pytest.raises(ValueError, match="should match pattern"):
        Limits(budget_cny="0")


def test_the_nightly_form_has_defaults_for_everything() -> None:
    """A schedule starts it without any parameter, approved beforehand."""
    schema = source_inbox.parameters.model_dump()
    assert "required" not in schema or schema["required"] == []
    assert {name: field["default"] for name, field in schema["properties"].items()} == {
        "inbox": "inbox",
        "yes": True,
        "budget_cny": "",
        "chunk_size": 0,
        "concurrency": 0,
        "quiet_s": 10,
        "done_by": "",
    }
