"""Going live: make every call that changes nothing, and compare each answer with the contract.

Ids of one answer feed the next call: search, product, preview, freight, orders, their details. A call that changes
anything is never made, an effect least of all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Misconfigured, NotSent, Refused, XportcnError
from connectors.xportcn.live_check.asking import KEYWORDS, LearnedIds, NothingToAskWith, marketplace_of, request_for
from connectors.xportcn.live_check.comparing import AnswerComparison, Difference, Mismatch, compare
from connectors.xportcn.operations import Call, Callback, Operation, ReadCall, catalogue
from connectors.xportcn.wire import Bounds, Request

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


WELL = frozenset({Conformance.MATCHES, Conformance.READ, Conformance.REFUSED, Conformance.SKIPPED})


@dataclass
class Checked:
    """The result of an operation; `operation` is as it was called, overrides included.

    `reason` is why it was skipped or not answered. `request` and `answer` are as they travelled, for recordings;
    `data` is the answer in the contract's names.
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

    def __init__(self, client: XportcnClient, *, on_checked: Callable[[Checked], None] = lambda checked: None) -> None:
        self._client = client
        self._facts = LearnedIds()
        self._on_checked = on_checked
        self._checked: dict[Operation, Checked] = {}

    async def all(self) -> list[Checked]:
        """The result of each operation of the catalogue, in its order.

        Raises `Misconfigured` when the account is not accepted and `NotSent` when nothing answers: all further calls
        would fail alike.
        """
        waiting: list[ReadCall[Any, Any]] = []
        for operation in sorted(catalogue(), key=lambda one: one.group != "Basics"):  # previews need addresses
            if isinstance(operation, ReadCall) and operation.is_read_only:
                waiting.append(operation)
            else:
                self._found(operation, Conformance.SKIPPED, reason=_reason_to_skip(operation))
        while waiting:
            left = [call for call in waiting if not await self._asked(call)]
            if len(left) == len(waiting):
                break
            waiting = left
        for call in waiting:
            self._give_up(call)
        return [self._checked[operation] for operation in catalogue()]

    async def _asked(self, call: ReadCall[Any, Any]) -> bool:
        """Make one call, unless a required id is still missing."""
        try:
            request = request_for(call, self._facts, keyword=KEYWORDS[0])
        except NothingToAskWith:
            return False
        checked = await self._answered(call, request)
        for keyword in KEYWORDS[1:] if _has_keyword(call) else ():
            if checked.verdict is not Conformance.MATCHES or not checked.comparison.empty:
                break
            checked = await self._answered(call, request_for(call, self._facts, keyword=keyword))
        self._checked[call] = checked
        self._on_checked(checked)
        return True

    def _give_up(self, call: ReadCall[Any, Any]) -> None:
        try:
            request_for(call, self._facts, keyword=KEYWORDS[0])
        except NothingToAskWith as nothing:
            self._found(call, Conformance.SKIPPED, reason=f"no {nothing.field} to ask with")

    async def _answered(self, call: ReadCall[Any, Any], request: Request) -> Checked:
        override = self._client.overrides.of(call)
        checked = Checked(
            override.operation,
            Conformance.MATCHES,
            overridden=call in self._client.overrides,
            request=override.request.to_service(request.model_dump(mode="json", by_alias=True, exclude_none=True)),
        )
        try:
            answer = await self._client.read(replace(call, response=object), request)  # a reader stops at a fault
        except XportcnError as error:
            _judge(checked, error)
            return checked
        checked.answer = override.response.to_service(answer)
        checked.add_answer(call, answer, self._client.bounds_of(call))
        self._facts.learn(marketplace_of(call), answer)
        return checked

    def _found(self, operation: Operation, verdict: Conformance, *, reason: str) -> None:
        overrides = self._client.overrides
        checked = Checked(overrides.of(operation).operation, verdict, reason=reason, overridden=operation in overrides)
        self._checked[operation] = checked
        self._on_checked(checked)


def _reason_to_skip(operation: Operation) -> str:
    if operation.effect:
        return NeverAsked.EFFECT
    return NeverAsked.CALLBACK if isinstance(operation, Callback) else NeverAsked.WRITE


def _has_keyword(call: Call[Any, Any]) -> bool:
    return "keyword" in call.request.model_fields and call.request.model_fields["keyword"].is_required()


def _judge(checked: Checked, error: XportcnError) -> None:
    """Record what a failed call shows of the contract. Raises errors that all other calls would meet."""
    checked.code, checked.words = error.code or str(error.status or ""), error.message
    if error.status in NO_PATH or error.code in ("404", "405"):
        checked.verdict = Conformance.PATH_UNKNOWN
    elif error.code == WRONG_LOGISTICS_SIGN:
        _blame(checked, "?sign", error)
    elif error.code == BAD_REQUEST or error.status == 400:
        _blame(checked, "request", error)
    elif isinstance(error, Refused):
        checked.verdict = Conformance.REFUSED
    elif isinstance(error, Misconfigured) or (isinstance(error, NotSent) and error.status is None):
        raise error
    else:
        checked.verdict, checked.reason = Conformance.NO_ANSWER, str(error)


def _blame(checked: Checked, path: str, error: XportcnError) -> None:
    """Record that the service does not take the request: there the contract is wrong."""
    checked.verdict = Conformance.DIFFERS
    checked.comparison.differences.append(Difference(path, Mismatch.NOT_ACCEPTED, "", error.message))
