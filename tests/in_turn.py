"""Hundreds of quick cases as one test: collecting and reporting each by itself takes
longer than playing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import signature
from typing import Any


def in_turn(
    names: str, cases: Iterable[Any], shown: Callable[[Any], object] = repr
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Like `parametrize`, for a test whose cases leave nothing behind; a failure's note
    says in which it happened.
    """

    def of_one_case(test: Callable[..., None]) -> Callable[..., None]:
        several = names.split(", ")

        @wraps(test)
        def of_all(**fixtures: Any) -> None:
            for case in cases:
                try:
                    test(
                        **fixtures,
                        **dict(
                            zip(
                                several,
                                case if len(several) > 1 else [case],
                                strict=True,
                            )
                        ),
                    )
                except BaseException as error:
                    error.add_note(f"{names}: {shown(case)}")
                    raise

        total = signature(test)
        parameters = [
            parameter
            for name, parameter in total.parameters.items()
            if name not in several
        ]
        vars(of_all)["__signature__"] = total.replace(parameters=parameters)
        return of_all

    return of_one_case
