"""Deliberate faults: rules with paths, a kind of fault and its frequency."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from sandbox.fields import Fields
from sandbox.refusals import bad_request


class Kind(StrEnum):
    LATENCY = "latency"  # waits delay_s real seconds first
    HTTP_500 = "http_500"  # no effect
    HTTP_429 = "http_429"  # no effect
    THROTTLE_CODE = "throttle_code"  # HTTP 200 and a code for too many calls, no effect
    EXPIRED_TOKEN = "expired_token"  # HTTP 200 and Taobao's code for a token of the service that expired, no effect
    DROP_BEFORE = "drop_before"  # connection cut, no effect
    DROP_AFTER = "drop_after"  # effect, then connection cut
    LATE_EFFECT = (
        "late_effect"  # answers 500, effect lands delay_s of sandbox time later
    )
    PRICE_CHANGE = "price_change"  # goods of the request cost 10 % more from now on
    OUT_OF_STOCK = "out_of_stock"  # goods of the request are sold out from now on
    PART_FAILS = "part_fails"  # a create orders all lines but the last, which it names where it has a field (assumed)
    PART_UNSAID = "part_unsaid"  # a create orders all lines but the last, as if these were all (assumed)
    NO_DEFAULT = "no_default"  # the account's addresses, none of them the default
    GARBAGE = "garbage"  # answers 200 with something else than JSON, no effect
    # kinds for messages; their path is callbacks/MARKETPLACE/NUMBER, such as
    # callbacks/big_major/90
    CALLBACK_LOST = "callback_lost"  # it is never posted
    CALLBACK_TRIPLED = "callback_tripled"  # it is posted three times
    CALLBACK_FORGED = "callback_forged"  # with it come forged posts that the order was paid, and refunded
    INSPECTION_FAILED = "inspection_failed"  # the warehouse finds a stain
    PARCEL_HEAVIER = "parcel_heavier"  # it weighs three times as much as its goods, and freight is quoted by that


OF_CALLBACKS = frozenset(
    {
        Kind.CALLBACK_LOST,
        Kind.CALLBACK_TRIPLED,
        Kind.CALLBACK_FORGED,
        Kind.INSPECTION_FAILED,
        Kind.PARCEL_HEAVIER,
    }
)


@dataclass(slots=True)
class Rule:
    path: str
    kind: Kind
    probability: float
    times: int | None
    delay_s: float
    fired: int = 0

    def spent(self) -> bool:
        return self.times is not None and self.fired >= self.times


class Faults:
    """The rules in force; the first rule that matches and applies decides a call."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._seed = 1
        self._rules: list[Rule] = []
        self._random = Random(self._seed)

    def replace(self, request: Fields) -> None:
        """Replace all rules by these; refused as a whole if a rule is wrong."""
        request.only("seed", "rules")
        rules = (
            [_rule(entry) for entry in request.objects("rules")]
            if request.raw.get("rules") != []
            else []
        )
        self._seed = request.whole("seed", default=1)
        self._rules = rules
        self._random = Random(self._seed)

    def strike(self, path: str) -> Rule | None:
        """The rule that decides a call."""
        return self._strike(path, of_callbacks=False)

    def strike_callback(self, path: str) -> Kind | None:
        """The kind of fault that decides a message."""
        rule = self._strike(path, of_callbacks=True)
        return rule.kind if rule else None

    def _strike(self, path: str, *, of_callbacks: bool) -> Rule | None:
        for rule in self._rules:
            if (rule.kind in OF_CALLBACKS) is not of_callbacks or rule.spent():
                continue
            if (
                fnmatchcase(path, rule.path)
                and self._random.random() < rule.probability
            ):
                rule.fired += 1
                return rule
        return None

    def in_force(self) -> dict[str, Any]:
        return {"seed": self._seed, "rules": self._rules}


def _rule(entry: Fields) -> Rule:
    entry.only("path", "kind", "probability", "times", "delay_s")
    kind = entry.text("kind")
    if kind not in list(Kind):
        raise bad_request(entry.named("kind"), f"unknown; known are {', '.join(Kind)}")
    return Rule(
        path=entry.text("path"),
        kind=Kind(kind),
        probability=entry.number("probability", default=1, maximum=1),
        times=entry.optional_whole("times"),
        delay_s=entry.number("delay_s", default=0),
    )
