"""Parts of reasons and of reports: each a name with the words of its facts, so that no fact is prose."""

from __future__ import annotations

from enum import StrEnum


# fmt: off
class Part(StrEnum):
    """The templates of parts, in the form of the sentences of codes."""

    words: str

    def __new__(cls, value: str, words: str) -> Part:
        part = str.__new__(cls, value)
        part._value_, part.words = value, words
        return part

    # the cause that stops a run
    TIME_UP = "time_up", "the time was up"
    TOO_MANY_CALLS = "too_many_calls", "the service had too many calls"
    SERVICE_AWAY = "service_away", "the service was away"
    # how far an order came
    NOT_ORDERED = "not_ordered", "approved, not ordered yet"
    NOT_PAID = "not_paid", "ordered, not paid yet"
    NOT_CONFIRMED = "not_confirmed", "paid, not confirmed yet"
    NOT_BOOKED = "not_booked", "paid, not booked yet"
    # what happens next
    RUN_AGAIN = "run_again", "Run again"
    RUN_AGAIN_TO_PLAN = "run_again_to_plan", "Run again to plan it"
    RUN_AGAIN_TO_GO_ON = "run_again_to_go_on", "Run again to go on"
    RUN_PLANS_IT = "run_plans_it", "The run of {at} UTC plans it"
    NEXT_FOLLOW_UP = "next_follow_up", "The next follow-up of the batch goes on"
    FOLLOW_UP_AT = "follow_up_at", "finish-batch goes on at {at} UTC"
    AFTER_RESUME = "after_resume", "It goes on after resume-buying in the Prefect UI, or: sourcing resume"
    RESUME_AND_RUN = "resume_and_run", "To go on: sourcing resume, then run again"
    # which item the words of a line mean
    NOT_SEARCHED_YET = "not_searched_yet", "not looked up yet: the service was away"
    NOT_SEARCHED = "not_searched", "could not be searched for ({failure})"
    NOTHING_FOUND = "nothing_found", "nothing on {marketplace} matches {words!r}; a dry run searches anew"
    NO_TITLE_HAS_ALL = "no_title_has_all", ("no title on {marketplace} holds all of {words!r}; put one of these ids in "
        "column item: {offers:; }")
    ONLY_OFFER = "only_offer", ("the only offer found; its title holds [several?all the words][one?the word]"
        "[; an earlier run had taken {earlier}]")
    ONLY_TITLE = "only_title", ("the only one of the first {found} offers found whose title holds all the words"
        "[; an earlier run had taken {earlier}]")
    FIRST_TITLE = "first_title", ("the first of the {whole} offers whose titles hold all the words, as the marketplace "
        "ranks them[; an earlier run had taken {earlier}]")
    SPARE_OFFER = "spare_offer", "number {place} in the SKU book, since the one before can't be bought: {why}"
    # why freight is not known
    FREIGHT_NOT_BOOKED = "freight_not_booked", "shipping is not booked yet, so what it costs is not known"
    FREIGHT_NOT_SHOWN = "freight_not_shown", "the warehouse did not show what shipping cost"
    FREIGHT_BELOW_ZERO = "freight_below_zero", "what shipping cost is below zero"
    FREIGHT_IN_SEVERAL = "freight_in_several", "the freight of its parcel was paid in {currencies}"
    GOODS_IN_SEVERAL = "goods_in_several", ("its parcel holds goods bought in {currencies}, and their weights are not "
        "known")
    # what a reconciliation could not read
    NOT_SETTLED = "not_settled", "{marketplace}: what is open there can't be asked about ({failure})"
    NOT_LISTED = "not_listed", "{marketplace}: its orders could not be listed ({failure})"
    LIST_LACKS = "list_lacks", ("{marketplace}: {lacks}, so what it does not show, missing or unknown here, stays "
        "open")
    NOT_READ_SINGLY = "not_read_singly", "{marketplace}: {count} orders could not be looked up one by one ({failure})"
    TOO_MANY_TO_READ = "too_many_to_read", "{marketplace}: {count} more orders were not looked up one by one"
    REFUNDS_NOT_COMPARED = "refunds_not_compared", "{failure}"
    WALLET_NOT_COMPARED = "wallet_not_compared", ("the wallet's statement was not compared: not all orders could be "
        "read, or were asked for")
    # what a crawl could not fetch
    NOT_FETCHED = "not_fetched", ("{marketplace} {item}: [failure?{failure}][earlier?it failed before this run was "
        "broken off]")
# fmt: on
