"""What can go wrong with a call, by what the caller can do about it.

XportcnError
  Misconfigured        a person must change a setting; the service did nothing
  NotSent              provably without effect: try again later
    ServiceAway        the service is away or throttles every call: the breaker lets no
                       call through
    SettingUnset       a form that the contract leaves open has to be set
  Refused              the service refused, and would refuse again
  Unanswered           an effect may have happened: read before doing anything; a read
                       just failed
    ContractMismatch   the service answered, but not as the contract says
      UnitUnclear      an amount may be in yuan where the contract has fen
      UnknownRefundState  a refund is in a state without a meaning here
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from domain.offers import LineProblem

NEVER_S = 1e9
"""Longer than any lease: an effect that has to wait so long is not sent by this run."""


@dataclass(eq=False, repr=False)
class XportcnError(Exception):
    """A call that did not succeed. `status` is HTTP's, None without an answer; `code`
    the envelope's or the answer's.

    The message is the event, without the operation and the numbers; for `Refused` the
    service's own words. Every field has a default: that makes the tree picklable.
    """

    message: str = ""
    _: KW_ONLY
    operation: str = ""
    request_id: str = ""
    status: int | None = None
    code: str = ""

    def __str__(self) -> str:
        facts = {"HTTP": self.status, "code": self.code, "request": self.request_id}
        message = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
        return f"{self.operation + ': ' if self.operation else ''}{self.message}{f' ({message})' if message else ''}"


class Misconfigured(XportcnError):
    """Credentials, clock, user id or base URL are wrong; the message names cause and
    remedy. Nothing was done.
    """


@dataclass(eq=False, repr=False)
class NotSent(XportcnError):
    """The call provably had no effect: no connection, HTTP 429, or the claim's lease
    was gone before the first byte.

    `retry_after_s` is the wait that the service asked for, None if it asked for none.
    """

    _: KW_ONLY
    retry_after_s: float | None = None


class ServiceAway(NotSent):
    """Not sent, or sent in vain, since the service is away or has too many calls. The
    cause passes by itself.
    """


@dataclass(eq=False, repr=False)
class SettingUnset(NotSent):
    """Not sent, since the contract leaves open which of two `forms` is meant, and the
    `setting` that says so is empty.
    """

    _: KW_ONLY
    retry_after_s: float | None = NEVER_S
    setting: str = ""
    forms: tuple[str, str] = ("", "")


@dataclass(eq=False, repr=False)
class Refused(XportcnError):
    """The service refused. `problems` are the domain's terms for it, line by line where
    the service names lines.
    """

    _: KW_ONLY
    problems: tuple[LineProblem, ...] = ()


class Unanswered(XportcnError):
    """No answer settles whether it happened: time-out, cut connection, 5xx, garbage. A
    read failed after retries.
    """


@dataclass(eq=False, repr=False)
class ContractMismatch(Unanswered):
    """The service answered success, but not by the contract; `field` is the place. An
    effect may have happened.
    """

    _: KW_ONLY
    field: str = ""


@dataclass(eq=False, repr=False)
class UnitUnclear(ContractMismatch):
    """An amount has a decimal point where the contract has whole fen; `place` is the
    one to name in XPORTCN_UNITS.
    """

    _: KW_ONLY
    amount: str = ""
    place: str = ""


class UnknownRefundState(ContractMismatch):
    """A refund in a state without a meaning here; `code` is the service's word for
    it.
    """
