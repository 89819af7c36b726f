"""The codes of reasons: the sentence of each, its class, what to do about it, and who can do that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

AGAIN = (
    "then [typed?run the command again][deployed?press Retry on the run's page]"
    "[scheduled?, or wait for the next run of its schedule]"
)
ASK_CARRIER = "ask the carrier or the seller: sourcing status REFERENCE shows the numbers and the last scans"
FIND_OUT = "find out why in the log of the run, then press Retry on its page"
CONFIRM = "Nothing is ordered or paid at {marketplace} until it is checked: sourcing ledger confirm {marketplace}"


class ReasonKind(IntEnum):
    """The classes of reasons. Where two reasons meet, that of the higher class stands."""

    NOTE = 0
    """The order goes on, or is over."""
    WAITS = 1
    """Nothing is wrong with the order: a later run goes on."""
    CHOICE = 2
    """A person has not agreed yet."""
    REQUEST = 3
    """The request can't be bought as it stands."""
    LIMIT = 4
    """More than a limit allows."""
    DOUBT = 5
    """The service's answer is not clear, or may not be true."""
    MONEY = 6
    """Money has left, and not all is as it was approved."""
    OTHER = 7
    """Of a run, a parcel, a callback, a message, or a part of a reason: no order stands by it."""


class Actor(StrEnum):
    MERCHANT = "merchant"
    OPERATOR = "operator"
    NOBODY = "none: it ends by itself"


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a code. `command` is the word of the command that leads on; `again`: a later run tries again."""

    kind: ReasonKind
    sentence: str
    remedy: str
    command: str
    who: Actor
    again: bool


K = ReasonKind


def _words(
    kind: K, sentence: str, remedy: str = "", *, command: str = "", who: Actor | None = None, again: bool | None = None
) -> Wording:
    who = who or (Actor.NOBODY if kind in (K.NOTE, K.WAITS) or (kind is K.OTHER and not remedy) else Actor.MERCHANT)
    goes_on = kind not in (K.NOTE, K.DOUBT, K.MONEY, K.OTHER)
    return Wording(kind, sentence, remedy, command, who, goes_on if again is None else again)


# Facts stand in braces. A part in brackets is there when each fact in it is, or the one before its question mark.
# fmt: off
class ReasonCode(StrEnum):
    """Why an order, an effect, a run, a callback, a parcel or a message stands as it does."""

    words: Wording

    def __new__(cls, value: str, words: Wording) -> ReasonCode:
        code = str.__new__(cls, value)
        code._value_, code.words = value, words
        return code

    @classmethod
    def of(cls, text: str | None) -> ReasonCode | None:
        """The code that a ledger holds; None also for a code that a later program has written."""
        return CODES.get(text or "")

    # of earlier programs
    EARLIER = "earlier", _words(K.CHOICE, "a reason of an earlier program")
    # the request can't be bought as it stands
    SKU_UNKNOWN = "sku_unknown", _words(K.REQUEST, "{item} has no SKU {wish}; it has {choices}",
        "put one of these into column sku: {choices}")
    SKU_NOT_CHOSEN = "sku_not_chosen", _words(K.REQUEST, "{item} ({title}) has {count} SKUs; {remedy}",
        "put one in column sku: {choices}")
    NOT_ON_SALE = "not_on_sale", _words(K.REQUEST, "{item} ({title}) is no longer on sale",
        "drop the line, or name another item")
    OFFER_STATE_UNKNOWN = "offer_state_unknown", _words(K.REQUEST, "{item} ({title}) is in a state that this program "
        "does not know ({state}): {remedy}", "see its page on {marketplace}; drop the line, or run again when it "
        "is on sale")
    BELOW_MINIMUM = "below_minimum", _words(K.REQUEST, "{title} ({item}): the seller's minimum is {least}, asked "
        "{asked}", "ask for at least {least}, or drop the line")
    OUT_OF_STOCK = "out_of_stock", _words(K.REQUEST, "{title} ({item}): {stock} in stock, asked {asked}",
        "ask for {stock} at most, or drop the line")
    NO_SUCH_ITEM = "no_such_item", _words(K.REQUEST, "{marketplace} has no item {item}",
        "correct the item, or drop the line")
    SEVERAL_SELLERS = "several_sellers", _words(K.REQUEST, "one order, several sellers ({sellers}): {remedy}",
        "give each seller an order_ref of its own")
    SEVERAL_DEPOTS = "several_depots", _words(K.REQUEST, "the service would split this into {count} orders, since its "
        "items lie in different depots: {remedy}", "give the items of each depot an order_ref of their own")
    ONE_PRODUCT_AN_ORDER = "one_product_an_order", _words(K.REQUEST, "{marketplace} refuses an order of several "
        "products ({failure}), and may take one an order: {remedy}", "give each product an order_ref of its own")
    ADDRESS_INCOMPLETE = "address_incomplete", _words(K.REQUEST, "the receiver's address is incomplete: {remedy}",
        "fill in {columns}")
    OWN_SKU_MISSING = "own_sku_missing", _words(K.REQUEST, "the SKU book has no entry for {own_skus}: {remedy}",
        "add a row to the SKU book for each, then run again")
    OWN_SKUS_ALIKE = "own_skus_alike", _words(K.REQUEST, "{own_skus} are one and the same variant, {item}: {remedy}",
        "give one of them an order_ref of its own")
    WORDS_NOT_SEARCHED = "words_not_searched", _words(K.WAITS, "{why}")
    WORDS_AMBIGUOUS = "words_ambiguous", _words(K.REQUEST, "{why}", "put the id that is meant into column item")
    WORDS_FOUND_NOTHING = "words_found_nothing", _words(K.REQUEST, "{why}",
        "write other words, or an id, into column item")
    QUOTE_REFUSED = "quote_refused", _words(K.REQUEST, "{problems:; }", "change the lines, or drop them")
    PREVIEW_REFUSED = "preview_refused", _words(K.REQUEST, "{failure}", "do what the service says, then run again")
    QUOTE_ON_HOLD = "quote_on_hold", _words(K.REQUEST, "{why}. {remedy}",
        "If one of them is no credit, add it to XPORTCN_TRADE_TYPES and run again", who=Actor.OPERATOR)
    NO_FREIGHT_TO_COUNTRY = "no_freight_to_country", _words(K.REQUEST, "no freight service to {country}",
        "drop the order, or send it elsewhere")
    FREIGHT_SERVICE_UNKNOWN = "freight_service_unknown", _words(K.REQUEST,
        "no freight service {wish!r} to {country}; offered: {offered}", "put one that is offered into column freight")
    # limits
    PRICE_ABOVE_LIMIT = "price_above_limit", _words(K.LIMIT, "{lines:; }: {remedy}",
        "raise max_unit_price or drop the line")
    OVER_ORDER_LIMIT = "over_order_limit", _words(K.LIMIT, "{costs}[tolerated? with the price tolerance] is above the "
        "limit for one order, {limit}", "raise the limit for one order, or buy less")
    OVER_BUDGET = "over_budget", _words(K.LIMIT, "{costs}[tolerated? with the price tolerance] does not fit the "
        "budget: {taken} of {limit} is taken", "raise the budget, and run the same file again", command="run")
    OVER_DAY_LIMIT = "over_day_limit", _words(K.LIMIT, "{costs}[tolerated? with the price tolerance] does not fit the "
        "day's limit: {taken} of {limit} is taken", "raise the day's limit, or wait for the next day, and run the same "
        "file again", command="run")
    PRICE_ROSE = "price_rose", _words(K.LIMIT, "the price rose after ordering: {total}, approved {approved}[, at most "
        "{payable} with the price tolerance]. Not paid; the order closes by itself. {remedy}",
        "To buy at the new price, order again under a new order_ref")
    PRICE_FELL = "price_fell", _words(K.NOTE, "its price is within what was approved again: a follow-up, or "
        "its request file, goes on with it", "run its file again, or finish-batch", command="run")
    # approval
    APPROVED = "approved", _words(K.NOTE, "approved by {by} at {at}: {total}, plan {plan}[; order it with: sourcing "
        "cart order {cart}]")
    FREIGHT_APPROVED = "freight_approved", _words(K.NOTE, "freight approved by {by} at {at}: {price}")
    NOT_APPROVED = "not_approved", _words(K.CHOICE, "[freight?freight ]not approved[ by {by}][: {note}]",
        "run the file again to be asked anew", command="run")
    NOT_WANTED = "not_wanted", _words(K.NOTE, "not wanted any more, says {by}[: {note}]; a run that starts after that "
        "and names it plans it anew")
    NOBODY_TO_ASK = "nobody_to_ask", _words(K.CHOICE, "[freight?freight ]not approved: the run had no way to ask",
        "run it at a terminal or from the Prefect UI, or with --yes", command="run")
    ASKING_RUN_CANCELLED = "asking_run_cancelled", _words(K.CHOICE, "[freight?freight ]not approved: its run was "
        "cancelled", "run the file again to be asked anew", command="run")
    ABOVE_APPROVAL_LIMIT = "above_approval_limit", _words(K.CHOICE, "[freight?freight ]not approved: {above}. {remedy}",
        "Run it without --yes at a terminal, or from the Prefect UI, to be asked; or raise SOURCING_APPROVAL_LIMIT_CNY",
        command="run")
    NOBODY_ANSWERED = "nobody_answered", _words(K.CHOICE, "[freight?freight not approved, ][goods?not bought, ]no "
        "answer within {within}", "run the file again to be asked anew", command="run")
    FIRST_GOES_ALONE = "first_goes_alone", _words(K.CHOICE, "not bought yet: {first} goes first at {marketplace}, and "
        "it is not confirmed yet what its payment took from the balance. {remedy}", "Once it is paid, answer the "
        "question: sourcing confirm {marketplace}; then run the file again", command="confirm")
    FIRST_PAYMENT = "first_payment", _words(K.OTHER, "{first}, order {order_id}, is the first one paid at "
        "{marketplace}. Did the balance fall by exactly {amount}, once, by which channel, and does the console show "
        "its goods ({goods}) for your warehouse?", "sourcing confirm {marketplace}", command="confirm")
    DEBIT_PROPOSED = "debit_proposed", _words(K.OTHER, "the last {count} payments ({refs}), each sent once, were seen "
        "as paid within a minute of their answer", "if the console shows a bill and less balance for each at once, set "
        "XPORTCN_PAY_IS=debit: then a payment without an answer settles itself", who=Actor.OPERATOR, command="doctor")
    # not begun, or left in the middle: a later run goes on
    NOT_LOOKED_UP = "not_looked_up", _words(K.WAITS, "not looked up yet: {why}")
    ASKED_IN_VAIN = "asked_in_vain", _words(K.WAITS, "{what} ({failure})")
    ANSWER_UNUSABLE = "answer_unusable", _words(K.DOUBT, "{what} ({failure}). {remedy}", "Run again", again=True,
        command="run")
    BUYING_PAUSED = "buying_paused", _words(K.WAITS, "no {action}: {pause}. It goes on after resume-buying in the "
        "Prefect UI, or: sourcing resume", "sourcing resume", who=Actor.MERCHANT)
    LEFT_PAUSED = "left_paused", _words(K.WAITS, "{left}: {pause}", "sourcing resume", who=Actor.MERCHANT)
    LEFT_UNFINISHED = "left_unfinished", _words(K.WAITS, "{left}: {why}")
    READ_TOO_LONG_AGO = "read_too_long_ago", _words(K.WAITS, "no {action}: no call could be made for so long that what "
        "the service showed before is too old; nothing was sent. {remedy}", "Run again", command="run")
    NOTHING_SENT = "nothing_sent", _words(K.WAITS, "{failure}; nothing was sent. {remedy}", "Run again", command="run")
    TOO_MANY_ORDERS = "too_many_orders", _words(K.WAITS, "the marketplace takes no more orders of this account now: "
        "{failure}; nothing was ordered. {remedy}", "Run again later", command="run")
    ACCOUNT_REFUSED = "account_refused", _words(K.WAITS, "{failure}", "correct the account's settings (XPORTCN_*)",
        who=Actor.OPERATOR)
    RUN_ENDED = "run_ended", _words(K.WAITS, "the run ended before it was sent")
    NEVER_RECEIVED = "never_received", _words(K.WAITS, "the service never received it")
    SENT_ONCE_MORE = "sent_once_more", _words(K.WAITS, "no answer, and nothing shows it: sent once more, as the "
        "service refuses a second one (XPORTCN_BOOKING_REPEATED)")
    DONE_AGAIN = "done_again", _words(K.WAITS, "no answer; done again by the next run")
    FAILED_HARMLESSLY = "failed_harmlessly", _words(K.WAITS, "{failure}")
    WAITS_FOR_FIRST = "waits_for_first", _words(K.WAITS, "not ordered yet: {first} goes first at {marketplace} and was "
        "not read back as ordered[ ({why})]. See to it: sourcing status {first}; a run after that goes on",
        "see to {first}: sourcing status {first}", who=Actor.MERCHANT)
    FIRST_ONES_FAILED = "first_ones_failed", _words(K.DOUBT, "not ordered: none of the first {count} orders at "
        "{marketplace} could be bought ({refs}; the last: {why}). {remedy}", "See to them, then run again", again=True,
        command="run")
    MARKETPLACE_HELD = "marketplace_held", _words(K.DOUBT, "{marketplace} is held ({why}). {remedy}", CONFIRM,
        command="ledger", again=True)
    # carts
    COSTS = "costs", _words(K.NOTE, "costs {total} with postage[, freight {freight}]")
    IN_CART = "in_cart", _words(K.NOTE, "lies in the cart of {marketplace} (rows {rows}): {remedy}",
        "order it with sourcing cart order {order_ref}", who=Actor.MERCHANT)
    TO_BE_CARTED = "to_be_carted", _words(K.WAITS, "to be laid into the cart; {remedy}", "run again")
    CART_PAUSED = "cart_paused", _words(K.WAITS, "not all in the cart: {pause}. {remedy}", "Run again after that",
        who=Actor.MERCHANT)
    NOT_ALL_IN_CART = "not_all_in_cart", _words(K.REQUEST, "not all in the cart. {lines:; }",
        "do what the lines say, then lay it into the cart again")
    CART_INCOMPLETE = "cart_incomplete", _words(K.REQUEST, "not ordered: not all of it lies in the cart; {remedy}",
        "put the rest there with sourcing cart add")
    ROW_IN_THE_WAY = "row_in_the_way", _words(K.REQUEST, "{title} lies in the cart already (row {row}, {quantity} "
        "pieces), and a cart keeps one row a SKU: {remedy}", "order or delete that row first")
    GONE_FROM_CART = "gone_from_cart", _words(K.REQUEST, "line {line} does not lie in the cart any more: {remedy}",
        "use a new order_ref, by cart or by sourcing run")
    CART_FAULT = "cart_fault", _words(K.REQUEST, "not ordered: {fault}; {remedy}",
        "use a new order_ref, by cart or by sourcing run")
    NO_CART = "no_cart", _words(K.REQUEST, "the service has no cart for {marketplace}: {remedy}", "use sourcing run")
    ALREADY_ORDERED = "already_ordered", _words(K.NOTE, "{order_ref} is ordered already ({state})")
    OTHERWISE_IN_CART = "otherwise_in_cart", _words(K.REQUEST, "{order_ref} lies in the cart with other contents: "
        "{remedy}", "new order_ref")
    OTHER_CONTENTS = "other_contents", _words(K.REQUEST, "{order_ref} already stands for an order with other contents "
        "(batch {batch}, {state}), which is left as it is. {remedy}", "To go on with that order, put the old contents "
        "back; to buy something further, give it a new order_ref")
    RECEIVER_FORGOTTEN = "receiver_forgotten", _words(K.REQUEST, "the receiver of {order_ref} was forgotten on {on}, "
        "and nothing is bought as that order any more; {remedy}", "to buy something, give it a new order_ref")
    NAME_FORGOTTEN = "name_forgotten", _words(K.REQUEST, "its receiver was forgotten, and nothing is bought under that "
        "name any more", "give it a new order_ref")
    FORGOTTEN_UNORDERED = "forgotten_unordered", _words(K.NOTE, "its receiver was forgotten before anything was "
        "ordered")
    # refusals of the service
    REFUSED = "refused", _words(K.REQUEST, "{failure}", "do what the service says, then run again")
    ORDER_REFUSED = "order_refused", _words(K.REQUEST, "not ordered: {failure}",
        "do what the service says, then run again", command="run")
    CART_ORDER_REFUSED = "cart_order_refused", _words(K.REQUEST, "not ordered: {failure}. Its lines lie in the cart as "
        "before", "do what the service says, then order it again")
    PAYMENT_REFUSED = "payment_refused", _words(K.MONEY, "not paid: {failure}. {remedy}", "Mend that and run again",
        again=True, command="run")
    BOOKING_REFUSED = "booking_refused", _words(K.MONEY, "paid, not booked: {failure}",
        "do what the service says, then run again", again=True, command="run")
    CANCEL_REFUSED = "cancel_refused", _words(K.MONEY, "not cancelled: {failure}", "look it up in the console",
        command="cancel")
    REFUND_NOT_TAKEN = "refund_not_taken", _words(K.MONEY, "no {what}: {failure}",
        "ask again: sourcing refund {order_ref} --reason REASON", command="refund")
    # two readings that can't both be true
    READINGS_DIFFER = "readings_differ", _words(K.DOUBT, "{both}; {remedy}", "look it up in the console")
    TAKEN_DIFFERS = "taken_differs", _words(K.DOUBT, "{both}; {remedy}", "look in the statement of the wallet")
    UNITS_DIFFER = "units_differ", _words(K.DOUBT, "{both}. [If {told} means yuan, set {setting}. ]{remedy}", CONFIRM,
        command="ledger")
    PRICE_FAR_BELOW_LIMIT = "price_far_below_limit", _words(K.DOUBT, "{lines:; }: less than a twentieth, and it "
        "is not confirmed yet in which unit {marketplace} has amounts. {remedy}", "See its page there: if the price "
        "is right, say so: sourcing confirm {marketplace}[; if it costs that many yuan, set {setting}]. Then run again",
        again=True, command="confirm")
    SEARCH_DIFFERS = "search_differs", _words(K.DOUBT, "{both}. {remedy}", "See its page at {marketplace}: if the "
        "offer's price is right, say so: sourcing confirm {marketplace}. Then run again", again=True, command="confirm")
    UNIT_UNCLEAR = "unit_unclear", _words(K.DOUBT, "{what}: {field} is {amount}, with a decimal point where whole fen "
        "belong. {remedy}", "If the console shows that many yuan, set XPORTCN_UNITS={place}=yuan and run again",
        who=Actor.OPERATOR, again=True, command="run")
    TAKEN_BOTH_WAYS = "taken_both_ways", _words(K.DOUBT, "{what}: of the ways to name {point} ({first}, {second}) the "
        "service refuses neither[ as such: {refused}], so which one it means is open. {remedy}", "Ask its support, set "
        "{setting} to {first} or {second}, and run again", who=Actor.OPERATOR, again=True, command="run")
    NO_PRICE_TOLD = "no_price_told", _words(K.DOUBT, "the service shows no price for {titles}: {remedy}",
        "look it up there", again=True)
    NOTHING_TO_COMPARE = "nothing_to_compare", _words(K.DOUBT, "the preview tells a total of {total} and the price of "
        "nothing, so there is nothing to compare with the offer, which costs {offer}: {remedy}", "compare both with "
        "its page at {marketplace}, and send us the answers (sourcing doctor --live --record DIR)", again=True)
    PREVIEW_ADDS_UP_WRONG = "preview_adds_up_wrong", _words(K.DOUBT, "the preview does not add up: {odd}; {remedy}",
        "look it up there", again=True)
    SHOWN_FOR_NOTHING = "shown_for_nothing", _words(K.DOUBT, "the service shows it for {total}, and nothing is free; "
        "{remedy}", "look it up there")
    PAID_FOR_NOTHING = "paid_for_nothing", _words(K.WAITS, "the service shows it as paid, and not for how much; "
        "{remedy}", "run again", command="run")
    PRICE_NOT_CONFIRMED = "price_not_confirmed", _words(K.WAITS, "the service showed it for {total}, and when asked "
        "again not; {remedy}", "run again", command="run")
    UNKNOWN_STATE = "unknown_state", _words(K.DOUBT, "the service shows it in a state that this program does not know "
        "({state}); {remedy}", "look it up there")
    PAYING_IN_UNKNOWN_STATE = "paying_in_unknown_state", _words(K.DOUBT, "a payment was begun, and the service shows "
        "it in a state that this program does not know ({state}); read again by itself", who=Actor.NOBODY,
        again=True)
    PAID_IN_UNKNOWN_STATE = "paid_in_unknown_state", _words(K.DOUBT, "the service shows it in a state that this "
        "program does not know ({state}); it is booked once that is known, or a parcel is on its way", who=Actor.NOBODY,
        again=True)
    # ownership of an order
    NOT_SHOWN = "not_shown", _words(K.DOUBT, "the service does not show this order; {remedy}",
        "look it up in the console")
    ORDER_NOT_SHOWN = "order_not_shown", _words(K.DOUBT, "the service does not show the order")
    NO_REFERENCE_YET = "no_reference_yet", _words(K.WAITS, "the service does not show our reference on order "
        "{order_id} yet, so it is not paid[. If that lasts, look it up in the console: sourcing confirm "
        "{marketplace}]", "look up order {order_id} in the console", command="confirm", who=Actor.MERCHANT)
    ANOTHERS_REFERENCE = "anothers_reference", _words(K.DOUBT, "order {order_id} carries the reference {reference!r}, "
        "not {order_ref}: {remedy}", "look it up in the console")
    HAS_ANOTHER_ID = "has_another_id", _words(K.DOUBT, "{why}. Not paid: the service has {order_id} for it. {remedy}",
        "Run again", again=True, command="run")
    ID_IS_ANOTHERS = "id_is_anothers", _words(K.DOUBT, "the service names {thing} {id}, which is {owner}'s in this "
        "ledger: not believed[, and looked for by {by}. Run again]", "run again", again=True, command="run")
    ID_IS_ANOTHERS_ASKED = "id_is_anothers_asked", _words(K.DOUBT, "the service names {thing} {id}, which is {owner}'s "
        "in this ledger: not believed. {question} Answer with: {answers}", "answer with: {answers}", command="resolve")
    ID_TAKEN = "id_taken", _words(K.DOUBT, "the service names {thing} {id}, which is {owner}'s in this ledger: "
        "{remedy}", "look both up in the console")
    SEVERAL_ORDERS = "several_orders", _words(K.DOUBT, "the service holds {count} orders for {order_ref}: {order_ids}; "
        "none is paid. {remedy}", "Check them", command="resolve")
    CART_BECAME_SEVERAL = "cart_became_several", _words(K.DOUBT, "the cart became {count} orders: {order_ids}; none is "
        "paid. {remedy}", "Check them", command="resolve")
    ALREADY_THERE = "already_there", _words(K.DOUBT, "the service already has order {orders} under this order_ref, and "
        "this ledger has not ordered it. If it is this order, take it over: {command}. If another ledger ordered it, "
        "use that one: under a new order_ref it would be bought a second time", "take it over: {command}",
        command="resolve")
    MAY_BE_THERE = "may_be_there", _words(K.DOUBT, "{doubt}: one may be this order, bought with another ledger. Look "
        "them up in the console and take ours over (sourcing resolve ORDER_REF --ordered ORDER_ID), then say once that "
        "no other is ours: sourcing ledger confirm {marketplace}", "take ours over (sourcing resolve ORDER_REF "
        "--ordered ORDER_ID), then: sourcing ledger confirm {marketplace}", command="resolve")
    OVERTAKEN = "overtaken", _words(K.DOUBT, "{what} (came when the order was {old}): {remedy}",
        "look it up in the console")
    CAME_LATE = "came_late", _words(K.NOTE, "{what} (came when the order was {old})")
    # an effect without a known outcome
    NO_ANSWER = "no_answer", _words(K.DOUBT, "no answer to {action}[: {why}]", who=Actor.NOBODY, again=True)
    NO_ANSWER_ASKED = "no_answer_asked", _words(K.DOUBT, "no answer to {action}[: {why}]. {question} Answer with: "
        "{answers}", "answer with: {answers}", command="resolve")
    WAS_REFUSED = "was_refused", _words(K.DOUBT, "refused ({failure})[; {why}]")
    REFUSED_UNASKED = "refused_unasked", _words(K.DOUBT, "refused ({failure}), and the service could not be asked for "
        "the order's state")
    REFUSED_BUT = "refused_but", _words(K.DOUBT, "refused ({failure}), but {seen}")
    REFUSED_UNCLEARLY = "refused_unclearly", _words(K.DOUBT, "refused ({failure}), which does not say that nothing "
        "happened")
    REFUSED_AS_DONE = "refused_as_done", _words(K.DOUBT, "refused as done already ({failure}), and not to be found")
    SENT_TOO_OFTEN = "sent_too_often", _words(K.DOUBT, "it was sent {times} times without an answer, so it is not sent "
        "again by itself")
    NO_WORD = "no_word", _words(K.DOUBT, "{failure}")
    NO_WORD_UNASKED = "no_word_unasked", _words(K.DOUBT, "{failure}; and the service could not be asked ({error})")
    NOT_TO_BE_ASKED = "not_to_be_asked", _words(K.DOUBT, "the service could not be asked what became of it ({failure})")
    UNPROVEN = "unproven", _words(K.DOUBT, "{seen}")
    MAY_STILL_ARRIVE = "may_still_arrive", _words(K.DOUBT, "it may still arrive until {until}; run again after that")
    ROWS_ARE_GONE = "rows_are_gone", _words(K.DOUBT, "{failure}")
    # paying
    PAYMENT_ACCEPTED = "payment_accepted", _words(K.WAITS, "the service has accepted the payment and not yet confirmed "
        "it")
    PAYMENT_UNCONFIRMED = "payment_unconfirmed", _words(K.WAITS, "the service has taken the payment and not yet "
        "confirmed it")
    PAYMENT_NOT_TAKEN = "payment_not_taken", _words(K.DOUBT, "the service accepted the payment at {accepted} and has "
        "not taken it[; unpaid, the order closes at {closes}]: {remedy}", "look in the console whether order "
        "{order_id} waits for finance (待财务支付), and in the statement for a bill 支付扣款 of {amount}; if none is "
        "there: sourcing resolve {order_ref} --not-paid", command="resolve", again=True)
    FINANCE_REFUSED = "finance_refused", _words(K.MONEY, "not paid: the service's finance refused the payment "
        "(支付失败), and it is not made again by itself; {remedy}", "look in the console at order {order_id} "
        "for the cause, and in the statement whether {amount} came back; have it paid or cancelled there",
        command="status")
    NOT_READ_TO_PAY = "not_read_to_pay", _words(K.WAITS, "not paid: {failure}. {remedy}", "Run again", command="run")
    NO_ANSWER_ABOUT = "no_answer_about", _words(K.WAITS, "the service does not answer about the order ({failure}). "
        "{remedy}", "Run again", command="run")
    PAID_ELSEWHERE = "paid_elsewhere", _words(K.NOTE, "the service shows it as paid, and no payment of this ledger "
        "accounts for it")
    PAID_COUNTED_WITH = "paid_counted_with", _words(K.NOTE, "paid, counted with {amount}: {differs}",
        "look in the statement of the wallet", who=Actor.MERCHANT)
    TAKEN_ABOVE_APPROVED = "taken_above_approved", _words(K.MONEY, "the service took {taken}, approved was "
        "{approved}[tolerated? with the price tolerance]: {remedy}", "ask for the difference back", command="refund")
    CLOSED_UNPAID = "closed_unpaid", _words(K.REQUEST, "the order was closed unpaid[ ({why})]; {remedy}",
        "order again under a new order_ref")
    CLOSED_BY_MARKETPLACE = "closed_by_marketplace", _words(K.REQUEST, "the marketplace closed the unpaid order "
        "({why})", "order again under a new order_ref")
    CLOSED_AFTER_PAYMENT = "closed_after_payment", _words(K.MONEY, "the marketplace closed the order after it was paid "
        "({why})", "ask for the money back: sourcing refund", command="refund")
    # freight and booking
    PAID_AND_CLOSED = "paid_and_closed", _words(K.MONEY, "paid, not booked: the marketplace closed the order ({why})",
        "ask for the money back: sourcing refund", command="refund")
    PAID_SHOWN_OTHERWISE = "paid_shown_otherwise", _words(K.MONEY, "paid, not booked: the service shows the order as "
        "{status}; {remedy}", "look it up there")
    PAID_NOT_SHOWN = "paid_not_shown", _words(K.MONEY, "paid, not booked: the service does not show the order; "
        "{remedy}", "look it up there")
    PAID_NO_FREIGHT = "paid_no_freight", _words(K.MONEY, "paid, not booked: no freight service {wish!r}[; offered: "
        "{offered}]. {remedy}", "Run again once it is offered, or ask for the money back: sourcing refund",
        command="run")
    FREIGHT_UNAPPROVED = "freight_unapproved", _words(K.CHOICE, "paid, not booked: freight of {price} was not "
        "approved. {remedy}", "Run again to approve it", command="run")
    FREIGHT_ROSE = "freight_rose", _words(K.LIMIT, "paid, not booked: freight rose to {price}, approved {approved}. "
        "{remedy}", "Run again to approve it", command="run")
    SEVERAL_SHIPMENTS = "several_shipments", _words(K.MONEY, "the warehouse shows {count} shipments for this order: "
        "{ids}. {remedy}", "Cancel all but one")
    FREIGHT_CHARGED_MORE = "freight_charged_more", _words(K.NOTE, "the warehouse charges {fee}, approved was "
        "{approved}: {remedy}", "ask for the difference", who=Actor.MERCHANT)
    # cancelling and refunds
    CANCEL_ACCEPTED = "cancel_accepted", _words(K.WAITS, "the service has accepted the cancellation and not yet closed "
        "the order; {remedy}", "look again: sourcing cancel", command="cancel")
    PAID_BEFORE_CLOSED = "paid_before_closed", _words(K.MONEY, "the order was paid before it closed; {remedy}",
        "ask for {paid} back: sourcing refund {order_ref} --kind refund", command="refund")
    REFUND_ASKING = "refund_asking", _words(K.DOUBT, "{what} is not known to have reached the service; {remedy}",
        "run again", command="refunds")
    REFUND_ASKED = "refund_asked", _words(K.NOTE, "{what} waits for the seller's answer")
    REFUND_AGREED = "refund_agreed", _words(K.NOTE, "{what} is agreed; the money is on its way")
    REFUND_TO_RETURN = "refund_to_return", _words(K.MONEY, "{what} is agreed: send the goods back[ by {by}], then: "
        "sourcing return {order_ref} --company CODE --number NUMBER", "send the goods back, then: sourcing return "
        "{order_ref} --company CODE --number NUMBER", command="return")
    REFUND_RETURNED = "refund_returned", _words(K.NOTE, "{what}: the seller has to receive {number}")
    REFUND_CAME_BACK = "refund_came_back", _words(K.NOTE, "{refunded} came back for {what}")
    REFUND_REFUSED = "refund_refused", _words(K.MONEY, "the seller refused the {what}: {why}",
        "ask again: sourcing refund {order_ref} --reason REASON", command="refund")
    REFUND_CLOSED = "refund_closed", _words(K.NOTE, "the {what} was closed: {why}")
    REFUND_DECLINED = "refund_declined", _words(K.MONEY, "the service did not take the {what}: {why}",
        "ask again: sourcing refund {order_ref} --reason REASON", command="refund")
    ALL_CAME_BACK = "all_came_back", _words(K.NOTE, "{back} of {paid} came back")
    # a person's answers
    ANSWERED = "answered", _words(K.NOTE, "{by} answered: {answer}")
    PAYMENT_DROPPED = "payment_dropped", _words(K.NOTE, "{by} answered: {answer}. The service dropped the payment it "
        "had accepted; {remedy}", "run again to pay", who=Actor.MERCHANT, command="run")
    SAID_PAID = "said_paid", _words(K.WAITS, "{by} answered: {answer}; the service shows it as {status} still")
    SAID_BOOKED = "said_booked", _words(K.NOTE, "{by} found that it was booked as {shipment}")
    SAID_NOT_BOOKED = "said_not_booked", _words(K.NOTE, "{by} found that it was not booked; {remedy}",
        "run again to book it", who=Actor.MERCHANT, command="run")
    # parts of a reason
    LINE_ABOVE_LIMIT = "line_above_limit", _words(K.OTHER, "{title} costs {price} each, limit {limit}")
    # a remedy that was not carried out
    NOT_IN_LEDGER = "not_in_ledger", _words(K.OTHER, "no such order in the ledger; {remedy}",
        "see all with: sourcing status")
    NO_CANCELLING = "no_cancelling", _words(K.OTHER, "the service can't cancel orders of {marketplace}; unpaid ones "
        "close by themselves after 24 hours")
    AT_WORK_ON_IT = "at_work_on_it", _words(K.OTHER, "another run is at work on it, or it is not known yet what became "
        "of that; {remedy}[. {why}]", "run again", command="cancel")
    APPROVED_ALREADY = "approved_already", _words(K.OTHER, "nothing was ordered yet, but it is approved: a run or a "
        "follow-up goes on to order it, whether its lines are still in the file or not. {remedy}",
        "Run its file once more without a yes, and leave it out there", command="run")
    NOTHING_TO_CANCEL = "nothing_to_cancel", _words(K.OTHER, "nothing was ordered, so there is nothing to cancel: "
        "{remedy}", "drop it (sourcing drop), and its lines from the file", who=Actor.MERCHANT, command="drop")
    NOT_DROPPED = "not_dropped", _words(K.OTHER, "it is {state}, and something of it was begun: {remedy}",
        "cancel it, or ask for a refund", command="cancel")
    PAST_CANCELLING = "past_cancelling", _words(K.OTHER, "it is {state}: {remedy}",
        "ask for a refund or a return (sourcing refund)", command="refund")
    MONEY_NOT_ASKED_BACK = "money_not_asked_back", _words(K.OTHER, "not cancelled: {failure}")
    FREIGHT_STAYS_BOOKED = "freight_stays_booked", _words(K.OTHER, "its freight is booked, which only the warehouse "
        "can cancel: ask it to")
    NOT_CANCELLED = "not_cancelled", _words(K.OTHER, "it is not cancelled")
    EFFECT_NOT_DONE = "effect_not_done", _words(K.OTHER, "{key} is {status}[: {why}]")
    NO_REFUND_NOW = "no_refund_now", _words(K.OTHER, "the marketplace takes no such refund now")
    RECEIPT_NOT_CONFIRMED = "receipt_not_confirmed", _words(K.OTHER, "its receipt is not confirmed: {failure}")
    NOT_ON_ITS_WAY = "not_on_its_way", _words(K.OTHER, "[state?the marketplace shows it as {state}][unseen?the "
        "marketplace does not show it]: only goods that are on their way can have arrived")
    REFUND_UNREAD = "refund_unread", _words(K.OTHER, "refund {refund_id} can't be read ({failure})")
    REFUND_NOT_BELIEVED = "refund_not_believed", _words(K.OTHER, "refund {refund_id} shows {refunded} given back of "
        "{asked} asked, and {paid} was paid: not believed, {remedy}", "look it up there")
    TRACE_UNREAD = "trace_unread", _words(K.OTHER, "{failure}")
    # parcels
    PARCEL_NOT_SHOWN = "parcel_not_shown", _words(K.OTHER, "the service shows no such parcel for this order: its "
        "report is not believed")
    PARCEL_NOT_PASSED = "parcel_not_passed", _words(K.OTHER, "it did not pass the warehouse's inspection ({status})"
        "[: {remark}]")
    PARCEL_TOO_HEAVY = "parcel_too_heavy", _words(K.OTHER, "it weighs {weight}, and by earlier parcels of the same "
        "goods {expected} were to be expected: freight may be charged anew")
    PARCEL_FREIGHT_ROSE = "parcel_freight_rose", _words(K.OTHER, "its freight would be {estimated} by a fresh "
        "estimate, and was booked for {booked}")
    PARCEL_SILENT = "parcel_silent", _words(K.OTHER, "no scan for {days} days", ASK_CARRIER, command="status")
    PARCEL_RETURNS = "parcel_returns", _words(K.OTHER, "on its way back to the sender", ASK_CARRIER,
        command="status")
    PARCEL_EXCEPTION = "parcel_exception", _words(K.OTHER, "the carrier reports that it is stuck, such as at customs",
        ASK_CARRIER, command="status")
    # callbacks
    CALLBACK_TOO_DEEP = "callback_too_deep", _words(K.OTHER, "is nested deeper than {most}")
    CALLBACK_UNREADABLE = "callback_unreadable", _words(K.OTHER, "{failure}")
    CALLBACK_NAMES_TOO_MANY = "callback_names_too_many", _words(K.OTHER, "names {count} orders; no message has "
        "so many")
    CALLBACK_ID_TOO_LONG = "callback_id_too_long", _words(K.OTHER, "names an order of more than {most} characters")
    CALLBACK_NAMES_NONE = "callback_names_none", _words(K.OTHER, "names no order: there is nothing to read again")
    CALLBACK_NOT_OURS = "callback_not_ours", _words(K.OTHER, "no order of this ledger")
    CALLBACK_ORDER_MOVED = "callback_order_moved", _words(K.OTHER, "{order_ref}: {old} → {new}")
    CALLBACK_ORDER_STAYS = "callback_order_stays", _words(K.OTHER, "{order_ref}[again? read again]: still {state}")
    CALLBACK_ORDER_UNREAD = "callback_order_unread", _words(K.OTHER, "{order_ref} could not be read: {why}")
    CALLBACK_ENDS_RUNS = "callback_ends_runs", _words(K.OTHER, "{times} runs that read it ended without a word; "
        "{remedy}", "see their logs, then replay it", who=Actor.OPERATOR, command="callbacks")
    # deliveries of messages
    MESSAGE_UNSENT = "message_unsent", _words(K.OTHER, "not sent in time: neither sourcing serve nor the deployment "
        "send-messages was at work", "start sourcing serve", who=Actor.OPERATOR, command="serve")
    MESSAGE_UNDELIVERED = "message_undelivered", _words(K.OTHER, "{addressee} did not get it: {why}; "
        "[over?given up][goes_on?tried again]", "try it: sourcing notify --test", command="notify")
    RECIPIENT_LATE = "recipient_late", _words(K.OTHER, "it did not answer in time")
    RECIPIENT_UNUSABLE = "recipient_unusable", _words(K.OTHER, "it can't be used ({failure})")
    RECIPIENT_UNKNOWN = "recipient_unknown", _words(K.OTHER, "its address is not one that apprise understands: "
        "{remedy}", "see its page on appriseit.com")
    RECIPIENT_ANSWERED = "recipient_answered", _words(K.OTHER, "it answered {status}[wrong?: the address is wrong or "
        "no longer valid][busy?: too many messages]")
    RECIPIENT_LOGIN_REFUSED = "recipient_login_refused", _words(K.OTHER, "it refused user or password")
    RECIPIENT_UNREACHABLE = "recipient_unreachable", _words(K.OTHER, "it can't be reached")
    RECIPIENT_REFUSES = "recipient_refuses", _words(K.OTHER, "it did not take the message")
    # runs that failed
    RUN_FILE_FAULTY = "run_file_faulty", _words(K.OTHER, "the request file has faults; nothing was sent",
        f"mend the file, {AGAIN}")
    RUN_FILE_UNREADABLE = "run_file_unreadable", _words(K.OTHER, "{failure}", f"mend the file, {AGAIN}")
    RUN_INPUT_WRONG = "run_input_wrong", _words(K.OTHER, "{failure}", "start it anew with other values")
    RUN_SETTING_WRONG = "run_setting_wrong", _words(K.OTHER, "{failure}", f"correct the setting, {AGAIN}",
        who=Actor.OPERATOR)
    RUN_LEDGER_UNUSABLE = "run_ledger_unusable", _words(K.OTHER, "{failure}", f"see to the ledger, {AGAIN}",
        who=Actor.OPERATOR, command="doctor")
    RUN_SNAPSHOT_FAILED = "run_snapshot_failed", _words(K.OTHER, "{failure}", f"see to the snapshots, {AGAIN}",
        who=Actor.OPERATOR, command="snapshot")
    RUN_SERVICE_FAILED = "run_service_failed", _words(K.OTHER, "{failure}", f"see whether the service answers, "
        f"{AGAIN}", command="doctor")
    RUN_MACHINE_FAILED = "run_machine_failed", _words(K.OTHER, "{failure}", f"see to the disk and the network, "
        f"{AGAIN}", who=Actor.OPERATOR, command="doctor")
    RUN_DEFECT = "run_defect", _words(K.OTHER, "{failure}", "report it with that "
        f"log, {AGAIN}", who=Actor.OPERATOR)
    RUN_TOOK_TOO_LONG = "run_took_too_long", _words(K.OTHER, "it took too long and was ended", "see its log, "
        f"{AGAIN}", who=Actor.OPERATOR)
    RUN_NOT_BEGUN = "run_not_begun", _words(K.OTHER, "Prefect could not begin or end it; its page says why",
        f"mend what its page says, {AGAIN}", who=Actor.OPERATOR)
    # runs that lost their process
    RUN_LOST = "run_lost", _words(K.OTHER, "its process or machine is gone: it was killed, had no memory left, or the "
        "machine was switched off. It is started again by itself and goes on where it was", "nothing, unless this "
        "comes again and again; then check the memory of the machine, and the log of the run", who=Actor.NOBODY)
    RUN_LOST_TOO_OFTEN = "run_lost_too_often", _words(K.OTHER, "it was started again {times} times and lost its "
        "process each time, so it is left alone now", FIND_OUT, who=Actor.OPERATOR)
    RUN_NOT_STARTED_AGAIN = "run_not_started_again", _words(K.OTHER, "its process is gone, and it was not started "
        "again: the automation `sourcing: run again` may be switched off", FIND_OUT, who=Actor.OPERATOR)
    RUN_CRASHED = "run_crashed", _words(K.OTHER, "it crashed, and was not started again")
    RUN_NEVER_BEGAN = "run_never_began", _words(K.OTHER, "it never began: the worker that had taken it is gone")
    RUN_PROCESS_GONE = "run_process_gone", _words(K.OTHER, "its process is gone")
    # runs that do not begin
    NO_WORKER = "no_worker", _words(K.OTHER, "no worker of the pool {pool} gives signs of life, [since?since {since}]"
        "[never?and there has been none yet][. Waiting for one: {waiting}]. Runs that are at work end as they would",
        "start `sourcing serve`, or the worker's service, again; its log says why it ended. What was missed is started "
        "by itself then", who=Actor.OPERATOR, command="serve")
    RUN_NOT_TAKEN = "run_not_taken", _words(K.OTHER, "the run {run} was due at {due}, and no worker takes it, though "
        "there is one and its queue {queue} has room", "in the UI, see whether the pool {pool} (Work Pools), its queue "
        "{queue} or the deployment is paused, and resume it; if none is, start the worker again", who=Actor.OPERATOR)
    OVERDUE = "overdue", _words(K.OTHER, "no run of the deployment {deployment} has completed "
        "[since?since {since}][never?yet]. Was the machine off? Then what it missed is started by itself",
        "nothing is lost, the next run that completes catches up. [scheduled?See Runs: one that waits for an "
        "answer, is late or fails again and again says why][off?Its schedule is switched off: switch it on, on the "
        "deployment's page]", who=Actor.OPERATOR)
    SERVER_AWAY = "server_away", _words(K.OTHER, "Prefect's server has not answered since {since}", "start `sourcing "
        "serve`, or the server's service, again; its log says why it ended. Runs that are at work go on without it, "
        "and what was missed is started by itself", who=Actor.OPERATOR, command="serve")
    RUNS_BEGIN_AGAIN = "runs_begin_again", _words(K.OTHER, "server and worker are there again, seen at {at}. What was "
        "missed is started by itself; nothing is left to do")
# fmt: on


CODES = {str(code): code for code in ReasonCode}
