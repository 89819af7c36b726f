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

from typing import Self, TypedDict, Unpack

from domain.offers import LineProblem

NEVER_S = 1e9
"""Longer than any lease: an effect that has to wait so long is not sent by this run."""


class CallFacts(TypedDict, total=False):
    """The facts of a call that did not succeed."""

    operation: str
    request_id: str
    status: int | None
    code: str


class XportcnError(Exception):
    """A call that did not succeed. `status` is HTTP's, None without an answer; `code`
    the envelope's or the answer's.

    Every argument but the message has a default, and all are attributes: that makes the
    tree picklable.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str = "",
        request_id: str = "",
        status: int | None = None,
        code: str = "",
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.request_id = request_id
        self.status = status
        self.code = code

    @property
    def message(self) -> str:
        """The event, without the operation and the numbers; for `Refused` the service's
        own words.
        """
        return str(self.args[0])

    def __str__(self) -> str:
        facts = {"HTTP": self.status, "code": self.code, "request": self.request_id}
        told = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
        return f"{self.operation + ': ' if self.operation else ''}{self.message}{f' ({told})' if told else ''}"


class Misconfigured(XportcnError):
    """Credentials, clock, user id or base URL are wrong; the message names cause and
    remedy. Nothing was done.
    """


class NotSent(XportcnError):
    """The call provably had no effect: no connection, HTTP 429, or the claim's lease
    was gone before the first byte.

    `retry_after_s` is the wait that the service asked for, None if it asked for none.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        **facts: Unpack[CallFacts],
    ) -> None:
        super().__init__(message, **facts)
        self.retry_after_s = retry_after_s


class ServiceAway(NotSent):
    """Not sent, or sent in vain, since the service is away or has too many calls. The
    cause passes by itself.
    """


class SettingUnset(NotSent):
    """Not sent, since the contract leaves open which of two `forms` is meant, and the
    `setting` that says so is empty.
    """

    def __init__(
        self,
        message: str,
        *,
        setting: str = "",
        forms: tuple[str, str] = ("", ""),
        **facts: Unpack[CallFacts],
    ) -> None:
        super().__init__(message, retry_after_s=NEVER_S, **facts)
        self.setting = setting
        self.forms = forms


class Refused(XportcnError):
    """The service refused. `problems` are the domain's terms for it, line by line where
    the service names lines.
    """

    def __init__(
        self,
        message: str,
        *,
        problems: tuple[LineProblem, ...] = (),
        **facts: Unpack[CallFacts],
    ) -> None:
        super().__init__(message, **facts)
        self.problems = problems

    def explained(
        self, *, code: str, problems: tuple[LineProblem, ...] = (), message: str = ""
    ) -> Self:
        """A copy with a code, problems or words that the channel knows better."""
        return type(self)(
            message or self.message,
            operation=self.operation,
            request_id=self.request_id,
            status=self.status,
            code=code,
            problems=problems,
        )


class Unanswered(XportcnError):
    """No answer settles whether it happened: time-out, cut connection, 5xx, garbage. A
    read failed after retries.
    """


class ContractMismatch(Unanswered):
    """The service answered success, but not by the contract; `field` is the place. An
    effect may have happened.
    """

    def __init__(
        self, message: str, *, field: str = "", **facts: Unpack[CallFacts]
    ) -> None:
        super().__init__(message, **facts)
        self.field = field


class UnitUnclear(ContractMismatch):
    """An amount has a decimal point where the contract has whole fen; `place` is the
    one to name in XPORTCN_UNITS.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        amount: str = "",
        place: str = "",
        **facts: Unpack[CallFacts],
    ) -> None:
        super().__init__(message, field=field, **facts)
        self.amount = amount
        self.place = place


class UnknownRefundState(ContractMismatch):
    """A refund in a state without a meaning here; `code` is the service's word for
    it.
    """
