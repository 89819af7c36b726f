"""What may go wrong in an episode, and how often; every draw comes from the episode's
seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from tests.simulation.process import Crash

LATEST_S = 600.0  # how late an effect may land after the service gave up on it
SLOWEST_S = 200.0  # how long a request may be under way; with the above less than the settle time
OUTAGES_S = (None, None, None, None, (5, 30), (30, 300), (300, 1500))
MOST_CRASHES = 2
MOST_STOPS = 2
LIE_RATES = (0.0, 0.0, 0.0, 0.0, 0.03, 0.15)


class Kind(StrEnum):
    """What befalls one request. Where the sandbox knows the fault, its own does it."""

    NO_CONNECTION = "no_connection"
    SLOW = "slow"
    HTTP_500 = "http_500"
    HTTP_429 = "http_429"
    GARBAGE = "garbage"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    LATE_EFFECT = "late_effect"
    PRICE_CHANGE = "price_change"
    OUT_OF_STOCK = "out_of_stock"
    PART_FAILS = "part_fails"
    PART_UNSAID = "part_unsaid"
    PRICE_RISES_AFTER = "price_rises_after"
    SELLER_CLOSES = "seller_closes"
    WALLET_SHORT = "wallet_short"
    CARRIED_OUT_TWICE = "carried_out_twice"
    NEGATIVE_AMOUNT = "negative_amount"
    ZERO_AMOUNT = "zero_amount"
    HUGE_AMOUNT = "huge_amount"
    SWAPPED_AMOUNT = "swapped_amount"
    FOREIGN_ID = "foreign_id"


@dataclass(frozen=True, slots=True)
class Fault:
    """`delay_s` is how late the effect lands, or how long the request is under way."""

    kind: Kind
    delay_s: float = 0.0


class Call(StrEnum):
    """What a request is for."""

    PLAN = "plan"
    READ = "read"
    CREATE = "create"
    PAY = "pay"
    BOOK = "book"
    OTHER = "other"


K = Kind
LOST = {
    K.NO_CONNECTION: 1,
    K.SLOW: 2,
    K.HTTP_500: 1,
    K.HTTP_429: 1,
    K.GARBAGE: 1,
    K.DROP_BEFORE: 2,
}
BY_CALL: dict[Call, dict[Kind, int]] = {
    Call.READ: {**LOST, K.DROP_AFTER: 1},
    Call.PLAN: {**LOST, K.DROP_AFTER: 1, K.PRICE_CHANGE: 8, K.OUT_OF_STOCK: 1},
    Call.CREATE: {
        **LOST,
        **{K.DROP_AFTER: 3, K.LATE_EFFECT: 5},
        **{
            K.PRICE_CHANGE: 1,
            K.OUT_OF_STOCK: 1,
            K.PRICE_RISES_AFTER: 2,
            K.SELLER_CLOSES: 1,
        },
    },
    Call.PAY: {
        **LOST,
        **{K.DROP_AFTER: 3, K.LATE_EFFECT: 5},
        **{K.SELLER_CLOSES: 1, K.WALLET_SHORT: 2, K.CARRIED_OUT_TWICE: 2},
    },
    Call.BOOK: {**LOST, K.DROP_AFTER: 4, K.LATE_EFFECT: 6},
    Call.OTHER: {**LOST, K.DROP_AFTER: 3, K.LATE_EFFECT: 3},
}
LIES = (
    K.NEGATIVE_AMOUNT,
    K.ZERO_AMOUNT,
    K.HUGE_AMOUNT,
    K.SWAPPED_AMOUNT,
    K.FOREIGN_ID,
    K.FOREIGN_ID,
)
CHOICES = {
    call: (list(weights), list(weights.values())) for call, weights in BY_CALL.items()
}
READ = "read of the ledger"  # what was read is old when a process goes on after a stop
WEIGHTY = ("claim", "write", "effect")


def calls(path: str, *, effect: bool) -> Call:
    """What a request to this path is for."""
    if not effect:
        plans = "/product/" in path or "preview" in path or "render" in path
        return Call.PLAN if plans and "Freight" not in path else Call.READ
    if "Booking" in path:
        return Call.BOOK
    if "pay" in path.lower():
        return Call.PAY
    return Call.CREATE if "create" in path and "refund" not in path else Call.OTHER


@dataclass(frozen=True, slots=True)
class Outage:
    """From when to when the service is away (no connection, answers cut) or has too
    many calls; seconds.
    """

    begins: float
    ends: float
    throttled: bool


@dataclass(slots=True)
class Misfortune:
    """How rough an episode is. Nothing befalls anybody once it is calm."""

    dice: Random
    calm: bool = False
    effect_rate: float = 0.0
    read_rate: float = 0.0
    crash_rate: float = 0.0
    stop_rate: float = 0.0
    slow_disk_rate: float = 0.0
    crashes: int = 0
    stops: int = 0
    struck: dict[str, int] = field(default_factory=dict)
    lies: Random = field(default_factory=lambda: Random(0))
    lie_rate: float = 0.0
    outages: Random = field(default_factory=lambda: Random(0))
    outage: Outage | None = None
    patience_s: float = 0.0
    interrupts_after_s: float | None = None
    carries_out_once: bool = False

    @classmethod
    def drawn(cls, dice: Random, lies: Random, outages: Random) -> Misfortune:
        """Lies and outages have dice of their own, so that what else befalls a seed
        stays what it was.
        """
        begins = outages.uniform(0, outages.choice((3, 30)))
        lasts = outages.choice(OUTAGES_S)
        outage = (
            Outage(begins, begins + outages.uniform(*lasts), outages.random() < 0.3)
            if lasts
            else None
        )
        return cls(
            outages=outages,
            outage=outage,
            patience_s=outages.choice((0.0, 600.0, 3600.0, 3600.0)),
            interrupts_after_s=outages.uniform(0, outages.choice((3, 60)))
            if outages.random() < 0.2
            else None,
            dice=dice,
            lies=lies,
            lie_rate=lies.choice(LIE_RATES),
            effect_rate=dice.choice((0.0, 0.2, 0.4, 0.6)),
            read_rate=dice.choice((0.0, 0.02, 0.1)),
            crash_rate=dice.choice((0.0, 0.0, 0.02, 0.06)),
            stop_rate=dice.choice((0.0, 0.0, 0.02, 0.06)),
            slow_disk_rate=dice.choice((0.0, 0.02, 0.1)),
        )

    def fault(self, call: Call) -> Fault | None:
        """What befalls this request."""
        if self.calm:
            return None
        effect = call in (Call.CREATE, Call.PAY, Call.BOOK, Call.OTHER)
        if self.dice.random() >= (self.effect_rate if effect else self.read_rate):
            return self._lie()
        kinds, weights = CHOICES[call]
        kind = self.dice.choices(kinds, weights)[0]
        if (
            kind is Kind.CARRIED_OUT_TWICE and self.carries_out_once
        ):  # no client could prevent what that costs
            kind = Kind.DROP_AFTER
        self.count(kind)
        return Fault(kind, self._delay_s(kind))

    def away(self, now: float) -> Kind | None:
        """What befalls whatever leaves or arrives while the service is away, or has too
        many calls.
        """
        outage = self.outage
        if self.calm or outage is None or not outage.begins <= now < outage.ends:
            return None
        if outage.throttled:
            return Kind.HTTP_429 if self.outages.random() < 0.9 else None
        return Kind.NO_CONNECTION

    def _lie(self) -> Fault | None:
        return (
            Fault(self.lies.choice(LIES))
            if self.lie_rate and self.lies.random() < self.lie_rate
            else None
        )

    def _delay_s(self, kind: Kind) -> float:
        if kind is Kind.SLOW:
            return self.dice.choice(
                (self.dice.uniform(1, 29), self.dice.uniform(31, SLOWEST_S))
            )
        if kind is Kind.LATE_EFFECT:
            return self.dice.choice(
                (self.dice.uniform(1, 60), self.dice.uniform(60, LATEST_S))
            )
        return 0.0

    def befalls(self, point: str) -> Crash | float | None:
        """A crash or a stop of the process at this boundary."""
        if self.calm:
            return None
        luck = self.dice.random()
        weight = 1.0 if point.startswith(WEIGHTY) else 0.1
        stop_weight = 0.5 if point == READ else weight
        if luck < self.crash_rate * weight and self.crashes < MOST_CRASHES:
            self.crashes += 1
            self.count(f"crash {point}")
            return Crash(point)
        if luck > 1 - self.stop_rate * stop_weight and self.stops < MOST_STOPS:
            self.stops += 1
            self.count("stop")
            return self.dice.choice(
                (
                    self.dice.uniform(1, 30),
                    self.dice.uniform(30, 250),
                    self.dice.uniform(900, 2500),
                )
            )
        return None

    def until_next_run_s(self, stopped_s: float = 0.0) -> float:
        """When somebody starts another run: soon, or within the stop of this one."""
        if stopped_s:
            return self.dice.uniform(0, stopped_s)
        return self.dice.choice(
            (
                self.dice.uniform(0, 5),
                self.dice.uniform(0, 60),
                self.dice.uniform(100, 1500),
            )
        )

    def disk_s(self) -> float:
        """How long a commit waits for the disk, or for another process."""
        if self.dice.random() < self.slow_disk_rate and not self.calm:
            return self.dice.uniform(0, 20)
        return self.dice.uniform(0.0005, 0.003)

    def wire_s(self) -> float:
        """How long a message is under way."""
        return self.dice.uniform(0.005, 0.08)

    def count(self, what: str) -> None:
        self.struck[what] = self.struck.get(what, 0) + 1
