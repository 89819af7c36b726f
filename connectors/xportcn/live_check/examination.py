"""Going live: make every call that changes nothing, and compare each answer with the
contract; and what of it is kept.

Ids of one answer feed the next call: search, product, preview, freight, orders, their
details. A call that changes anything is never made, an effect least of all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from connectors.foreign import words_of
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.envelope import open_envelope, read_json
from connectors.xportcn.errors import Misconfigured, NotSent, Refused, XportcnError
from connectors.xportcn.live_check.asking import (
    KEYWORDS,
    LearnedIds,
    NothingToAskWith,
    marketplace_of,
    request_for,
)
from connectors.xportcn.live_check.comparing import (
    AnswerComparison,
    Difference,
    Mismatch,
    compare,
)
from connectors.xportcn.models import Request
from connectors.xportcn.operations import catalogue
from connectors.xportcn.operations.operation import Call, Callback, Operation, ReadCall
from connectors.xportcn.overrides import renamed
from connectors.xportcn.wire import Bounds

NO_PATH = (404, 405)
BAD_REQUEST = "40001"
WRONG_LOGISTICS_SIGN = "40106"


class Conformance(StrEnum):
    """The outcome of one operation."""

    MATCHES = "matches"
    DIFFERS = "differs"
    READ = "read"  # of a recording: not as the contract has it, and read all the same
    REFUSED = "refused"  # refused in the service's own words; its answer could not be compared
    PATH_UNKNOWN = "path unknown"
    NO_ANSWER = "no answer"
    SKIPPED = "skipped"


class NeverAsked(StrEnum):
    """Why an operation is never called by a check."""

    EFFECT = "an effect: it spends, promises or tells"
    WRITE = "it writes, though it can be repeated"
    CALLBACK = "the service calls us"


WELL = frozenset(
    {Conformance.MATCHES, Conformance.READ, Conformance.REFUSED, Conformance.SKIPPED}
)


@dataclass
class Checked:
    """The result of an operation; `operation` is as it was called, overrides included.

    `reason` is why it was skipped or not answered. `request` and `answer` are as they
    travelled, for recordings; `data` is the answer in the contract's names.
    """

    operation: Operation
    verdict: Conformance
    comparison: AnswerComparison = field(default_factory=AnswerComparison)
    code: str = ""
    words: str = ""
    reason: str = ""
    overridden: bool = False
    request: Any = None
    answer: Any = None
    data: Any = None

    def add_answer(self, call: Call[Any, Any], data: Any, bounds: Bounds) -> None:
        """Compare an answer, in the contract's names."""
        self.data, self.comparison = data, compare(call, data, bounds)
        if self.comparison.differences:
            self.verdict = Conformance.DIFFERS


class Examination:
    """One round over the catalogue, on one client."""

    def __init__(
        self,
        client: XportcnClient,
        *,
        on_checked: Callable[[Checked], None] = lambda checked: None,
    ) -> None:
        self._client = client
        self._facts = LearnedIds()
        self._on_checked = on_checked
        self._checked: dict[Operation, Checked] = {}

    async def all(self) -> list[Checked]:
        """The result of each operation of the catalogue, in its order.

        Raises `Misconfigured` when the account is not accepted and `NotSent` when
        nothing answers: all further calls would fail alike.
        """
        waiting: list[ReadCall[Any, Any]] = []
        for operation in sorted(
            catalogue(), key=lambda one: one.group != "Basics"
        ):  # previews need addresses
            if isinstance(operation, ReadCall) and operation.is_read_only:
                waiting.append(operation)
            else:
                self._found(
                    operation, Conformance.SKIPPED, reason=_reason_to_skip(operation)
                )
        missing: dict[ReadCall[Any, Any], str] = dict.fromkeys(waiting, "")
        while waiting:
            missing = {
                call: field for call in waiting if (field := await self._ask(call))
            }
            if len(missing) == len(waiting):
                break
            waiting = [*missing]
        for call, field in missing.items():
            self._found(call, Conformance.SKIPPED, reason=f"no {field} to ask with")
        return [self._checked[operation] for operation in catalogue()]

    async def _ask(self, call: ReadCall[Any, Any]) -> str:
        """Make one call, or answer which required field has no value yet."""
        try:
            request = request_for(call, self._facts, keyword=KEYWORDS[0])
        except NothingToAskWith as nothing:
            return nothing.field
        checked = await self._answered(call, request)
        for keyword in KEYWORDS[1:] if _has_keyword(call) else ():
            if (
                checked.verdict is not Conformance.MATCHES
                or not checked.comparison.empty
            ):
                break
            checked = await self._answered(
                call, request_for(call, self._facts, keyword=keyword)
            )
        self._checked[call] = checked
        self._on_checked(checked)
        return ""

    async def _answered(self, call: ReadCall[Any, Any], request: Request) -> Checked:
        override = self._client.overrides[call]
        checked = Checked(
            override.operation,
            Conformance.MATCHES,
            overridden=call in self._client.overrides,
            request=renamed(
                request.model_dump(mode="json", by_alias=True, exclude_none=True),
                override.request,
                reading=False,
            ),
        )
        try:
            answer = await self._client.read(
                replace(call, response=object), request
            )  # a reader stops at a fault
        except XportcnError as error:
            _judge(checked, error)
            return checked
        checked.answer = renamed(answer, override.response, reading=False)
        checked.add_answer(call, answer, self._client.bounds_of(call))
        self._facts.learn(marketplace_of(call), answer)
        return checked

    def _found(
        self, operation: Operation, verdict: Conformance, *, reason: str
    ) -> None:
        overrides = self._client.overrides
        checked = Checked(
            overrides[operation].operation,
            verdict,
            reason=reason,
            overridden=operation in overrides,
        )
        self._checked[operation] = checked
        self._on_checked(checked)


def _reason_to_skip(operation: Operation) -> str:
    if operation.effect:
        return NeverAsked.EFFECT
    return NeverAsked.CALLBACK if isinstance(operation, Callback) else NeverAsked.WRITE


def _has_keyword(call: Call[Any, Any]) -> bool:
    return (
        "keyword" in call.request.model_fields
        and call.request.model_fields["keyword"].is_required()
    )


def _judge(checked: Checked, error: XportcnError) -> None:
    """Record what a failed call shows of the contract. Raises errors that all other
    calls would meet.
    """
    checked.code, checked.words = error.code or str(error.status or ""), error.message
    if error.status in NO_PATH or error.code in ("404", "405"):
        checked.verdict = Conformance.PATH_UNKNOWN
    elif error.code == WRONG_LOGISTICS_SIGN:
        _blame(checked, "?sign", error)
    elif error.code == BAD_REQUEST or error.status == 400:
        _blame(checked, "request", error)
    elif isinstance(error, Refused):
        checked.verdict = Conformance.REFUSED
    elif isinstance(error, Misconfigured) or (
        isinstance(error, NotSent) and error.status is None
    ):
        raise error
    else:
        checked.verdict, checked.reason = Conformance.NO_ANSWER, str(error)


def _blame(checked: Checked, path: str, error: XportcnError) -> None:
    """Record that the service does not take the request: there the contract is
    wrong.
    """
    checked.verdict = Conformance.DIFFERS
    checked.comparison.differences.append(
        Difference(path, Mismatch.NOT_ACCEPTED, "", error.message)
    )


REDACTED = "redacted"
# Compared without case and underscores. A parcel's `mailNo` is none of these.
SECRET = re.compile(
    r"secret|token|password|passwd|signature|^sign$|accesskey|^auth|cookie|session|developid|userid$"
)
CONTACT = re.compile(
    r"phone|mobile|^tel$|telephone|e?mail$|^contact|address|receiver|buyer|consignee|fullname|nick|street|"
    r"post_?code|^zip$|wechat|^qq$|idcard|taxid|loginname|loginid|memberid|remark|feedback|(?<!error)message|note"
)
NAME = re.compile(r"name$")
# Names of things and of carriers: worth keeping, and not personal.
THINGS = re.compile(
    r"(company|carrier|category|prop|value|attribute|attr|reason|brand|trademode)s?name(list)?$"
)
PLACES = {
    "name",
    "province",
    "state",
    "city",
    "district",
    "area",
    "town",
    "country",
    "zip",
    "postcode",
}
PHONE_OR_ADDRESS = re.compile(r"phone|mobile|^address$|detailaddress")
IN_TEXT = (
    re.compile(r"(?<=://)[^/\s@]+@"),
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
    re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d{9}(?!\d)"),
    re.compile(r"(?<![\w-])\+?\d{1,3}[ (-]+\d{2,4}[ )-]+\d{3,4}[ -]?\d{3,4}(?!\d)"),
    re.compile(r"(?<=[?#])\S+"),  # a link may carry a token
)
# Shorter words stand in harmless texts too: "US" in "USD".
LEAST_ASCII, LEAST_CHINESE = 4, 2


def save_sample(
    folder: Path, checked: Checked, *, secrets: tuple[str, ...]
) -> Path | None:
    """Write request and answer of one call, redacted; None when there was no answer."""
    if checked.answer is None:
        return None
    operation = checked.operation
    told = redacted(
        {"request": checked.request, "answer": checked.answer}, secrets=secrets
    )
    sample = {
        "nav": operation.nav,
        "name": operation.name,
        "method": operation.method,
        "path": operation.path,
        **told,
    }
    folder.mkdir(parents=True, exist_ok=True)
    number = "none" if operation.nav is None else f"{operation.nav:02d}"
    file = (
        folder
        / f"{number}-{re.sub(r'[^A-Za-z0-9]+', '-', operation.path).strip('-')}.json"
    )
    text = json.dumps(sample, ensure_ascii=False, indent=2, default=_plain)
    file.write_text(f"{text}\n", encoding="utf-8")
    return file


def redacted(content: Any, *, secrets: tuple[str, ...] = ()) -> Any:
    """A copy of equal shape; personal texts are also taken out of other texts that
    repeat them.
    """
    words = {secret for secret in secrets if secret}

    def noted(text: str, hidden: bool) -> str:  # noqa: FBT001
        if hidden and len(text) >= (LEAST_ASCII if text.isascii() else LEAST_CHINESE):
            words.add(text)
        return text

    def shown(text: str, hidden: bool) -> str:  # noqa: FBT001
        if hidden:
            return REDACTED if text else ""
        for word in sorted(words, key=len, reverse=True):
            text = text.replace(word, REDACTED)
        for pattern in IN_TEXT:
            text = pattern.sub(REDACTED, text)
        return text

    _each_text(content, noted)
    return _each_text(content, shown)


def _each_text(
    content: Any, change: Callable[[str, bool], str], *, hidden: bool = False
) -> Any:
    """A copy with each text changed, also those in JSON within a text; numbers of
    `hidden` fields become 0.
    """
    if isinstance(content, Mapping):
        return {
            key: _each_text(value, change, hidden=_hides(key, content, hidden))
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [_each_text(entry, change, hidden=hidden) for entry in content]
    if isinstance(content, str):
        if (inner := _inner(content)) is None:
            return change(content, hidden)
        return json.dumps(
            _each_text(inner, change, hidden=hidden), ensure_ascii=False, default=_plain
        )
    return (
        0
        if hidden and content is not None and not isinstance(content, bool)
        else content
    )


def _hides(key: str, around: Mapping[str, Any], hidden: bool) -> bool:  # noqa: FBT001
    plain = key.replace("_", "").lower()
    if hidden or SECRET.search(plain) or CONTACT.search(plain):
        return True
    if plain in PLACES and any(
        PHONE_OR_ADDRESS.search(other.replace("_", "").lower()) for other in around
    ):
        return True
    return plain != "name" and bool(NAME.search(plain)) and not THINGS.search(plain)


def _inner(text: str) -> Any | None:
    """The content of a text that is JSON; None for any other text."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} in a sample")


class NoRecording(Exception):
    """A folder without a recorded answer; the message says what belongs there."""


def replayed(folder: Path, client: XportcnClient) -> list[Checked]:
    """The result of each recorded answer of a folder, by file. Raises `NoRecording`.

    A file has the path of its operation, and `answer`, an envelope's data, or
    `response`, the whole envelope. Other files are left alone.
    """
    try:
        recorded = [
            read_json(file.read_text(encoding="utf-8"))
            for file in sorted(folder.glob("*.json"))
        ]
    except (OSError, ValueError, RecursionError) as error:
        raise NoRecording(
            f"{folder}: a file that can't be read as JSON: {words_of(error)}"
        ) from error
    found = [
        checked
        for one in recorded
        if isinstance(one, Mapping) and (checked := _checked(one, client))
    ]
    if not found:
        raise NoRecording(
            f"{folder} has no answers: it is a folder of sourcing doctor --live --record"
        )
    return found


def _checked(recorded: Mapping[str, Any], client: XportcnClient) -> Checked | None:
    call = _operation(recorded, client)
    if call is None or not {"answer", "response"} & recorded.keys():
        return None
    override = client.overrides[call]
    checked = Checked(
        override.operation, Conformance.MATCHES, overridden=call in client.overrides
    )
    checked.answer = recorded.get("answer")
    if "response" in recorded:
        envelope = open_envelope(
            json.dumps(recorded["response"], default=float).encode()
        )
        if envelope is None or not envelope.ok:
            checked.verdict = Conformance.REFUSED if envelope else Conformance.NO_ANSWER
            checked.code, checked.words = (
                (envelope.code, envelope.words) if envelope else ("", "no envelope")
            )
            return checked
        checked.answer = envelope.data
    checked.add_answer(
        call,
        renamed(checked.answer, override.response, reading=True),
        client.bounds_of(call),
    )
    if checked.comparison.differences and not checked.comparison.unread:
        checked.verdict = Conformance.READ
    return checked


def _operation(
    recorded: Mapping[str, Any], client: XportcnClient
) -> Call[Any, Any] | None:
    """The operation by its name, else by method and path, as the contract has them or
    as they are called.
    """
    calls = [one for one in catalogue() if isinstance(one, Call)]
    named = {one.name: one for one in calls}
    if one := named.get(str(recorded.get("name"))):
        return one
    wanted = (str(recorded.get("method")), str(recorded.get("path")))
    as_called = {
        (str(now.method), now.path): one
        for one in calls
        if (now := client.overrides[one].operation)
    }
    return ({(str(one.method), one.path): one for one in calls} | as_called).get(wanted)
