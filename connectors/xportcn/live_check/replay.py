"""A recording, read by the connector's readers without network: what would they say to these answers?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.foreign import words_of
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.envelope import open_envelope, read_json
from connectors.xportcn.live_check.examination import Checked, Conformance
from connectors.xportcn.operations import Call, catalogue


class NoRecording(Exception):
    """A folder without a recorded answer; the message says what belongs there."""


def replayed(folder: Path, client: XportcnClient) -> list[Checked]:
    """The result of each recorded answer of a folder, by file. Raises `NoRecording`.

    A file has the path of its operation, and `answer`, an envelope's data, or `response`, the whole envelope. Other
    files are left alone.
    """
    try:
        recorded = [read_json(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    except (OSError, ValueError, RecursionError) as error:
        raise NoRecording(f"{folder}: a file that can't be read as JSON: {words_of(error)}") from error
    found = [checked for one in recorded if isinstance(one, Mapping) and (checked := _checked(one, client))]
    if not found:
        raise NoRecording(f"{folder} has no answers: it is a folder of sourcing doctor --live --record")
    return found


def _checked(recorded: Mapping[str, Any], client: XportcnClient) -> Checked | None:
    call = _operation(recorded, client)
    if call is None or not {"answer", "response"} & recorded.keys():
        return None
    override = client.overrides.of(call)
    checked = Checked(override.operation, Conformance.MATCHES, overridden=call in client.overrides)
    checked.answer = recorded.get("answer")
    if "response" in recorded:
        envelope = open_envelope(json.dumps(recorded["response"], default=float).encode())
        if envelope is None or not envelope.ok:
            checked.verdict = Conformance.REFUSED if envelope else Conformance.NO_ANSWER
            checked.code, checked.words = (envelope.code, envelope.words) if envelope else ("", "no envelope")
            return checked
        checked.answer = envelope.data
    checked.add_answer(call, override.response.to_contract(checked.answer), client.bounds_of(call))
    if checked.comparison.differences and not checked.comparison.unread:
        checked.verdict = Conformance.READ
    return checked


def _operation(recorded: Mapping[str, Any], client: XportcnClient) -> Call[Any, Any] | None:
    """The operation by its name, else by method and path, as the contract has them or as they are called."""
    calls = [one for one in catalogue() if isinstance(one, Call)]
    named = {one.name: one for one in calls}
    if one := named.get(str(recorded.get("name"))):
        return one
    wanted = (str(recorded.get("method")), str(recorded.get("path")))
    as_called = {(str(now.method), now.path): one for one in calls if (now := client.overrides.of(one).operation)}
    return ({(str(one.method), one.path): one for one in calls} | as_called).get(wanted)
