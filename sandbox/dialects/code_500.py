"""The code of a fault for every no."""

from __future__ import annotations

from sandbox.dialects.dialect import ChangesRefusal, Dialect, Mark
from sandbox.refusals import NO_SUCH_OPERATION, Refusal

ABOUT_THE_ACCOUNT = "401"


def one_code(code: int) -> ChangesRefusal:
    """Every refusal under this code, but those of the account and of unknown paths."""

    def change(_path: str, refusal: Refusal) -> Refusal:
        is_kept = (
            str(refusal.code).startswith(ABOUT_THE_ACCOUNT)
            or refusal.code == NO_SUCH_OPERATION
        )
        return refusal if is_kept else Refusal(code, refusal.message)

    return change


CODE_500 = Dialect(
    name="code-500",
    sentence="Every no of the service but to the account has code 500 with its words, at HTTP 200.",
    source="Back ends of this family use 500 for any no of the business; no page of the service lists its codes.",
    mark=Mark.INFERRED,
    changes_refusal=one_code(500),
)
