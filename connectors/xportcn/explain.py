"""The words for a failure: what happened, what was done about it, what to do now."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.xportcn.errors import ContractMismatch, Misconfigured, NotSent, Refused, Unanswered, XportcnError
from connectors.xportcn.failures import NONCE_USED, Failure, Kind, Meaning, meaning_of
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
class Report:
    """A failed call with all that is known of it. `words` are the service's or the exception's.

    `field` is where an answer does not fit, `fault` why, empty for an answer that was not read at all.
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
    cause: Exception | None = None

    @property
    def meaning(self) -> Meaning:
        return meaning_of(self.failure)


def error_of(report: Report) -> XportcnError:
    """The exception for a call that is not tried again."""
    error = _bare_error(report)
    error.operation = report.operation.name
    error.request_id = report.request_id
    error.status = report.failure.status
    error.code = report.failure.code or ""
    return error


def _bare_error(report: Report) -> XportcnError:
    meaning, failure = report.meaning, report.failure
    if meaning is Meaning.MISCONFIGURED or (meaning is Meaning.RETRY_NOW and failure.code == NONCE_USED):
        return Misconfigured(_remedy(report))
    if meaning is Meaning.REFUSED:
        return Refused(report.words or "refused without a word")
    if meaning is Meaning.RETRY_LATER or not failure.sent:
        return NotSent(_why_not_sent(report), retry_after_s=report.retry_after_s)
    if failure.kind is Kind.MISFIT:
        return ContractMismatch(_why_misfit(report), field=report.field)
    return Unanswered(_why_unanswered(report))


def _remedy(report: Report) -> str:
    code = report.failure.code or ""
    if code == CLOCK:
        return _clock_remedy(report.skew_s)
    if code in REMEDIES:
        return REMEDIES[code]
    if report.failure.status == 401:
        return f"the service does not accept the account ({report.words or 'no reason given'}): check XPORTCN_*"
    return _address_remedy(report)


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


def _address_remedy(report: Report) -> str:
    operation = report.operation
    guess = "; the path itself is assumed" if operation.provenance is Provenance.ASSUMED else ""
    return (
        f"{operation.method} {operation.path} at {report.address} was not answered by the service "
        f"(HTTP {report.failure.status}): check XPORTCN_BASE_URL{guess}"
    )


def _why_not_sent(report: Report) -> str:
    if report.failure.status is not None:
        wait = "" if report.retry_after_s is None else f", it asks to wait {report.retry_after_s:g} seconds"
        return f"the service has too many calls{wait}; nothing was done"
    return (
        f"no connection to {report.address} ({report.words}); nothing was sent. "
        "Is the service or the sandbox running? Check XPORTCN_BASE_URL"
    )


def _why_misfit(report: Report) -> str:
    if not report.field:
        return report.words
    words = f"the answer does not fit the contract at `{report.field}`"
    return f"{words}: {report.fault}" if report.fault else words


def _why_unanswered(report: Report) -> str:
    what = _what_came(report)
    return f"{what}; it may have been carried out" if report.failure.effect else what


def _what_came(report: Report) -> str:
    failure = report.failure
    if failure.kind is Kind.TIMED_OUT:
        return f"no answer in time ({report.words})"
    if failure.status is None:
        return f"the connection broke before the answer ({report.words})"
    if failure.code is None:
        return "the answer is not the service's"
    return f"the service failed ({report.words or 'no reason given'})"
