"""The codes of reasons: the sentence of each, its class, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from functools import partial

from domain.wording import ReasonKind, Wording

# Facts stand in braces. A part in brackets is there when each fact in it is, or the one
# before its question mark.
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
    partial(Wording, kind) for kind in ReasonKind
)


class ReasonCode(StrEnum):
    """Why an order, an effect, a run, a parcel or a message stands as it does."""

    words: Wording

    def __new__(cls, words: Wording) -> ReasonCode:
        code = str.__new__(cls, words.code)
        code._value_ = words.code
        code.words = words
        return code

    @classmethod
    def of(cls, text: str | None) -> ReasonCode | None:
        """The code that a ledger holds; None also for a code that a later program has
        written.
        """
        return CODES.get(text or "")

    OF_ANOTHER_VERSION = choice("of_another_version", "{code}")
    # the request can't be bought as it stands
    SKU_UNKNOWN = request(
        "sku_unknown",
        "{item} has no SKU {wish}; it has {choices}",
        "put one of these into column sku: {choices}",
    )
    SKU_NOT_CHOSEN = request(
        "sku_not_chosen",
        "{item} ({title}) has {count} SKUs; {remedy}",
        "put one in column sku: {choices}",
    )
    NOT_ON_SALE = request(
        "not_on_sale",
        "{item} ({title}) is no longer on sale",
        "drop the line, or name another item",
    )
    OFFER_STATE_UNKNOWN = request(
        "offer_state_unknown",
        "{item} ({title}) is in a state that this program does not "
        "know ({state}): {remedy}",
        "see its page on {marketplace}; drop the line, or run again when it is on sale",
    )
    BELOW_MINIMUM = request(
        "below_minimum",
        "{title} ({item}): the seller's minimum is {least}, asked {asked}",
        "ask for at least {least}, or drop the line",
    )
    OUT_OF_STOCK = request(
        "out_of_stock",
        "{title} ({item}): {stock} in stock, asked {asked}",
        "ask for {stock} at most, or drop the line",
    )
    NO_SUCH_ITEM = request(
        "no_such_item",
        "{marketplace} has no item {item}",
        "correct the item, or drop the line",
    )
    SEVERAL_SELLERS = request(
        "several_sellers",
        "one order, several sellers ({sellers}): {remedy}",
        "give each seller an order_ref of its own",
    )
    SEVERAL_DEPOTS = request(
        "several_depots",
        "the service would split this into {count} orders, since its items lie "
        "in different depots: {remedy}",
        "give the items of each depot an order_ref of their own",
    )
    ONE_PRODUCT_AN_ORDER = request(
        "one_product_an_order",
        "{marketplace} refuses an order of several products "
        "({failure}), and may take one an order: {remedy}",
        "give each product an order_ref of its own",
    )
    ADDRESS_INCOMPLETE = request(
        "address_incomplete",
        "the receiver's address is incomplete: {remedy}",
        "fill in {columns}",
    )
    OWN_SKU_MISSING = request(
        "own_sku_missing",
        "the SKU book has no entry for {own_skus}: {remedy}",
        "add a row to the SKU book for each, then run again",
    )
    OWN_SKUS_ALIKE = request(
        "own_skus_alike",
        "{own_skus} are one and the same variant, {item}: {remedy}",
        "give one of them an order_ref of its own",
    )
    WORDS_AMBIGUOUS = request(
        "words_ambiguous", "{why}", "put the id that is meant into column item"
    )
    WORDS_FOUND_NOTHING = request(
        "words_found_nothing", "{why}", "write other words, or an id, into column item"
    )
    QUOTE_REFUSED = request(
        "quote_refused", "{problems:; }", "change the lines, or drop them"
    )
    QUOTE_ON_HOLD = request(
        "quote_on_hold",
        "{why}. {remedy}",
        "Ask the seller for one of these, or drop the lines",
    )
    FREIGHT_SERVICE_UNKNOWN = request(
        "freight_service_unknown",
        "no freight service[ {wish!r}] to {country}[; offered: {offered}]",
        "put one that is offered into column freight, or drop the order",
    )
    PRICE_ABOVE_LIMIT = limit(
        "price_above_limit",
        "{lines:; }: {remedy}",
        "raise max_unit_price or drop the line",
    )
    OVER_ORDER_LIMIT = limit(
        "over_order_limit",
        "{costs}[tolerated? with the price tolerance] is above the limit for "
        "one order, {limit}",
        "raise the limit for one order, or buy less",
    )
    OVER_BUDGET = limit(
        "over_budget",
        "{costs}[tolerated? with the price tolerance] does not fit the budget: {taken} "
        "of {limit} is taken",
        "raise the budget, and run the same file again",
        "run",
    )
    OVER_DAY_LIMIT = limit(
        "over_day_limit",
        "{costs}[tolerated? with the price tolerance] does not fit the day's "
        "limit: {taken} of {limit} is taken",
        "raise it, or wait for the next day, and run the same file again",
        "run",
    )
    PRICE_ROSE = limit(
        "price_rose",
        "the price rose after ordering: {total}, approved {approved}[, at most {payable} "
        "with the price tolerance]. Not paid; the order closes by itself. {remedy}",
        "To buy at the new price, order again under a new order_ref",
    )
    PRICE_FELL = note(
        "price_fell",
        "its price is within what was approved again: the sweep, or its request file, "
        "goes on with it",
        "sourcing finish, or run its file again",
        "run",
    )
    APPROVED = note("approved", "approved by {by} at {at}: {total}, plan {plan}")
    FREIGHT_APPROVED = note(
        "freight_approved",
        "freight approved by {by} at {at}: {price}[, and the {taken} that were taken]",
    )
    NOT_APPROVED = choice(
        "not_approved",
        "not approved[ by {by}][: {note}]",
        "run the file again without --yes, or from the Prefect UI, to be asked anew",
        "run",
    )
    NOT_WANTED = note(
        "not_wanted",
        "not wanted any more, says {by}[: {note}]; a later run that asks, and names "
        "it, plans it anew",
    )
    NOBODY_TO_ASK = choice(
        "nobody_to_ask",
        "[freight?freight ]not approved: the run had no way to ask",
        "run it at a terminal or from the Prefect UI, or with --yes",
        "run",
    )
    ABOVE_APPROVAL_LIMIT = choice(
        "above_approval_limit",
        "[freight?freight ]not approved: {above}. {remedy}",
        "Run it without --yes at a terminal, or from the Prefect UI, to be asked; or raise SOURCING_APPROVAL_LIMIT_CNY",
        "run",
    )
    WAITS_FOR_APPROVAL = choice(
        "waits_for_approval",
        "waits for your yes[freight? to its freight]",
        "answer in the form of approve-batch, to which its run and its message link; "
        "or run the file again without --yes, to plan it anew",
        "approve run",
    )
    FIRST_GOES_ALONE = choice(
        "first_goes_alone",
        "not bought yet: {first} goes first at {marketplace}, and it is not "
        "confirmed yet what its payment took from the balance. {remedy}",
        "Once it is paid, answer the question: "
        "sourcing confirm {marketplace}; then run the file again",
        "confirm",
    )
    FIRST_PAYMENT = other(
        "first_payment",
        "{first}, order {order_id}, is the first one paid at {marketplace}. Did the "
        "balance fall by exactly {amount}, once, by which channel, and does the console show its goods ({goods}) for "
        "your warehouse?",
        "sourcing confirm {marketplace}",
        "confirm",
    )
    # not begun, or left in the middle: a later run goes on
    UNREAD = waits(
        "unread",
        "{what} ({failure})",
        "Run again",
        "run",
    )
    ANSWER_UNUSABLE = doubt(
        "answer_unusable",
        "{what} ({failure}). {remedy}",
        "Run again; if it lasts, change the lines or sourcing drop",
        "run",
    )
    BUYING_PAUSED = waits(
        "buying_paused",
        "{pause}. It goes on after resume-buying in the Prefect UI, or: sourcing resume",
        "sourcing resume",
    )
    LEFT_UNFINISHED = waits(
        "left_unfinished",
        "left as it is, since {cause}: run again, or: sourcing finish",
        "sourcing finish",
    )
    NOTHING_SENT = waits(
        "nothing_sent", "{failure}; nothing was done. {remedy}", "Run again", "run"
    )
    SENT_AGAIN = waits(
        "sent_again", "no answer: sent once more, since a second one does no harm"
    )
    ACCOUNT_REFUSED = waits(
        "account_refused",
        "{failure}",
        "correct the account's settings (XPORTCN_*)",
    )
    WAITS_FOR_FIRST = waits(
        "waits_for_first",
        "not ordered yet: {first} goes first at {marketplace} and was not read "
        "back as ordered[ ({why})]. See to it: sourcing status {first}; a run after that goes on",
        "see to {first}: sourcing status {first}",
    )
    FIRST_ONES_FAILED = doubt(
        "first_ones_failed",
        "not ordered: none of the first {count} orders at {marketplace} "
        "could be bought ({refs}; the last: {why}). {remedy}",
        "See to them, then run again",
        "run",
    )
    MARKETPLACE_HELD = doubt(
        "marketplace_held", "{marketplace} is held ({why}). {remedy}", CHECK, "confirm"
    )
    OTHER_CONTENTS = request(
        "other_contents",
        "{order_ref} already stands for an order with other contents (batch "
        "{batch}, {state}), which is left as it is. {remedy}",
        "To go on with that order, put the old contents back; "
        "to buy something further, give it a new order_ref",
    )
    CONTESTED = choice(
        "contested",
        "{file} [gone?shows it as cancelled or sent]"
        "[other?asks for other contents of it]. {remedy}",
        "Run the file that is right, without --yes, or drop it: "
        "sourcing drop {order_ref}",
        "run",
    )
    RECEIVER_FORGOTTEN = request(
        "receiver_forgotten",
        "the receiver of {order_ref} was forgotten on {on}, and nothing "
        "is bought as that order any more; {remedy}",
        "to buy something, give it a new order_ref",
    )
    FORGOTTEN_UNORDERED = note(
        "forgotten_unordered", "its receiver was forgotten before anything was ordered"
    )
    # refusals of the service
    REFUSED = request(
        "refused",
        "refused by the service: {failure}",
        "do as the service says, then run again",
        "run",
    )
    REFUSED_AFTER_ORDERING = money(
        "refused_after_ordering",
        "not {done}: {failure}. {remedy}",
        "Mend that and run again",
        "run",
    )
    # two readings that can't both be true
    READINGS_DIFFER = doubt(
        "readings_differ",
        "{both}; {remedy}",
        "look it up in the console",
    )
    UNITS_DIFFER = doubt(
        "units_differ",
        "{both}. [If {told} means yuan, set {setting}. ]{remedy}",
        CHECK,
        "confirm",
    )
    PRICE_FAR_BELOW_LIMIT = doubt(
        "price_far_below_limit",
        "{lines:; }: less than a twentieth, and it is not confirmed "
        "yet in which unit {marketplace} has amounts. {remedy}",
        "See its page there: if the price is right, say so: "
        "sourcing confirm {marketplace}[; if it costs that many yuan, set {setting}]. Then run again",
        "confirm",
    )
    SEARCH_DIFFERS = doubt(
        "search_differs",
        "{both}. {remedy}",
        "See its page at {marketplace}: if the offer's price "
        "is right, say so: sourcing confirm {marketplace}. Then run again",
        "confirm",
    )
    UNIT_UNCLEAR = doubt(
        "unit_unclear",
        "{what}: {field} is {amount}, with a decimal point where whole fen belong. "
        "{remedy}",
        "If the console shows that many yuan, set XPORTCN_UNITS={place}=yuan and run again",
        "run",
    )
    SETTING_UNSET = doubt(
        "setting_unset",
        "{what}: the contract leaves open whether the service means {first} or "
        "{second}, and {setting} is not set. {remedy}",
        "Ask its support, set {setting} to {first} or {second}, and run again",
        "run",
    )
    PREVIEW_UNCLEAR = doubt(
        "preview_unclear",
        "the preview can't be right: {odd}; {remedy}",
        "compare it with the page of its offer",
    )
    SHOWN_FOR_NOTHING = doubt(
        "shown_for_nothing",
        "the service shows it for {total}, and nothing is free; {remedy}",
        "look it up there",
    )
    PAID_FOR_NOTHING = waits(
        "paid_for_nothing",
        "the service shows it as paid, and not for how much; {remedy}",
        "run again",
        "run",
    )
    PRICE_NOT_CONFIRMED = waits(
        "price_not_confirmed",
        "the service showed it for {total}, and when asked again not; {remedy}",
        "run again",
        "run",
    )
    UNKNOWN_STATE = doubt(
        "unknown_state",
        "the service shows it in a state that this program does not know ({state}); "
        "{remedy}",
        "it is read again by itself; if that lasts, look it up there",
    )
    # ownership of an order
    NOT_SHOWN = doubt(
        "not_shown",
        "the service does not show this order; {remedy}",
        "look it up in the console",
    )
    NO_REFERENCE_YET = waits(
        "no_reference_yet",
        "the service does not show our reference on order {order_id} yet, so "
        "it is not paid[. If that lasts, look it up in the console: sourcing confirm {marketplace}]",
        "look up order {order_id} in the console",
        "confirm",
    )
    ANOTHERS_REFERENCE = doubt(
        "anothers_reference",
        "order {order_id} carries the reference {reference!r}, not "
        "{order_ref}: {remedy}",
        "look it up in the console",
    )
    HAS_ANOTHER_ID = doubt(
        "has_another_id",
        "{why}. Not paid: the service has {order_id} for it. {remedy}",
        "Run again",
        "run",
    )
    ID_IS_ANOTHERS = doubt(
        "id_is_anothers",
        "the service names {thing} {id}, which is {owner}'s in this ledger: not "
        "believed[, and looked for by {by}]. {remedy}",
        "Run again; if it stays, look both up in the console",
        "run",
    )
    ID_IS_ANOTHERS_ASKED = doubt(
        "id_is_anothers_asked",
        "the service names {thing} {id}, which is {owner}'s in this "
        "ledger: not believed. {question} Answer with: {answers}",
        "answer with: {answers}",
        "resolve",
    )
    SEVERAL_ORDERS = doubt(
        "several_orders",
        "the service holds {count} orders for {order_ref}: {order_ids}; none is "
        "paid. {remedy}",
        KEEP_ONE,
        "resolve",
    )
    ORDERED_IN_PART = doubt(
        "ordered_in_part",
        "order {order_id} of {order_ref} lacks {lines}, and is not paid[ (the "
        "service said: {failure})]. {remedy}",
        "Let it close unpaid and order again under a new order_ref, or take it "
        "as it is: sourcing resolve {order_ref} ordered {order_id} --up-to {total}",
        "resolve",
    )
    ALREADY_THERE = doubt(
        "already_there",
        "the service already has order {orders} under this order_ref, and this "
        "ledger has not ordered it. If it is this order, take it over: {command}. If another ledger ordered it, use "
        "that one: under a new order_ref it would be bought a second time",
        "take it over: {command}",
        "resolve",
    )
    MAY_BE_THERE = doubt(
        "may_be_there",
        "{doubt}: one may be this order, bought with another ledger. Look them up in "
        "the console and take ours over (sourcing resolve ORDER_REF ordered ORDER_ID), then say once that no other "
        "is ours: sourcing confirm {marketplace}",
        "take ours over (sourcing resolve ORDER_REF ordered "
        "ORDER_ID), then: sourcing confirm {marketplace}",
        "resolve confirm",
    )
    OVERTAKEN = doubt(
        "overtaken",
        "{what} (came when the order was {old}): {remedy}",
        "look it up in the console",
    )
    CAME_LATE = note("came_late", "{what} (came when the order was {old})")
    # an effect without a known outcome
    NO_ANSWER = doubt("no_answer", "no answer to {action}[: {why}]")
    NO_ANSWER_ASKED = doubt(
        "no_answer_asked",
        "no answer to {action}[: {why}]. {question} Answer with: {answers}",
        "answer with: {answers}",
        "resolve",
    )
    # paying
    PAYMENT_UNCONFIRMED = waits(
        "payment_unconfirmed",
        "the service has taken the payment and not yet confirmed it",
    )
    PAYMENT_NOT_TAKEN = money(
        "payment_not_taken",
        "the service accepted the payment at {accepted} and has not taken "
        "it[; unpaid, the order closes at {closes}][; its order was closed ({closed})]: {remedy}",
        "look in the "
        "console whether order {order_id} waits for finance (待财务支付), and in the statement for a bill 支付扣款 of "
        "{amount}[closed? without one of its return (取消提交支付退款)]; if none is there: sourcing resolve "
        "{order_ref} not-paid[closed?, else ask the service for the money]",
        "resolve",
    )
    FINANCE_REFUSED = money(
        "finance_refused",
        "not paid: the service's finance refused the payment (支付失败), and it "
        "is not made again by itself; {remedy}",
        "look in the console at order {order_id} for the cause, and in the "
        "statement whether {amount} came back; have it paid or cancelled there",
        "status",
    )
    PAID_ELSEWHERE = note(
        "paid_elsewhere",
        "the service shows it paid, and no payment of this ledger accounts for it",
    )
    PAID_COUNTED_WITH = note(
        "paid_counted_with",
        "paid, counted with {amount}: {differs}",
        "look in the statement of the wallet",
    )
    TAKEN_ABOVE_APPROVED = money(
        "taken_above_approved",
        "the service took {taken}, approved was {approved}[tolerated? "
        "with the price tolerance]: {remedy}",
        "ask for the difference back, then run again; or accept it: run without "
        "--yes, or from the Prefect UI",
        "refund",
    )
    CLOSED_UNPAID = request(
        "closed_unpaid",
        "the order was closed unpaid[ ({why})]; {remedy}",
        "order again under a new order_ref",
    )
    CLOSED_AFTER_PAYMENT = money(
        "closed_after_payment",
        "the marketplace closed the order after it was paid[ ({why})]; {remedy}",
        f"ask for the money back: sourcing refund; {IF_IT_CAME}",
        "refund",
    )
    # freight and booking
    PAID_SHOWN_OTHERWISE = money(
        "paid_shown_otherwise",
        "paid, not booked: the service shows the order as {status}; {remedy}",
        "look it up there",
    )
    PAID_NO_FREIGHT = money(
        "paid_no_freight",
        "paid, not booked: no freight service {wish!r}[; offered: {offered}]. {remedy}",
        "Run again once it is offered, or ask for the money back: sourcing refund",
        "run",
    )
    FREIGHT_ROSE = limit(
        "freight_rose",
        "paid, not booked: freight of {price} is not approved[, {approved} was]. "
        "{remedy}",
        "Run it without --yes, or from the Prefect UI, to approve it",
        "run",
    )
    SEVERAL_SHIPMENTS = money(
        "several_shipments",
        "the warehouse shows {count} shipments for this order: {ids}. {remedy}",
        "Cancel all but one at the warehouse; tracking goes on with that. If it still shows the "
        "others: sourcing resolve ORDER_REF booked SHIPMENT_ORDER_ID --tracking NUMBER",
        "resolve",
    )
    FREIGHT_CHARGED_MORE = note(
        "freight_charged_more",
        "the warehouse charges {fee}, approved was {approved}: {remedy}",
        "ask for the difference",
    )
    # cancelling and refunds
    CANCEL_ACCEPTED = waits(
        "cancel_accepted",
        "the service has accepted the cancellation and not yet closed the "
        "order; {remedy}",
        "look again: sourcing cancel",
        "cancel",
    )
    PAID_BEFORE_CLOSED = money(
        "paid_before_closed",
        "the order was paid before it closed; {remedy}",
        "ask for {paid} back: sourcing refund {order_ref} --kind refund; " + IF_IT_CAME,
        "refund",
    )
    REFUND_ASKING = doubt(
        "refund_asking",
        "{what} is not known to have reached the service; {remedy}",
        "run again",
        "refunds",
    )
    REFUND_UNDER_WAY = note("refund_under_way", "{what} {step}")
    REFUND_TO_RETURN = money(
        "refund_to_return",
        "{what} is agreed: send the goods back[ by {by}], then: sourcing "
        "return {order_ref} --company CODE --number NUMBER",
        "send the goods back, then: sourcing return {order_ref} "
        "--company CODE --number NUMBER",
        "return",
    )
    REFUND_CAME_BACK = note("refund_came_back", "{back} of {asked} came back")
    REFUND_REFUSED = money(
        "refund_refused", "{by} refused the {what}: {why}", OR_ASK, "refund"
    )
    REFUND_CLOSED = note("refund_closed", "the {what} was closed: {why}")
    # a person's answers
    ANSWERED = note("answered", "{by} answered: {answer}[. {then}]")
    REST_IS_LOST = note("rest_is_lost", "{by} answered: {answer}")
    SAID_PAID = waits(
        "said_paid", "{by} answered: {answer}; the service shows it as {status} still"
    )
    # parts of a reason
    # a remedy that was not carried out
    NOT_IN_LEDGER = other(
        "not_in_ledger",
        "no such order in the ledger; {remedy}",
        "see all with: sourcing status",
    )
    NO_CANCELLING = other(
        "no_cancelling",
        "the service can't cancel orders of {marketplace}; unpaid ones close by "
        "themselves after 24 hours",
    )
    AT_WORK_ON_IT = other(
        "at_work_on_it",
        "another run is at work on it, or it is not known yet what became of that; "
        "{remedy}[. {why}]",
        "run again",
        "cancel",
    )
    NOTHING_TO_CANCEL = other(
        "nothing_to_cancel",
        "nothing was ordered, so there is nothing to cancel[approved?, but it is approved: the "
        "sweep goes on to order it]. {remedy}",
        "Drop it: sourcing drop",
        "drop",
    )
    NOT_DROPPED = other(
        "not_dropped",
        "it is {state}, and something of it was begun: {remedy}",
        "cancel it, or ask for a refund",
        "cancel",
    )
    PAST_CANCELLING = other(
        "past_cancelling",
        "it is {state}: {remedy}",
        "ask for a refund or a return (sourcing refund)",
        "refund",
    )
    FREIGHT_STAYS_BOOKED = other(
        "freight_stays_booked", "its freight is booked: ask the warehouse to cancel it"
    )
    NOT_CANCELLED = other("not_cancelled", "not cancelled[: {failure}]")
    WANTED_BACK = note(
        "wanted_back",
        "a person wants it cancelled, or most of its money back: only a run that asks "
        "goes on with it",
    )
    EFFECT_NOT_DONE = other("effect_not_done", "{key} is {status}[: {why}]")
    NO_REFUND_NOW = other("no_refund_now", "the marketplace takes no such refund now")
    REFUND_NOT_BELIEVED = other(
        "refund_not_believed",
        "refund {refund_id} shows {refunded} given back of {asked} "
        "asked, and {paid} was paid: not believed, {remedy}",
        "look it up there",
    )
    # parcels
    PARCEL_SILENT = other(
        "parcel_silent", "no scan for {days} days", ASK_CARRIER, "status"
    )
    PARCEL_RETURNS = other(
        "parcel_returns", "on its way back to the sender", ASK_CARRIER, "status"
    )
    PARCEL_EXCEPTION = other(
        "parcel_exception",
        "the carrier reports that it is stuck, such as at customs",
        ASK_CARRIER,
        "status",
    )
    # deliveries of messages
    MESSAGE_UNDELIVERED = other(
        "message_undelivered",
        "{addressee} did not get it: {why}; [over?given up][goes_on?tried again]",
        "try it: sourcing notify --test",
        "notify",
    )
    RUN_FILE_FAULTY = other(
        "run_file_faulty",
        "the file has faults; nothing was sent",
        f"mend the file, {AGAIN}",
    )
    RUN_FILE_UNREADABLE = other(
        "run_file_unreadable", "{failure}", f"mend the file, {AGAIN}"
    )
    RUN_INPUT_WRONG = other(
        "run_input_wrong", "{failure}", "start it anew with other values"
    )
    RUN_SETTING_WRONG = other(
        "run_setting_wrong", "{failure}", f"correct the setting, {AGAIN}"
    )
    RUN_LEDGER_UNUSABLE = other(
        "run_ledger_unusable",
        "{failure}",
        f"see to the ledger, {AGAIN}",
        "doctor",
    )
    RUN_SNAPSHOT_FAILED = other(
        "run_snapshot_failed",
        "{failure}",
        f"see to the snapshots, {AGAIN}",
        "snapshot",
    )
    RUN_SERVICE_FAILED = other(
        "run_service_failed",
        "{failure}",
        f"see whether the service answers, {AGAIN}",
        "doctor",
    )
    RUN_MACHINE_FAILED = other(
        "run_machine_failed",
        "{failure}",
        f"see to the disk and the network, {AGAIN}",
        "doctor",
    )
    RUN_DEFECT = other("run_defect", "{failure}", f"report it with that log, {AGAIN}")
    RUN_TOOK_TOO_LONG = other(
        "run_took_too_long",
        "it took too long and was ended",
        f"see its log, {AGAIN}",
    )
    RUN_NOT_BEGUN = other(
        "run_not_begun",
        "Prefect could not begin or end it; its page says why",
        f"mend what its page says, {AGAIN}",
    )
    RUN_LOST = other(
        "run_lost",
        "its process or machine is gone: it was killed, had no memory left, or the machine "
        "was switched off. What it began is finished by itself",
        "nothing, unless this comes again "
        "and again; then check the memory of the machine, and the log of the run",
    )


CODES = {str(code): code for code in ReasonCode}
