"""The one decision on what a failure means, as a table: status, envelope, effect,
sent.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from connectors.xportcn.failures import (
    Failure,
    FailureKind,
    Meaning,
    is_missed,
    meaning_of,
)
from tests.in_turn import in_turn

NOW, LATER, REFUSED, UNANSWERED, MISCONFIGURED = Meaning

# (HTTP status, envelope code): meaning for a read, meaning for an effect
ANSWERED = {
    (200, None): (NOW, UNANSWERED),
    (200, "200"): (NOW, UNANSWERED),
    (200, "400"): (REFUSED, REFUSED),
    (200, "404"): (MISCONFIGURED, REFUSED),
    (200, "429"): (LATER, UNANSWERED),
    (200, "42900"): (LATER, UNANSWERED),
    (200, "500"): (NOW, UNANSWERED),
    (200, "50001"): (NOW, UNANSWERED),
    (200, "500_004"): (REFUSED, UNANSWERED),
    (200, "4003"): (REFUSED, UNANSWERED),
    (200, "gw.QosAppFrequencyLimit"): (LATER, UNANSWERED),
    (400, "gw.QosApiFrequencyLimit"): (LATER, UNANSWERED),
    (200, "ApiCallLimit"): (LATER, UNANSWERED),
    (200, "40101"): (MISCONFIGURED, MISCONFIGURED),
    (200, "40401"): (REFUSED, REFUSED),
    (200, "40900"): (REFUSED, UNANSWERED),
    (200, "42001"): (REFUSED, REFUSED),
    (200, "423"): (REFUSED, UNANSWERED),
    (200, "42500"): (REFUSED, UNANSWERED),
    (204, None): (NOW, UNANSWERED),
    (301, None): (MISCONFIGURED, UNANSWERED),
    (302, "200"): (MISCONFIGURED, UNANSWERED),
    (400, None): (MISCONFIGURED, UNANSWERED),
    (400, "200"): (NOW, UNANSWERED),
    (400, "40001"): (REFUSED, REFUSED),
    (401, None): (MISCONFIGURED, MISCONFIGURED),
    (401, "40101"): (MISCONFIGURED, MISCONFIGURED),
    (401, "40102"): (MISCONFIGURED, MISCONFIGURED),
    (401, "40103"): (MISCONFIGURED, UNANSWERED),
    (401, "40104"): (NOW, UNANSWERED),
    (401, "40105"): (MISCONFIGURED, MISCONFIGURED),
    (401, "40106"): (MISCONFIGURED, MISCONFIGURED),
    (401, "7"): (MISCONFIGURED, UNANSWERED),
    (401, "401"): (MISCONFIGURED, UNANSWERED),
    (200, "401"): (MISCONFIGURED, UNANSWERED),
    (200, "40100"): (MISCONFIGURED, UNANSWERED),
    (403, None): (MISCONFIGURED, UNANSWERED),
    (403, "403"): (REFUSED, REFUSED),
    (404, None): (MISCONFIGURED, UNANSWERED),
    (404, "404"): (MISCONFIGURED, REFUSED),
    (404, "40402"): (REFUSED, REFUSED),
    (408, None): (NOW, UNANSWERED),
    (408, "408"): (NOW, UNANSWERED),
    (409, None): (MISCONFIGURED, UNANSWERED),
    (409, "409"): (REFUSED, UNANSWERED),
    (429, None): (LATER, LATER),
    (429, "429"): (LATER, LATER),
    (429, "ApiCallLimit"): (LATER, LATER),
    (500, None): (NOW, UNANSWERED),
    (500, "500"): (NOW, UNANSWERED),
    (500, "40001"): (NOW, UNANSWERED),
    (502, None): (NOW, UNANSWERED),
    (503, None): (NOW, UNANSWERED),
    (504, None): (NOW, UNANSWERED),
}

# kind, effect, sent: meaning
NOT_ANSWERED = [
    (FailureKind.BROKEN, False, False, NOW),
    (FailureKind.BROKEN, False, True, NOW),
    (FailureKind.BROKEN, True, False, LATER),
    (FailureKind.BROKEN, True, True, UNANSWERED),
    (FailureKind.TIMED_OUT, False, False, NOW),
    (FailureKind.TIMED_OUT, False, True, NOW),
    (FailureKind.TIMED_OUT, True, False, LATER),
    (FailureKind.TIMED_OUT, True, True, UNANSWERED),
    (FailureKind.GARBLED, False, True, NOW),
    (FailureKind.GARBLED, True, True, UNANSWERED),
]


@in_turn(
    "status, code, effect, sent",
    [
        (*answer, effect, sent)
        for answer, effect, sent in product(ANSWERED, (False, True), (False, True))
    ],
)
def test_an_answer_means_what_its_status_and_envelope_say(
    *, status: int, code: str | None, effect: bool, sent: bool
) -> None:
    """An HTTP answer is judged by status, envelope and effect; whether we saw it leave
    adds nothing.
    """
    failure = Failure(
        kind=FailureKind.ANSWERED, effect=effect, sent=sent, status=status, code=code
    )
    assert meaning_of(failure) is ANSWERED[status, code][effect]


# (HTTP status, envelope code) for a read of a service that answered before: meaning,
# whether it is missed
STRAY = {
    (302, None): (NOW, True),
    (302, "200"): (NOW, True),
    (403, None): (NOW, True),
    (404, None): (NOW, True),
    (405, None): (NOW, True),
    (413, None): (NOW, True),
    (401, None): (MISCONFIGURED, False),
    (401, "40101"): (MISCONFIGURED, False),
    (404, "404"): (NOW, True),
    (200, "404"): (NOW, True),
    (404, "40402"): (REFUSED, False),
}


@pytest.mark.parametrize(("status", "code"), STRAY)
def test_a_page_of_a_gateway_before_a_service_that_answered_concerns_a_call_or_a_moment(
    *, status: int, code: str | None
) -> None:
    """A wrong setting would have shown before. An effect that met one may have been
    carried out, as ever.
    """
    read = Failure(
        kind=FailureKind.ANSWERED,
        effect=False,
        sent=True,
        status=status,
        code=code,
        served=True,
        proven=True,
    )
    assert (meaning_of(read), is_missed(read)) == STRAY[status, code]
    effect = replace(read, effect=True)
    assert meaning_of(effect) is ANSWERED.get((status, code), (NOW, UNANSWERED))[1]
    assert is_missed(effect) is (is_missed(read) and code != "404")


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (302, MISCONFIGURED),
        (401, MISCONFIGURED),
        (403, NOW),
        (404, MISCONFIGURED),
        (405, MISCONFIGURED),
        (413, NOW),
    ],
)
def test_a_page_at_a_path_that_never_answered_is_no_outage(
    *, status: int, meaning: Meaning
) -> None:
    """The path may be wrong, whatever else has answered; a firewall may stop one
    request for what is in it.
    """
    read = Failure(
        kind=FailureKind.ANSWERED, effect=False, sent=True, status=status, served=True
    )
    assert (meaning_of(read), is_missed(read)) == (meaning, False)
    effect = replace(read, effect=True)
    assert (meaning_of(effect), is_missed(effect)) == (
        (UNANSWERED, True),
        (MISCONFIGURED, False),
    )[status == 401]


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("is_known", "says_why", "proven", "meaning"),
    [
        (True, True, False, REFUSED),
        (True, True, True, REFUSED),
        (False, True, True, REFUSED),
        (False, True, False, MISCONFIGURED),
    ],
)
def test_404_with_words_of_its_own_is_a_no(
    *, is_known: bool, says_why: bool, proven: bool, meaning: Meaning, status: int
) -> None:
    """Not of a path that never answered, unless the words are known: there the path may
    be wrong.
    """
    failure = Failure(
        kind=FailureKind.ANSWERED,
        effect=False,
        sent=True,
        status=status,
        code="404",
        is_known_refusal=is_known,
        says_why=says_why,
        proven=proven,
    )
    assert (meaning_of(failure), is_missed(failure)) == (meaning, False)


@pytest.mark.parametrize(("kind", "effect", "sent", "meaning"), NOT_ANSWERED)
def test_without_an_answer_it_matters_whether_it_was_sent(
    *, kind: FailureKind, effect: bool, sent: bool, meaning: Meaning
) -> None:
    """An effect that left and was not answered may have happened; one that never left
    has not.
    """
    assert meaning_of(Failure(kind=kind, effect=effect, sent=sent)) is meaning


@pytest.mark.parametrize("effect", [False, True])
def test_a_success_that_does_not_fit_is_never_tried_again(*, effect: bool) -> None:
    """A misfit would come again, and behind an effect's misfit stands a success."""
    failure = Failure(
        kind=FailureKind.MISFIT, effect=effect, sent=True, status=200, code="200"
    )
    assert meaning_of(failure) is UNANSWERED


def test_an_effect_that_left_is_never_tried_again_by_itself() -> None:
    """Whatever comes back, `retry_now` is not what an effect gets."""
    statuses = [None, *range(200, 600)]
    codes = [None, "200", "401", "40104", "500", "x", "1" * 40, "²³¹"]
    for kind, status, code in product(FailureKind, statuses, codes):
        failure = Failure(kind=kind, effect=True, sent=True, status=status, code=code)
        assert meaning_of(failure) is not NOW, failure


@pytest.mark.parametrize(
    ("effect", "is_known", "says_why", "meaning", "missed"),
    [
        (False, False, False, NOW, True),
        (False, True, True, REFUSED, False),
        (False, False, True, UNANSWERED, False),
        (True, False, True, UNANSWERED, False),
    ],
)
def test_500_with_words_of_its_own_is_an_answer(
    *, effect: bool, is_known: bool, says_why: bool, meaning: Meaning, missed: bool
) -> None:
    """A no to a read where its words are known, else no answer, once; the service is
    there either way.
    """
    failure = Failure(
        kind=FailureKind.ANSWERED,
        effect=effect,
        sent=True,
        status=200,
        code="500",
        is_known_refusal=is_known,
        says_why=says_why,
    )
    assert (meaning_of(failure), is_missed(failure)) == (meaning, missed)
