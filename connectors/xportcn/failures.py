"""A failed call: its meaning for the caller, the wait before a read is tried again, and
the words for a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from connectors.xportcn.errors import (
    ContractMismatch,
    Misconfigured,
    NotSent,
    Refused,
    Unanswered,
    UnitUnclear,
    XportcnError,
)
from connectors.xportcn.operations.operation import Operation, Provenance
from domain.offers import Problem

SUCCESS = "200"
NONCE_USED = "40104"
BEFORE_ALL = frozenset({"40101", "40102", "40105", "40106"})
"""Refusals of the account by what the request itself says: each copy of it is refused,
so none was carried out.
"""
TOO_MANY = 429
OF_ONE_REQUEST = (403, 413)
"""What a firewall answers to one request for what is in it, as to an address that looks
like an attack.
"""
# Upstream's codes for too many calls, at HTTP 200 or 400 (assumed: passed through
# unchanged).
THROTTLED = frozenset(
    {"gw.QosAppFrequencyLimit", "gw.QosApiFrequencyLimit", "ApiCallLimit"}
)
EXPIRED_TOKENS = frozenset({"IllegalAccessToken"})
"""Upstream's codes for a token of the service's account at a marketplace, at HTTP 200;
of no order (assumed).
"""
NOT_FOUND = "404"
ANY_NO = "500"
"""A code that also stands for any no of a marketplace, in words (inferred)."""
OUT_OF_ORDER = re.compile(
    r"系统|服务器|服务异常|繁忙|超时|网络|internal|server|exception|busy|time.?out|unavailable|"
    r"没找到请求|no (?:handler|static resource)|^404\b|^not.?found\W*$",
    re.IGNORECASE,
)
"""Words of the service, or of a gateway before it, that say nothing about what was
asked for.
"""
NO_ORDER = re.compile(
    r"订单(?:信息)?不存在|未找到(?:该)?订单|order (?:\S+ )?(?:does|is) not (?:exist|found)",
    re.IGNORECASE,
)
NOES = {
    re.compile(
        r"OUT_OF_STOCK|out of stock|sold out|库存不足|无库存|售罄|已售完", re.IGNORECASE
    ): Problem.OUT_OF_STOCK,
    re.compile(
        r"ITEM_OFFLINE|SPU_OFF_SALE|product \S+ does not exist|商品不存在|商品已失效|已下架"
    ): Problem.OFFLINE,
    re.compile(r"SKU_NOT_FOUND|规格不存在|SKU不存在"): Problem.SKU_UNKNOWN,
    re.compile(r"BELOW_MIN_QUANTITY|起批量|起订量"): Problem.BELOW_MIN_QUANTITY,
    re.compile(r"ADDRESS_INVALID|AddressId invalid"): Problem.ADDRESS_INVALID,
    re.compile(r"^(?:ORDER|GOODS)_STATUS_ERROR\b"): Problem.OTHER,
    NO_ORDER: Problem.OTHER,
}
"""Words of a no to a read, under whatever code."""

MAYBE = "; it may have been carried out"
BASE_S = 0.2
MOST_S = 8.0
MOST_RETRY_AFTER_S = 30.0
LONGEST_RETRY_AFTER_S = 365 * 86_400.0


class FailureKind(StrEnum):
    """How a call failed."""

    BROKEN = "broken"  # no whole HTTP answer: connection refused, reset
    GARBLED = (
        "garbled"  # bytes came that are no HTTP answer: framing or packing is wrong
    )
    TIMED_OUT = "timed_out"
    ANSWERED = "answered"  # a whole HTTP answer that is not a success
    MISFIT = "misfit"  # a success whose data does not fit the contract


class Meaning(StrEnum):
    """The caller's next step."""

    RETRY_NOW = "retry_now"  # changes nothing: the client tries again, with backoff
    RETRY_LATER = "retry_later"  # provably without effect
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed call. `effect` is true for calls that spend or promise, `sent` once the
    first byte was about to leave.

    `status` is None without an HTTP answer, `code` None without the service's envelope.
    `is_known_refusal` is true for a code that the contract lists as this operation's
    no, and for words of a read's. `says_why`: the service has words of its own, and not
    that it is out of order. `served`: it has answered this client before, so that
    address and account are right; `proven`: under this very path.
    """

    kind: FailureKind
    effect: bool
    sent: bool
    status: int | None = None
    code: str | None = None
    is_known_refusal: bool = False
    says_why: bool = False
    served: bool = False
    proven: bool = False

    @property
    def is_any_no(self) -> bool:
        """Whether the service may have said no by the code of a fault."""
        return (
            self.code == ANY_NO
            and self.says_why
            and self.status is not None
            and self.status < 300
        )


def problem_in(message: str) -> Problem | None:
    """The problem that words of a no tell of; None where they are not known."""
    return next(
        (problem for pattern, problem in NOES.items() if pattern.search(message)), None
    )


def meaning_of(failure: Failure) -> Meaning:
    """Classify a failure."""
    if failure.kind is FailureKind.MISFIT:
        return Meaning.UNANSWERED  # another try would bring the same answer
    if failure.status is None:
        return _without_answer(failure)
    if is_throttled(
        failure
    ):  # a code in an answer may come after the effect: one call of ours is several upstream
        may_have_happened = failure.effect and failure.status != TOO_MANY
        return Meaning.UNANSWERED if may_have_happened else Meaning.RETRY_LATER
    if failure.code is None or 300 <= failure.status < 400:
        return _without_envelope(failure, failure.status)
    return _with_envelope(failure, failure.status, failure.code)


def is_throttled(failure: Failure) -> bool:
    """Whether the service asks for fewer calls."""
    return (
        TOO_MANY in (failure.status, _number(failure.code)) or failure.code in THROTTLED
    )


def is_missed(failure: Failure) -> bool:
    """Whether nothing answered, or only with an overload: other calls would fail alike.

    A service that answers against the contract is there: waiting would bring nothing.
    """
    if failure.status is None:
        return failure.kind in (FailureKind.BROKEN, FailureKind.TIMED_OUT)
    if _is_stray(failure, failure.status):
        return True
    return not failure.is_any_no and (
        _is_fault(failure.status) or _is_fault(_number(failure.code))
    )


def _is_stray(failure: Failure, status: int) -> bool:
    """Whether a gateway or a firewall answered in the place of a service that has
    answered there before.

    To an effect, at all: its own path answers only once it is carried out.
    """
    if failure.code is None or 300 <= status < 400:
        is_known = failure.served if failure.effect else failure.proven
        return is_known and 300 <= status < 500 and status not in (401, TOO_MANY)
    return failure.proven and _is_of_path(failure)


def _is_of_path(failure: Failure) -> bool:
    """Whether a read's code 404 may mean its path, and not the thing it asks for."""
    is_no = failure.is_known_refusal or (failure.proven and failure.says_why)
    return failure.code == NOT_FOUND and not (failure.effect or is_no)


def _without_answer(failure: Failure) -> Meaning:
    if not failure.effect:
        return Meaning.RETRY_NOW
    # A time-out on pay can hide a payment (contract 2.7).
    return Meaning.UNANSWERED if failure.sent else Meaning.RETRY_LATER


def _without_envelope(failure: Failure, status: int) -> Meaning:
    """The meaning of an answer that is not the service's: a proxy, a web server, the
    wrong address.
    """
    if status == 401:
        return Meaning.MISCONFIGURED
    if failure.effect:
        return Meaning.UNANSWERED
    is_passing = (
        status < 300
        or _is_fault(status)
        or failure.proven
        or (failure.served and status in OF_ONE_REQUEST)
    )
    return Meaning.RETRY_NOW if is_passing else Meaning.MISCONFIGURED


def _with_envelope(failure: Failure, status: int, code: str) -> Meaning:
    meaning = (
        Meaning.UNANSWERED if failure.effect or failure.is_any_no else Meaning.RETRY_NOW
    )
    if code == NONCE_USED or (
        failure.effect and _is_of_account(status, code) and code not in BEFORE_ALL
    ):
        return meaning  # a proxy repeated the request: the first copy may have been carried out
    if _is_of_account(status, code):
        return Meaning.MISCONFIGURED
    is_known_no = failure.is_any_no and failure.is_known_refusal and not failure.effect
    if code == SUCCESS or (
        (_is_fault(status) or _is_fault(_number(code))) and not is_known_no
    ):
        return meaning
    if _is_of_path(failure):
        return Meaning.RETRY_NOW if failure.proven else Meaning.MISCONFIGURED
    if (
        failure.effect
        and not failure.is_known_refusal
        and not _is_refusal(_number(code))
    ):
        return (
            Meaning.UNANSWERED
        )  # only what is sure to be a refusal counts as one (contract 1.6)
    return Meaning.REFUSED


def _is_of_account(status: int | None, code: str) -> bool:
    return 401 in (status, _number(code))


def is_of_account(error: XportcnError) -> bool:
    """Whether an effect that was sent was refused for the account, and not as a copy of
    a request that came before.
    """
    return _is_of_account(error.status, error.code) and error.code != NONCE_USED


def not_allowed(error: XportcnError) -> Misconfigured:
    """The error of an account that may not do this: one effect is in doubt, and no
    further one is sent.
    """
    message = error.message.removesuffix(MAYBE)
    return Misconfigured(
        f"{message}: check XPORTCN_*, this machine's clock, and in the service's console what the account may do",
        operation=error.operation,
        request_id=error.request_id,
        status=error.status,
        code=error.code,
    )


def _number(code: str | None) -> int:
    """An envelope code as an HTTP status: the service builds 40103 from 401. 0 for
    codes of another kind.
    """
    if code is None or not (code.isascii() and code.isdigit()):
        return 0
    return int(code[:3]) if len(code) in (3, 5) else 0


def _is_refusal(status: int) -> bool:
    """Whether a status refuses: 4xx, but for codes that also mean that the request is
    under way already.
    """
    return 400 <= status < 500 and status not in (409, 423, 425)


def _is_fault(status: int) -> bool:
    return 500 <= status < 600 or status == 408


def wait_before_retry(
    meaning: Meaning,
    *,
    tried: int,
    retries: int,
    retry_after_s: float | None,
    luck: float,
) -> float | None:
    """Seconds to wait before the next try of a read, None to give up.

    `tried` counts the tries so far, `luck` is a random number of [0, 1): full jitter,
    so that many callers that failed together don't come back together. When the service
    asks for more than `MOST_RETRY_AFTER_S`, the caller decides.
    """
    if tried > retries or meaning not in (Meaning.RETRY_NOW, Meaning.RETRY_LATER):
        return None
    if retry_after_s is None:
        return luck * min(MOST_S, BASE_S * 2.0 ** (tried - 1))
    return retry_after_s if retry_after_s <= MOST_RETRY_AFTER_S else None


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """The wait of `Retry-After`, in seconds from `now` (unix), a year at most; the
    header gives seconds or a date.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER_S)
    moment = _http_date(text)
    return (
        min(max(0.0, moment.timestamp() - now), LONGEST_RETRY_AFTER_S)
        if moment
        else None
    )


def skew_s(headers: Mapping[str, str], now: float) -> int | None:
    """How many seconds our clock is ahead of the service's `Date` (negative: behind),
    None without one.
    """
    moment = _http_date(headers.get("date", ""))
    return round(now - moment.timestamp()) if moment else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


MOST_SKEW_S = 600
RENEW = "the account's access to the marketplace has expired: renew it in the service's console"

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
    """A failed call with all that is known of it. `words` are the service's, or
    `words_of` the error.

    `field` is where an answer does not fit, `fault` the reason, empty for an answer
    that was not read at all. With a `place` of the operation the fault is an
    amount whose unit is not clear.
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
    meaning = failed.meaning
    failure = failed.failure
    if meaning is Meaning.MISCONFIGURED or (
        meaning is Meaning.RETRY_NOW and failure.code == NONCE_USED
    ):
        return Misconfigured(_remedy(failed))
    if meaning is Meaning.REFUSED:
        message = failed.words or "refused without a word"
        return Refused(
            f"{message}: {RENEW}" if failure.code in EXPIRED_TOKENS else message
        )
    if meaning is Meaning.RETRY_LATER or not failure.sent:
        return NotSent(_why_not_sent(failed), retry_after_s=failed.retry_after_s)
    if failure.kind is FailureKind.MISFIT:
        if failed.place:
            return UnitUnclear(
                _why_misfit(failed),
                field=failed.field,
                amount=failed.fault,
                place=failed.place,
            )
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
    guess = (
        "; the path itself is assumed"
        if operation.provenance is Provenance.ASSUMED
        else ""
    )
    return (
        f"{operation.method} {operation.path} at {failed.address} was not answered by the service "
        f"(HTTP {failed.failure.status}): check XPORTCN_BASE_URL{guess}"
    )


def _why_not_sent(failed: FailedCall) -> str:
    if failed.failure.status is not None:
        wait = (
            ""
            if failed.retry_after_s is None
            else f", it asks to wait {failed.retry_after_s:g} seconds"
        )
        return f"the service has too many calls{wait}; nothing was done"
    return (
        f"no connection to {failed.address} ({failed.words}). "
        "Is the service or the sandbox running? Check XPORTCN_BASE_URL"
    )


def _why_misfit(failed: FailedCall) -> str:
    if not failed.field:
        return failed.words
    message = f"the answer does not fit the contract at `{failed.field}`"
    if failed.place:
        return f"{message}: {failed.fault} where fen are whole; if they are yuan, set XPORTCN_UNITS={failed.place}=yuan"
    return f"{message}: {failed.fault}" if failed.fault else message


def _why_unanswered(failed: FailedCall) -> str:
    what = what_came(failed)
    return f"{what}{MAYBE}" if failed.failure.effect else what


def what_came(failed: FailedCall) -> str:
    """The words for what came in place of an answer."""
    failure = failed.failure
    if failure.status is None and not failure.sent:
        return f"no connection to {failed.address}, XPORTCN_BASE_URL"
    if failure.kind is FailureKind.TIMED_OUT:
        return f"no answer in time ({failed.words})"
    if failure.kind is FailureKind.GARBLED:
        return (
            f"the answer can't be read and does not fit the contract ({failed.words})"
        )
    if failure.status is None:
        return f"the connection broke before the answer ({failed.words})"
    if failure.code is None:
        page = f"HTTP {failure.status} came in place of the service's answer, from a gateway or a firewall before it"
        or_path = (
            ""
            if failure.proven or _is_fault(failure.status)
            else f", or {_address_remedy(failed)}"
        )
        unfit = "the answer is not the service's and does not fit the contract"
        return f"{page}{or_path}" if failure.status >= 300 else unfit
    return f"the service failed ({failed.words or 'no reason given'})"
