"""One code for every no."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.refusals import NO_SUCH_OPERATION, Refusal

CODE = 1009
ABOUT_THE_ACCOUNT = "401"


def _refusal(_path: str, refusal: Refusal) -> Refusal:
    is_kept = str(refusal.code).startswith(ABOUT_THE_ACCOUNT) or refusal.code == NO_SUCH_OPERATION
    return refusal if is_kept else Refusal(CODE, refusal.message)


CODE_1009 = Dialect(
    name="code-1009",
    sentence="Every no of the service but to the account has code 1009 with its words, at HTTP 200.",
    source="A reseller of the same marketplaces lists 200, 400, 401, 500 and 1009, any no of the business.",
    mark=Mark.RESELLER,
    changes_refusal=_refusal,
)
