"""The words for a failure: what happened, what was done about it, what to do now."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.xportcn.errors import (
    ContractMismatch,
    Misconfigured,
    NotSent,
    Refused,
    Unanswered,
    UnitUnclear,
    XportcnError,
)
from connectors.xportcn.failures import NONCE_USED, Failure, FailureKind, Meaning, meaning_of
from connectors.xportcn.operations import Operation, Provenance

MOST_SKEW_S = 600

CLOCK = "40103"
REMEDIES = {
    "40101": "the access key is unknown: check XPORTCN_ACCESS_KEY",
    "40102": "the signature is wrong: check that XPORTCN_ACCESS_SECRET belongs to XPORTCN_ACCESS_KEY",
    NONCE_USED: "the nonce was used before: something between us and the service repeats requests, or its clock jumped",
    "40105": "the user id is unknown: check XPORTCN_USER_ID",
    "40106": "the query parameter `sign` of the logistics calls is wrong: try the other XPORTCN_LOGISTICS_SIGN",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCall:
    """A failed call with all that is known of it. `words` are the service's, or `words_of` the error.

    `field` is where an answer does not fit, `fault` the reason, empty for an answer that was not read at all. With a
    `place` (see `connectors.units`) the fault is an amount whose unit is not clear.
    """

    operation: Operation
    address: str
    failure: Failure
    words: str = ""
    request_id: str = ""
    retry_after_s: float | None = None
    skew_s: int | None = None
    field: str = ""
    fault: str = ""
    place: str = ""

    @property
    def meaning(self) -> Meaning:
        return meaning_of(self.failure)


def error_of(failed: FailedCall) -> XportcnError:
    """The exception for a call that is not tried again."""
    error = _bare_error(failed)
    error.operation = failed.operation.name
    error.request_id = failed.request_id
    error.status = failed.failure.status
    error.code = failed.failure.code or ""
    return error


def _bare_error(failed: FailedCall) -> XportcnError:
    meaning, failure = failed.meaning, failed.failure
    if meaning is Meaning.MISCONFIGURED or (meaning is Meaning.RETRY_NOW and failure.code == NONCE_USED):
        return Misconfigured(_remedy(failed))
    if meaning is Meaning.REFUSED:
        return Refused(failed.words or "refused without a word")
    if meaning is Meaning.RETRY_LATER or not failure.sent:
        return NotSent(_why_not_sent(failed), retry_after_s=failed.retry_after_s)
    if failure.kind is FailureKind.MISFIT:
        if failed.place:
            return UnitUnclear(_why_misfit(failed), field=failed.field, amount=failed.fault, place=failed.place)
        return ContractMismatch(_why_misfit(failed), field=failed.field)
    return Unanswered(_why_unanswered(failed))


def _remedy(failed: FailedCall) -> str:
    code = failed.failure.code or ""
    if code == CLOCK:
        return _clock_remedy(failed.skew_s)
    if code in REMEDIES:
        return REMEDIES[code]
    if failed.failure.status == 401:
        return f"the service does not accept the account ({failed.words or 'no reason given'}): check XPORTCN_*"
    return _address_remedy(failed)


def _clock_remedy(skew_s: int | None) -> str:
    if skew_s is None:
        return "the time-stamp is too old or too new: set this machine's clock (its offset is not known)"
    if abs(skew_s) > MOST_SKEW_S:
        side = "ahead of" if skew_s > 0 else "behind"
        return f"this machine's clock is {abs(skew_s)} seconds {side} the service's: set the clock"
    return (
        f"the time-stamp was not accepted although this machine's clock differs by {abs(skew_s)} seconds only: "
        "try the other XPORTCN_TIMESTAMP_UNIT"
    )


def _address_remedy(failed: FailedCall) -> str:
    operation = failed.operation
    guess = "; the path itself is assumed" if operation.provenance is Provenance.ASSUMED else ""
    return (
        f"{operation.method} {operation.path} at {failed.address} was not answered by the service "
        f"(HTTP {failed.failure.status}): check XPORTCN_BASE_URL{guess}"
    )


def _why_not_sent(failed: FailedCall) -> str:
    if failed.failure.status is not None:
        wait = "" if failed.retry_after_s is None else f", it asks to wait {failed.retry_after_s:g} seconds"
        return f"the service has too many calls{wait}; nothing was done"
    return (
        f"no connection to {failed.address} ({failed.words}). "
        "Is the service or the sandbox running? Check XPORTCN_BASE_URL"
    )


def _why_misfit(failed: FailedCall) -> str:
    if not failed.field:
        return failed.words
    words = f"the answer does not fit the contract at `{failed.field}`"
    if failed.place:
        return f"{words}: {failed.fault} where fen are whole; if they are yuan, set XPORTCN_UNITS={failed.place}=yuan"
    return f"{words}: {failed.fault}" if failed.fault else words


def _why_unanswered(failed: FailedCall) -> str:
    what = what_came(failed)
    return f"{what}; it may have been carried out" if failed.failure.effect else what


def what_came(failed: FailedCall) -> str:
    """The words for what came in place of an answer."""
    failure = failed.failure
    if failure.status is None and not failure.sent:
        return f"no connection to {failed.address}, XPORTCN_BASE_URL"
    if failure.kind is FailureKind.TIMED_OUT:
        return f"no answer in time ({failed.words})"
    if failure.kind is FailureKind.GARBLED:
        return f"the answer can't be read and does not fit the contract ({failed.words})"
    if failure.status is None:
        return f"the connection broke before the answer ({failed.words})"
    if failure.code is None:
        unfit = " and does not fit the contract" if failure.status < 300 else ""
        return f"the answer is not the service's{unfit}"
    return f"the service failed ({failed.words or 'no reason given'})"
