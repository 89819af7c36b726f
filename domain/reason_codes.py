"""The codes of reasons: the sentence of each, its class, what to do about it, and who
can do that.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial

from domain.wording import Actor, ReasonKind, Wording, worded

# Facts stand in braces. A part in brackets is there when each fact in it is, or the one
# before its question mark. fmt: off
AGAIN = (
    "then [typed?run the command again][deployed?press Retry on the run's page, or "
    "wait for the next run of its schedule]"
)
ASK_CARRIER = "ask the carrier or the seller: sourcing status REFERENCE shows the numbers and the last scans"
IF_IT_CAME = "if it came back by itself (0: none will): sourcing resolve ORDER_REF came-back AMOUNT_CNY"
ASK_AGAIN = (
    "sourcing refund {order_ref} --kind {kind}[ --line {lines: --line }] --amount-cny {amount_cny} "
    "--reason REASON"
)
ASK_ANEW = (
    "ask anew in the console, where the refund that the seller refused is changed"
)
OR_ASK = f"{ASK_ANEW}; one that the service refused: {ASK_AGAIN}"
KEEP_ONE = "Cancel all but one, then: sourcing resolve[ {order_ref}] ordered ORDER_ID; with all cancelled, any id"
CHECK = "Nothing is ordered or paid at {marketplace} until it is checked: sourcing confirm {marketplace}"

note, waits, choice, request, limit, doubt, money, other = (
    partial(worded, kind) for kind in ReasonKind
)
MERCHANT, OPERATOR, NOBODY = Actor


class ReasonCode(StrEnum):
    """Why an order, an effect, a run, a parcel or a message stands as it does."""

    words: Wording

    def __new__(cls, value: str, words: Wording) -> ReasonCode:
        code = str.__new__(cls, value)
        code._value_ = value
        code.words = words
        return code

    @classmethod
    def of(cls, text: str | None) -> ReasonCode | None:
        """The code that a ledger holds; None also for a code that a later program has
        written.
        """
        return CODES.get(text or "")

    OF_ANOTHER_VERSION = "of_another_version", choice("{code}")
    # the request can't be bought as it stands
    SKU_UNKNOWN = (
        "sku_unknown",
        request(
            "{item} has no SKU {wish}; it has {choices}",
            "put one of these into column sku: {choices}",
        ),
    )
    SKU_NOT_CHOSEN = (
        "sku_not_chosen",
        request(
            "{item} ({title}) has {count} SKUs; {remedy}",
            "put one in column sku: {choices}",
        ),
    )
    NOT_ON_SALE = (
        "not_on_sale",
        request(
            "{item} ({title}) is no longer on sale",
            "drop the line, or name another item",
        ),
    )
    OFFER_STATE_UNKNOWN = (
        "offer_state_unknown",
        request(
            "{item} ({title}) is in a state that this program does not "
            "know ({state}): {remedy}",
            "see its page on {marketplace}; drop the line, or run again when it is on sale",
        ),
    )
    BELOW_MINIMUM = (
        "below_minimum",
        request(
            "{title} ({item}): the seller's minimum is {least}, asked {asked}",
            "ask for at least {least}, or drop the line",
        ),
    )
    OUT_OF_STOCK = (
        "out_of_stock",
        request(
            "{title} ({item}): {stock} in stock, asked {asked}",
            "ask for {stock} at most, or drop the line",
        ),
    )
    NO_SUCH_ITEM = (
        "no_such_item",
        request(
            "{marketplace} has no item {item}", "correct the item, or drop the line"
        ),
    )
    SEVERAL_SELLERS = (
        "several_sellers",
        request(
            "one order, several sellers ({sellers}): {remedy}",
            "give each seller an order_ref of its own",
        ),
    )
    SEVERAL_DEPOTS = (
        "several_depots",
        request(
            "the service would split this into {count} orders, since its items lie "
            "in different depots: {remedy}",
            "give the items of each depot an order_ref of their own",
        ),
    )
    ONE_PRODUCT_AN_ORDER = (
        "one_product_an_order",
        request(
            "{marketplace} refuses an order of several products "
            "({failure}), and may take one an order: {remedy}",
            "give each product an order_ref of its own",
        ),
    )
    ADDRESS_INCOMPLETE = (
        "address_incomplete",
        request("the receiver's address is incomplete: {remedy}", "fill in {columns}"),
    )
    OWN_SKU_MISSING = (
        "own_sku_missing",
        request(
            "the SKU book has no entry for {own_skus}: {remedy}",
            "add a row to the SKU book for each, then run again",
        ),
    )
    OWN_SKUS_ALIKE = (
        "own_skus_alike",
        request(
            "{own_skus} are one and the same variant, {item}: {remedy}",
            "give one of them an order_ref of its own",
        ),
    )
    WORDS_AMBIGUOUS = (
        "words_ambiguous",
        request("{why}", "put the id that is meant into column item"),
    )
    WORDS_FOUND_NOTHING = (
        "words_found_nothing",
        request("{why}", "write other words, or an id, into column item"),
    )
    QUOTE_REFUSED = (
        "quote_refused",
        request("{problems:; }", "change the lines, or drop them"),
    )
    QUOTE_ON_HOLD = (
        "quote_on_hold",
        request(
            "{why}. {remedy}",
            "Ask the seller for one of these, or drop the lines",
            who=OPERATOR,
        ),
    )
    FREIGHT_SERVICE_UNKNOWN = (
        "freight_service_unknown",
        request(
            "no freight service[ {wish!r}] to {country}[; offered: {offered}]",
            "put one that is offered into column freight, or drop the order",
        ),
    )
    PRICE_ABOVE_LIMIT = (
        "price_above_limit",
        limit("{lines:; }: {remedy}", "raise max_unit_price or drop the line"),
    )
    OVER_ORDER_LIMIT = (
        "over_order_limit",
        limit(
            "{costs}[tolerated? with the price tolerance] is above the limit for "
            "one order, {limit}",
            "raise the limit for one order, or buy less",
        ),
    )
    OVER_BUDGET = (
        "over_budget",
        limit(
            "{costs}[tolerated? with the price tolerance] does not fit the budget: {taken} "
            "of {limit} is taken",
            "raise the budget, and run the same file again",
            "run",
        ),
    )
    OVER_DAY_LIMIT = (
        "over_day_limit",
        limit(
            "{costs}[tolerated? with the price tolerance] does not fit the day's "
            "limit: {taken} of {limit} is taken",
            "raise it, or wait for the next day, and run the same file again",
            "run",
        ),
    )
    PRICE_ROSE = (
        "price_rose",
        limit(
            "the price rose after ordering: {total}, approved {approved}[, at most {payable} "
            "with the price tolerance]. Not paid; the order closes by itself. {remedy}",
            "To buy at the new price, order again under a new order_ref",
        ),
    )
    PRICE_FELL = (
        "price_fell",
        note(
            "its price is within what was approved again: the sweep, or its request file, "
            "goes on with it",
            "sourcing finish, or run its file again",
            "run",
        ),
    )
    APPROVED = (
        "approved",
        note("approved by {by} at {at}: {total}, plan {plan}"),
    )
    FREIGHT_APPROVED = (
        "freight_approved",
        note(
            "freight approved by {by} at {at}: {price}[, and the {taken} "
            "that were taken]"
        ),
    )
    NOT_APPROVED = (
        "not_approved",
        choice(
            "not approved[ by {by}][: {note}]",
            "run the file again "
            "without --yes, or from the Prefect UI, to be asked anew",
            "run",
        ),
    )
    NOT_WANTED = (
        "not_wanted",
        note(
            "not wanted any more, says {by}[: {note}]; a later run that asks, and names "
            "it, plans it anew"
        ),
    )
    NOBODY_TO_ASK = (
        "nobody_to_ask",
        choice(
            "[freight?freight ]not approved: the run had no way to ask",
            "run it at a terminal or from the Prefect UI, or with --yes",
            "run",
        ),
    )
    ABOVE_APPROVAL_LIMIT = (
        "above_approval_limit",
        choice(
            "[freight?freight ]not approved: {above}. {remedy}",
            "Run it without --yes at a terminal, or from the Prefect UI, to be asked; or raise SOURCING_APPROVAL_LIMIT_CNY",
            "run",
        ),
    )
    WAITS_FOR_APPROVAL = (
        "waits_for_approval",
        choice(
            "waits for your yes[freight? to its freight]",
            "answer in the form of approve-batch, to which its run and its message link; "
            "or run the file again without --yes, to plan it anew",
            "approve run",
        ),
    )
    FIRST_GOES_ALONE = (
        "first_goes_alone",
        choice(
            "not bought yet: {first} goes first at {marketplace}, and it is not "
            "confirmed yet what its payment took from the balance. {remedy}",
            "Once it is paid, answer the question: "
            "sourcing confirm {marketplace}; then run the file again",
            "confirm",
        ),
    )
    FIRST_PAYMENT = (
        "first_payment",
        other(
            "{first}, order {order_id}, is the first one paid at {marketplace}. Did the "
            "balance fall by exactly {amount}, once, by which channel, and does the console show its goods ({goods}) for "
            "your warehouse?",
            "sourcing confirm {marketplace}",
            "confirm",
        ),
    )
    # not begun, or left in the middle: a later run goes on
    UNREAD = (
        "unread",
        waits(
            "{what} ({failure})",
            "Run again",
            "run",
        ),
    )
    ANSWER_UNUSABLE = (
        "answer_unusable",
        doubt(
            "{what} ({failure}). {remedy}",
            "Run again; if it lasts, change the lines or sourcing drop",
            command="run",
        ),
    )
    BUYING_PAUSED = (
        "buying_paused",
        waits(
            "{pause}. It goes on after resume-buying in the Prefect UI, or: sourcing resume",
            "sourcing resume",
            who=MERCHANT,
        ),
    )
    LEFT_UNFINISHED = (
        "left_unfinished",
        waits(
            "left as it is, since {cause}: run again, or: sourcing finish",
            "sourcing finish",
        ),
    )
    NOTHING_SENT = (
        "nothing_sent",
        waits("{failure}; nothing was done. {remedy}", "Run again", "run"),
    )
    SENT_AGAIN = (
        "sent_again",
        waits("no answer: sent once more, since a second one does no harm"),
    )
    ACCOUNT_REFUSED = (
        "account_refused",
        waits("{failure}", "correct the account's settings (XPORTCN_*)", who=OPERATOR),
    )
    WAITS_FOR_FIRST = (
        "waits_for_first",
        waits(
            "not ordered yet: {first} goes first at {marketplace} and was not read "
            "back as ordered[ ({why})]. See to it: sourcing status {first}; a run after that goes on",
            "see to {first}: sourcing status {first}",
            who=MERCHANT,
        ),
    )
    FIRST_ONES_FAILED = (
        "first_ones_failed",
        doubt(
            "not ordered: none of the first {count} orders at {marketplace} "
            "could be bought ({refs}; the last: {why}). {remedy}",
            "See to them, then run again",
            command="run",
        ),
    )
    MARKETPLACE_HELD = (
        "marketplace_held",
        doubt("{marketplace} is held ({why}). {remedy}", CHECK, "confirm"),
    )
    OTHER_CONTENTS = (
        "other_contents",
        request(
            "{order_ref} already stands for an order with other contents (batch "
            "{batch}, {state}), which is left as it is. {remedy}",
            "To go on with that order, put the old contents back; "
            "to buy something further, give it a new order_ref",
        ),
    )
    CONTESTED = (
        "contested",
        choice(
            "{file} [gone?shows it as cancelled or sent]"
            "[other?asks for other contents of it]. {remedy}",
            "Run the file that is right, without --yes, or drop it: "
            "sourcing drop {order_ref}",
            "run",
        ),
    )
    RECEIVER_FORGOTTEN = (
        "receiver_forgotten",
        request(
            "the receiver of {order_ref} was forgotten on {on}, and nothing "
            "is bought as that order any more; {remedy}",
            "to buy something, give it a new order_ref",
        ),
    )
    FORGOTTEN_UNORDERED = (
        "forgotten_unordered",
        note("its receiver was forgotten before anything was ordered"),
    )
    # refusals of the service
    REFUSED = (
        "refused",
        request(
            "refused by the service: {failure}",
            "do as the service says, then run again",
            "run",
        ),
    )
    REFUSED_AFTER_ORDERING = (
        "refused_after_ordering",
        money("not {done}: {failure}. {remedy}", "Mend that and run again", "run"),
    )
    # two readings that can't both be true
    READINGS_DIFFER = (
        "readings_differ",
        doubt(
            "{both}; {remedy}",
            "look it up in the console",
        ),
    )
    UNITS_DIFFER = (
        "units_differ",
        doubt(
            "{both}. [If {told} means yuan, set {setting}. ]{remedy}", CHECK, "confirm"
        ),
    )
    PRICE_FAR_BELOW_LIMIT = (
        "price_far_below_limit",
        doubt(
            "{lines:; }: less than a twentieth, and it is not confirmed "
            "yet in which unit {marketplace} has amounts. {remedy}",
            "See its page there: if the price is right, say so: "
            "sourcing confirm {marketplace}[; if it costs that many yuan, set {setting}]. Then run again",
            "confirm",
        ),
    )
    SEARCH_DIFFERS = (
        "search_differs",
        doubt(
            "{both}. {remedy}",
            "See its page at {marketplace}: if the offer's price "
            "is right, say so: sourcing confirm {marketplace}. Then run again",
            command="confirm",
        ),
    )
    UNIT_UNCLEAR = (
        "unit_unclear",
        doubt(
            "{what}: {field} is {amount}, with a decimal point where whole fen belong. "
            "{remedy}",
            "If the console shows that many yuan, set XPORTCN_UNITS={place}=yuan and run again",
            who=OPERATOR,
            command="run",
        ),
    )
    SETTING_UNSET = (
        "setting_unset",
        doubt(
            "{what}: the contract leaves open whether the service means {first} or "
            "{second}, and {setting} is not set. {remedy}",
            "Ask its support, set {setting} to {first} or {second}, and run again",
            who=OPERATOR,
            command="run",
        ),
    )
    PREVIEW_UNCLEAR = (
        "preview_unclear",
        doubt(
            "the preview can't be right: {odd}; {remedy}",
            "compare it with the page of its offer",
        ),
    )
    SHOWN_FOR_NOTHING = (
        "shown_for_nothing",
        doubt(
            "the service shows it for {total}, and nothing is free; {remedy}",
            "look it up there",
        ),
    )
    PAID_FOR_NOTHING = (
        "paid_for_nothing",
        waits(
            "the service shows it as paid, and not for how much; {remedy}",
            "run again",
            "run",
        ),
    )
    PRICE_NOT_CONFIRMED = (
        "price_not_confirmed",
        waits(
            "the service showed it for {total}, and when asked again not; {remedy}",
            "run again",
            "run",
        ),
    )
    UNKNOWN_STATE = (
        "unknown_state",
        doubt(
            "the service shows it in a state that this program does not know ({state}); "
            "{remedy}",
            "it is read again by itself; if that lasts, look it up there",
        ),
    )
    # ownership of an order
    NOT_SHOWN = (
        "not_shown",
        doubt(
            "the service does not show this order; {remedy}",
            "look it up in the console",
        ),
    )
    NO_REFERENCE_YET = (
        "no_reference_yet",
        waits(
            "the service does not show our reference on order {order_id} yet, so "
            "it is not paid[. If that lasts, look it up in the console: sourcing confirm {marketplace}]",
            "look up order {order_id} in the console",
            "confirm",
            who=MERCHANT,
        ),
    )
    ANOTHERS_REFERENCE = (
        "anothers_reference",
        doubt(
            "order {order_id} carries the reference {reference!r}, not "
            "{order_ref}: {remedy}",
            "look it up in the console",
        ),
    )
    HAS_ANOTHER_ID = (
        "has_another_id",
        doubt(
            "{why}. Not paid: the service has {order_id} for it. {remedy}",
            "Run again",
            command="run",
        ),
    )
    ID_IS_ANOTHERS = (
        "id_is_anothers",
        doubt(
            "the service names {thing} {id}, which is {owner}'s in this ledger: not "
            "believed[, and looked for by {by}]. {remedy}",
            "Run again; if it stays, look both up in the console",
            command="run",
        ),
    )
    ID_IS_ANOTHERS_ASKED = (
        "id_is_anothers_asked",
        doubt(
            "the service names {thing} {id}, which is {owner}'s in this "
            "ledger: not believed. {question} Answer with: {answers}",
            "answer with: {answers}",
            "resolve",
        ),
    )
    SEVERAL_ORDERS = (
        "several_orders",
        doubt(
            "the service holds {count} orders for {order_ref}: {order_ids}; none is "
            "paid. {remedy}",
            KEEP_ONE,
            "resolve",
        ),
    )
    ORDERED_IN_PART = (
        "ordered_in_part",
        doubt(
            "order {order_id} of {order_ref} lacks {lines}, and is not paid[ (the "
            "service said: {failure})]. {remedy}",
            "Let it close unpaid and order again under a new order_ref, or take it "
            "as it is: sourcing resolve {order_ref} ordered {order_id} --up-to {total}",
            "resolve",
        ),
    )
    ALREADY_THERE = (
        "already_there",
        doubt(
            "the service already has order {orders} under this order_ref, and this "
            "ledger has not ordered it. If it is this order, take it over: {command}. If another ledger ordered it, use "
            "that one: under a new order_ref it would be bought a second time",
            "take it over: {command}",
            "resolve",
        ),
    )
    MAY_BE_THERE = (
        "may_be_there",
        doubt(
            "{doubt}: one may be this order, bought with another ledger. Look them up in "
            "the console and take ours over (sourcing resolve ORDER_REF ordered ORDER_ID), then say once that no other "
            "is ours: sourcing confirm {marketplace}",
            "take ours over (sourcing resolve ORDER_REF ordered "
            "ORDER_ID), then: sourcing confirm {marketplace}",
            "resolve confirm",
        ),
    )
    OVERTAKEN = (
        "overtaken",
        doubt(
            "{what} (came when the order was {old}): {remedy}",
            "look it up in the console",
        ),
    )
    CAME_LATE = "came_late", note("{what} (came when the order was {old})")
    # an effect without a known outcome
    NO_ANSWER = "no_answer", doubt("no answer to {action}[: {why}]", who=NOBODY)
    NO_ANSWER_ASKED = (
        "no_answer_asked",
        doubt(
            "no answer to {action}[: {why}]. {question} Answer with: {answers}",
            "answer with: {answers}",
            "resolve",
        ),
    )
    # paying
    PAYMENT_UNCONFIRMED = (
        "payment_unconfirmed",
        waits("the service has taken the payment and not yet confirmed it"),
    )
    PAYMENT_NOT_TAKEN = (
        "payment_not_taken",
        money(
            "the service accepted the payment at {accepted} and has not taken "
            "it[; unpaid, the order closes at {closes}][; its order was closed ({closed})]: {remedy}",
            "look in the "
            "console whether order {order_id} waits for finance (待财务支付), and in the statement for a bill 支付扣款 of "
            "{amount}[closed? without one of its return (取消提交支付退款)]; if none is there: sourcing resolve "
            "{order_ref} not-paid[closed?, else ask the service for the money]",
            "resolve",
        ),
    )
    FINANCE_REFUSED = (
        "finance_refused",
        money(
            "not paid: the service's finance refused the payment (支付失败), and it "
            "is not made again by itself; {remedy}",
            "look in the console at order {order_id} for the cause, and in the "
            "statement whether {amount} came back; have it paid or cancelled there",
            "status",
        ),
    )
    PAID_ELSEWHERE = (
        "paid_elsewhere",
        note(
            "the service shows it paid, and no payment of this ledger accounts for it"
        ),
    )
    PAID_COUNTED_WITH = (
        "paid_counted_with",
        note(
            "paid, counted with {amount}: {differs}",
            "look in the statement of the wallet",
            who=MERCHANT,
        ),
    )
    TAKEN_ABOVE_APPROVED = (
        "taken_above_approved",
        money(
            "the service took {taken}, approved was {approved}[tolerated? "
            "with the price tolerance]: {remedy}",
            "ask for the difference back, then run again; or accept it: run without "
            "--yes, or from the Prefect UI",
            "refund",
        ),
    )
    CLOSED_UNPAID = (
        "closed_unpaid",
        request(
            "the order was closed unpaid[ ({why})]; {remedy}",
            "order again under a new order_ref",
        ),
    )
    CLOSED_AFTER_PAYMENT = (
        "closed_after_payment",
        money(
            "the marketplace closed the order after it was paid[ ({why})]; {remedy}",
            f"ask for the money back: sourcing refund; {IF_IT_CAME}",
            "refund",
        ),
    )
    # freight and booking
    PAID_SHOWN_OTHERWISE = (
        "paid_shown_otherwise",
        money(
            "paid, not booked: the service shows the order as {status}; {remedy}",
            "look it up there",
        ),
    )
    PAID_NO_FREIGHT = (
        "paid_no_freight",
        money(
            "paid, not booked: no freight service {wish!r}[; offered: {offered}]. "
            "{remedy}",
            "Run again once it is offered, or ask for the money back: sourcing refund",
            "run",
        ),
    )
    FREIGHT_ROSE = (
        "freight_rose",
        limit(
            "paid, not booked: freight of {price} is not approved[, {approved} was]. "
            "{remedy}",
            "Run it without --yes, or from the Prefect UI, to approve it",
            "run",
        ),
    )
    SEVERAL_SHIPMENTS = (
        "several_shipments",
        money(
            "the warehouse shows {count} shipments for this order: {ids}. {remedy}",
            "Cancel all but one at the warehouse; tracking goes on with that. If it still shows the "
            "others: sourcing resolve ORDER_REF booked SHIPMENT_ORDER_ID --tracking NUMBER",
            "resolve",
        ),
    )
    FREIGHT_CHARGED_MORE = (
        "freight_charged_more",
        note(
            "the warehouse charges {fee}, approved was {approved}: {remedy}",
            "ask for the difference",
            who=MERCHANT,
        ),
    )
    # cancelling and refunds
    CANCEL_ACCEPTED = (
        "cancel_accepted",
        waits(
            "the service has accepted the cancellation and not yet closed the "
            "order; {remedy}",
            "look again: sourcing cancel",
            "cancel",
        ),
    )
    PAID_BEFORE_CLOSED = (
        "paid_before_closed",
        money(
            "the order was paid before it closed; {remedy}",
            "ask for {paid} "
            "back: sourcing refund {order_ref} --kind refund; " + IF_IT_CAME,
            "refund",
        ),
    )
    REFUND_ASKING = (
        "refund_asking",
        doubt(
            "{what} is not known to have reached the service; {remedy}",
            "run again",
            "refunds",
        ),
    )
    REFUND_UNDER_WAY = "refund_under_way", note("{what} {step}")
    REFUND_TO_RETURN = (
        "refund_to_return",
        money(
            "{what} is agreed: send the goods back[ by {by}], then: sourcing "
            "return {order_ref} --company CODE --number NUMBER",
            "send the goods back, then: sourcing return {order_ref} "
            "--company CODE --number NUMBER",
            "return",
        ),
    )
    REFUND_CAME_BACK = "refund_came_back", note("{back} of {asked} came back")
    REFUND_REFUSED = (
        "refund_refused",
        money("{by} refused the {what}: {why}", OR_ASK, "refund"),
    )
    REFUND_CLOSED = "refund_closed", note("the {what} was closed: {why}")
    # a person's answers
    ANSWERED = "answered", note("{by} answered: {answer}[. {then}]")
    REST_IS_LOST = "rest_is_lost", note("{by} answered: {answer}")
    SAID_PAID = (
        "said_paid",
        waits("{by} answered: {answer}; the service shows it as {status} still"),
    )
    # parts of a reason
    # a remedy that was not carried out
    NOT_IN_LEDGER = (
        "not_in_ledger",
        other("no such order in the ledger; {remedy}", "see all with: sourcing status"),
    )
    NO_CANCELLING = (
        "no_cancelling",
        other(
            "the service can't cancel orders of {marketplace}; unpaid ones close by "
            "themselves after 24 hours"
        ),
    )
    AT_WORK_ON_IT = (
        "at_work_on_it",
        other(
            "another run is at work on it, or it is not known yet what became of that; "
            "{remedy}[. {why}]",
            "run again",
            "cancel",
        ),
    )
    NOTHING_TO_CANCEL = (
        "nothing_to_cancel",
        other(
            "nothing was ordered, so there is nothing to cancel[approved?, but it is approved: the "
            "sweep goes on to order it]. {remedy}",
            "Drop it: sourcing drop",
            who=MERCHANT,
            command="drop",
        ),
    )
    NOT_DROPPED = (
        "not_dropped",
        other(
            "it is {state}, and something of it was begun: {remedy}",
            "cancel it, or ask for a refund",
            "cancel",
        ),
    )
    PAST_CANCELLING = (
        "past_cancelling",
        other(
            "it is {state}: {remedy}",
            "ask for a refund or a return (sourcing refund)",
            "refund",
        ),
    )
    FREIGHT_STAYS_BOOKED = (
        "freight_stays_booked",
        other("its freight is booked: ask the warehouse to cancel it"),
    )
    NOT_CANCELLED = "not_cancelled", other("not cancelled[: {failure}]")
    WANTED_BACK = (
        "wanted_back",
        note(
            "a person wants it cancelled, or most of its money back: only a run that asks "
            "goes on with it"
        ),
    )
    EFFECT_NOT_DONE = "effect_not_done", other("{key} is {status}[: {why}]")
    NO_REFUND_NOW = "no_refund_now", other("the marketplace takes no such refund now")
    REFUND_NOT_BELIEVED = (
        "refund_not_believed",
        other(
            "refund {refund_id} shows {refunded} given back of {asked} "
            "asked, and {paid} was paid: not believed, {remedy}",
            "look it up there",
        ),
    )
    # parcels
    PARCEL_SILENT = (
        "parcel_silent",
        other("no scan for {days} days", ASK_CARRIER, "status"),
    )
    PARCEL_RETURNS = (
        "parcel_returns",
        other("on its way back to the sender", ASK_CARRIER, "status"),
    )
    PARCEL_EXCEPTION = (
        "parcel_exception",
        other(
            "the carrier reports that it is stuck, such as at customs",
            ASK_CARRIER,
            "status",
        ),
    )
    # deliveries of messages
    MESSAGE_UNDELIVERED = (
        "message_undelivered",
        other(
            "{addressee} did not get it: {why}; [over?given up][goes_on?tried again]",
            "try it: sourcing notify --test",
            "notify",
        ),
    )
    RUN_FILE_FAULTY = (
        "run_file_faulty",
        other("the file has faults; nothing was sent", f"mend the file, {AGAIN}"),
    )
    RUN_FILE_UNREADABLE = (
        "run_file_unreadable",
        other("{failure}", f"mend the file, {AGAIN}"),
    )
    RUN_INPUT_WRONG = (
        "run_input_wrong",
        other("{failure}", "start it anew with other values"),
    )
    RUN_SETTING_WRONG = (
        "run_setting_wrong",
        other("{failure}", f"correct the setting, {AGAIN}", who=OPERATOR),
    )
    RUN_LEDGER_UNUSABLE = (
        "run_ledger_unusable",
        other(
            "{failure}", f"see to the ledger, {AGAIN}", who=OPERATOR, command="doctor"
        ),
    )
    RUN_SNAPSHOT_FAILED = (
        "run_snapshot_failed",
        other(
            "{failure}",
            f"see to the snapshots, {AGAIN}",
            who=OPERATOR,
            command="snapshot",
        ),
    )
    RUN_SERVICE_FAILED = (
        "run_service_failed",
        other("{failure}", f"see whether the service answers, {AGAIN}", "doctor"),
    )
    RUN_MACHINE_FAILED = (
        "run_machine_failed",
        other(
            "{failure}",
            f"see to the disk and the network, {AGAIN}",
            who=OPERATOR,
            command="doctor",
        ),
    )
    RUN_DEFECT = (
        "run_defect",
        other("{failure}", f"report it with that log, {AGAIN}", who=OPERATOR),
    )
    RUN_TOOK_TOO_LONG = (
        "run_took_too_long",
        other("it took too long and was ended", f"see its log, {AGAIN}", who=OPERATOR),
    )
    RUN_NOT_BEGUN = (
        "run_not_begun",
        other(
            "Prefect could not begin or end it; its page says why",
            f"mend what its page says, {AGAIN}",
            who=OPERATOR,
        ),
    )
    RUN_LOST = (
        "run_lost",
        other(
            "its process or machine is gone: it was killed, had no memory left, or the machine "
            "was switched off. What it began is finished by itself",
            "nothing, unless this comes again "
            "and again; then check the memory of the machine, and the log of the run",
            who=NOBODY,
        ),
    )


# fmt: on


CODES = {str(code): code for code in ReasonCode}
