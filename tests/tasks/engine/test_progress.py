"""What is said while the service keeps a run waiting."""

from __future__ import annotations

import pytest

from connectors.xportcn.breaker import BACK, BreakerNews
from tasks.engine.progress import Waiting, listening, notify_listeners, waiting_words

AWAY = BreakerNews(
    "the service is away (no connection to http://127.0.0.1:8790)",
    for_s=40,
    next_try_s=15,
)


@pytest.mark.parametrize(
    ("news", "later_s", "words"),
    [
        (
            AWAY,
            0,
            "the service is away for 40 s, next try in 15 s (no connection to http://127.0.0.1:8790)",
        ),
        (
            AWAY,
            5,
            "the service is away for 45 s, next try in 10 s (no connection to http://127.0.0.1:8790)",
        ),
        (
            AWAY,
            20,
            "the service is away for 60 s, next try in 0 s (no connection to http://127.0.0.1:8790)",
        ),
        (
            BreakerNews("the service has too many calls", for_s=3, next_try_s=7200),
            0,
            "the service has too many calls for 3 s, next try in 120 min",
        ),
    ],
)
def test_words_count_down(news: BreakerNews, later_s: float, words: str) -> None:
    assert waiting_words(news, later_s) == words


def test_it_is_said_when_it_begins_and_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In between once in a while; throttling has no end that is told, so it is taken
    for over after a time.
    """
    instant = [1000.0]
    monkeypatch.setattr("tasks.engine.progress.time.monotonic", lambda: instant[0])
    waiting = Waiting(60)
    assert waiting.update(BACK) == ""
    assert waiting.update(AWAY).startswith("the service is away for 40 s")
    instant[0] += 30
    assert waiting.update(AWAY) == ""
    instant[0] += 31
    assert waiting.update(AWAY).startswith("the service is away for 40 s")
    assert waiting.update(BACK) == "the service is back after 101 s"
    assert (waiting.is_waiting, waiting.words) == (False, "")
    throttled = BreakerNews("the service has too many calls", next_try_s=5)
    assert waiting.update(throttled)
    assert waiting.is_waiting
    instant[0] += 36
    assert (waiting.is_waiting, waiting.words) == (False, "")
    assert waiting.update(throttled)


def test_everybody_who_listens_hears_it() -> None:
    """The terminal, and the boards of all runs of the process."""
    first = list[BreakerNews]()
    second = list[BreakerNews]()
    with listening(first.append), listening(second.append):
        notify_listeners(AWAY)
    notify_listeners(BACK)
    assert first == second == [AWAY]


def test_a_listener_that_can_say_nothing_any_more_keeps_no_answer_from_its_call() -> (
    None
):
    """The terminal was closed: a payment that is answered at that moment is still
    heard.
    """

    def broken(_: BreakerNews) -> None:
        raise BrokenPipeError

    heard = list[BreakerNews]()
    with listening(broken), listening(heard.append):
        notify_listeners(AWAY)
    assert heard == [AWAY]
