"""An operation bound to the models of its request and answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from connectors.xportcn.operations import Operation
from connectors.xportcn.wire import Bounds, Request, is_list
from domain.effects import Action

Req = TypeVar("Req", bound=Request)
Res = TypeVar("Res")


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Req, Res]):
    """Models of an operation's request and answer; `Res` may be a model, a list of models, bool or None."""

    operation: Operation
    request: type[Req]
    response: type[Res]

    @cached_property
    def _answers(self) -> TypeAdapter[Res]:
        return TypeAdapter(self.response)

    def parse(self, data: Any, bounds: Bounds | None = None) -> Res:
        """The envelope's `data` as the contract promises it, within `bounds`. Raises pydantic's `ValidationError`.

        A list of one row may come as the bare row.
        """
        if isinstance(data, dict) and is_list(self.response):
            data = [data]
        return self._answers.validate_python(data, context=bounds)


@dataclass(frozen=True, kw_only=True)
class ReadCall(Call[Req, Res]):
    """A call that changes nothing and may be repeated."""

    def __post_init__(self) -> None:
        if self.operation.effect:
            raise TypeError(f"{self.operation.name} has an effect")


@dataclass(frozen=True, kw_only=True)
class EffectCall(Call[Req, Res]):
    """A call that is sent once, under a claim for this very action.

    `refusals` are envelope codes, other than 4xx, that the contract lists as this operation's refusals.
    """

    action: Action
    refusals: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.operation.effect:
            raise TypeError(f"{self.operation.name} has no effect")
