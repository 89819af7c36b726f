"""An operation of the service, declared once: its row in the contract, its path, the
models of request and answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, TypeVar, cast

from pydantic import TypeAdapter

from connectors.xportcn.models import Request, is_list
from connectors.xportcn.wire import Bounds
from domain.effects import SPENDING, Action

Method = Literal["GET", "POST"]
Req = TypeVar("Req", bound=Request)
Res = TypeVar("Res")
WORD = re.compile(r"[A-Za-z][a-z]*")
WRITES = {
    "add",
    "cancel",
    "create",
    "delete",
    "edit",
    "modify",
    "pay",
    "return",
    "send",
    "submit",
    "update",
    "upload",
}
"""A cart row's quantity or a picture for a refund can be written again without harm,
but is written.
"""

COMMANDS: Mapping[Action, str] = {
    **dict.fromkeys(SPENDING, "sourcing run"),
    Action.CANCEL: "sourcing cancel",
    Action.REFUND: "sourcing refund",
    Action.RETURN: "sourcing return",
}
"""The command that does an action safely: with the ledger's limits, and once. Other
actions have none.
"""


class Provenance(StrEnum):
    """How well the path is known."""

    CONFIRMED = "confirmed"  # on a page of the service itself
    SIBLING = "sibling"  # on a page of the same platform under another brand
    UPSTREAM = "upstream"  # in the contract of the marketplace behind it
    ASSUMED = "assumed"  # no answer of it has been seen


CONFIRMED, SIBLING, UPSTREAM, ASSUMED = Provenance


@dataclass(frozen=True)
class Operation:
    """One entry of the service's navigation. `group`, `nav` and `title` as in
    `docs/contract/endpoints.csv`.

    `nav` is None for operations that have no row there. `path` may hold names in
    braces, which are fields of the request. `effect` is true for operations that spend,
    promise or cannot be taken back: they are sent once, under a claim. With its models
    it becomes a `ReadCall`, an `EffectCall` or a `Callback`. `place` is a part of one
    marketplace's calls whose amounts in CNY have one unit; empty for a call without.
    """

    group: str
    nav: int | None
    title: str
    method: Method
    path: str
    provenance: Provenance
    place: str = field(default="", kw_only=True)

    effect: ClassVar[bool] = False

    def __hash__(self) -> int:
        return hash(
            self.path
        )  # every call looks its operation up: all fields would be hashed anew

    @property
    def name(self) -> str:
        """The name in errors and logs; titles alone repeat between groups."""
        return f"{self.group} / {self.title}"

    @property
    def is_read_only(self) -> bool:
        """Whether a call leaves account, carts and orders unchanged: one without an
        effect may still write.
        """
        last = [
            segment
            for segment in self.path.split("/")
            if segment and not segment.startswith("{")
        ][-1]
        return (
            not self.effect
            and not {word_match.lower() for word_match in WORD.findall(last)} & WRITES
        )

    @property
    def command(self) -> str:
        """The command that makes this call safely; empty where a person may make it by
        `sourcing call`.
        """
        return ""

    def read(self, request: type[Req], response: type[Res]) -> ReadCall[Req, Res]:
        return ReadCall(**vars(self), request=request, response=response)

    def sends(
        self,
        request: type[Req],
        response: type[Res],
        action: Action,
        refusals: frozenset[str] = frozenset(),
    ) -> EffectCall[Req, Res]:
        return EffectCall(
            **vars(self),
            request=request,
            response=response,
            action=action,
            refusals=refusals,
        )

    def callback(self) -> Callback:
        return Callback(**vars(self))


@dataclass(frozen=True, eq=False)
class Call(Operation, Generic[Req, Res]):
    """An operation that is called; `Res` may be a model, a list of models, bool or
    None.
    """

    request: type[Req]
    response: type[Res]

    @cached_property
    def _answers(self) -> TypeAdapter[Res]:
        return TypeAdapter(self.response)

    def parse(self, data: Any, bounds: Bounds | None = None) -> Res:
        """The envelope's `data` as the contract promises it, within `bounds`. Raises
        pydantic's `ValidationError`.

        A list of one row may come as the bare row, a read one without rows as null.
        """
        if is_list(self.response) and (
            isinstance(data, dict) or (data is None and not self.effect)
        ):
            data = [data] if data is not None else []
        return self._answers.validate_python(data, context=bounds)


@dataclass(frozen=True, eq=False)
class ReadCall(Call[Req, Res]):
    """A call that changes nothing and may be repeated."""


@dataclass(frozen=True, eq=False)
class EffectCall(Call[Req, Res]):
    """A call that is sent once, under a claim for this very action.

    `refusals` are envelope codes, other than 4xx, that the contract lists as this
    operation's refusals.
    """

    action: Action
    refusals: frozenset[str] = frozenset()

    effect: ClassVar[bool] = True

    @property
    def command(self) -> str:
        return COMMANDS.get(self.action, "")


@dataclass(frozen=True, eq=False)
class Callback(Operation):
    """A message that the service posts to the developer's URL: it is never called."""

    @property
    def is_read_only(self) -> bool:
        return False


@dataclass(frozen=True)
class Group:
    """A group of the service's navigation; called with an operation's number, title,
    method and path, provenance, place.
    """

    name: str

    def __call__(
        self,
        nav: int | None,
        title: str,
        call: str,
        provenance: Provenance,
        place: str = "",
    ) -> Operation:
        method, _, path = call.partition(" ")
        known = cast(Method, method), path, provenance
        return Operation(self.name, nav, title, *known, place=place)
