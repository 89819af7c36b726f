"""How a flow ends that can't do what it was asked: with one message, not with a traceback."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from flows.failures import EXPECTED, failed, speak_plainly

P = ParamSpec("P")
R = TypeVar("R")
Work = Callable[P, Coroutine[Any, Any, R]]


def ends_plainly(*further: type[Exception]) -> Callable[[Work[P, R]], Work[P, R]]:
    """For the function of a flow: failures that a person can mend, and `further` ones, become the run's message.

    Whoever calls the flow as a function gets them raised.
    """

    expected: tuple[type[Exception], ...] = (*EXPECTED, *further)

    def decorated(work: Work[P, R]) -> Work[P, R]:
        @functools.wraps(work)
        async def worked(*args: P.args, **kwargs: P.kwargs) -> R:
            speak_plainly()
            try:
                return await work(*args, **kwargs)
            except expected as error:
                state: R = failed(error)
                return state

        # Prefect reads the form's fields in the module that the function is of, which is this one
        vars(worked)["__signature__"] = inspect.signature(work, eval_str=True)
        worked.__annotations__ = inspect.get_annotations(work, eval_str=True)
        return worked

    return decorated
