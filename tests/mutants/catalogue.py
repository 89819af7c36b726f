"""The rules of the effect path, and for each the mutants that break it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutants.changes import Change, always, never, replace, rewrite


@dataclass(frozen=True, slots=True)
class Mutant:
    """A breakage of the project. `means` states what a merchant would lose by it.

    The simulation must find it; beyond its reach, the test that `found_by` names.
    """

    name: str
    means: str
    change: Change
    found_by: str = ""
    also: tuple[Change, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        return (self.change, *self.also)


@dataclass(frozen=True, slots=True)
class Rule:
    """What the project promises. A rule goes with its feature, never with a rewrite."""

    promise: str
    mutants: tuple[Mutant, ...]


RULES = (
    Rule(
        "An effect is in the ledger and in the send log before it is sent",
        (
            Mutant(
                "intent-after-send",
                "a crash between sending and writing forgets the effect, the next run sends it again",
                rewrite(
                    "tasks/effects/protocol.py::_claim_and_send",
                    "claim()",
                    """...
with resources.ledger.transaction() as connection:
    for effect in claimed.won.values():
        connection.exec_driver_sql(f"DELETE FROM effects WHERE key = '{effect.key}'")""",
                ),
                also=(
                    rewrite(
                        "tasks/effects/protocol.py::_claim_and_send",
                        "_record()",
                        """resources.ledger.claim([intent], lease=resources.lease)
...""",
                    ),
                ),
            ),
            Mutant(
                "send-log-not-written",
                "after a crash what was sent passes for never sent",
                replace("tasks/engine/resources.py::_leave_of", "note()", "None"),
            ),
        ),
    ),
    Rule(
        "What may have happened is read before it is sent again",
        (
            Mutant(
                "no-read-before-resend",
                "an effect whose answer was lost is sent again without asking whether it happened",
                rewrite(
                    "tasks/effects/settling.py::_settle",
                    "_read_back_unless()",
                    """from domain.absence import OwnRecord
from domain.witnessed import Source, Statement
unread = OwnRecord(shown=Statement(source=Source.DETAIL, value="not there"))
seen = {attempt.effect.key: unread for attempt in attempts}""",
                ),
                "tests/tasks/test_effects.py::test_an_effect_that_arrives_late_is_found",
            ),
            Mutant(
                "effects-sent-again-at-once",
                "a cut connection pays twice",
                rewrite(
                    "tasks/effects/protocol.py::_send",
                    "send()",
                    "try:\n    ...\nexcept Unanswered:\n    ...",
                ),
            ),
            Mutant(
                "silence-taken-for-no",
                "an effect without an answer passes for one that did not happen",
                replace(
                    "tasks/effects/judge.py::judge",
                    "unknown() failure .message",
                    "unsent(kind, attempt, Harmless(), SENT_AGAIN)",
                ),
            ),
            Mutant(
                "retry-without-settling",
                "a further try begins without asking what became of what the try before had on the wire",
                never("tasks/effects/kinds.py::settled", "unsettled()"),
                "tests/tasks/test_tries.py::test_a_further_try_asks_first_what_became_of_the_one_before",
            ),
            Mutant(
                "own-open-rows-skipped",
                "what this run began and could not record is left alone, and nobody asks what became of it",
                replace(
                    "connectors/ledger/store.py::Ledger.take_over",
                    "self .owner dead_owners",
                    "[*dead_owners]",
                ),
                "tests/tasks/test_tries.py::test_what_could_not_be_recorded_is_taken_over_by_the_next_try",
            ),
            Mutant(
                "siblings-cancelled",
                "Ctrl-C cuts payments that are on the wire, and nobody hears what became of them",
                rewrite(
                    "connectors/concurrently.py::_all_ended",
                    "on_cancel()",
                    "...\nfor task in running:\n    task.cancel()",
                ),
                "tests/tasks/test_tries.py::test_a_cancelled_try_hears_what_is_on_the_wire",
            ),
            Mutant(
                "resend-of-an-unknown",
                "a further try sends again what may have happened",
                always("tasks/effects/judge.py::judge", "repeatable"),
            ),
            Mutant(
                "sent-any-number-of-times",
                "a payment whose answers are lost is submitted each night anew",
                never("connectors/ledger/claiming.py::_is_over", "doubtful_sends"),
                "tests/connectors/ledger/test_claims.py::test_what_was_sent_twice_in_doubt_is_claimed_no_more",
                also=(
                    replace(
                        "connectors/ledger/claiming.py::_claiming",
                        "MOST_DOUBTFUL_SENDS",
                        "10**9",
                    ),
                ),
            ),
        ),
    ),
    Rule(
        "Absence is proved by two witnesses, once what was sent can arrive no more",
        (
            Mutant(
                "no-settle-time",
                "an effect that lands late is sent again before it is there",
                replace(
                    "tasks/effects/judge.py::clear_from",
                    "leaves_by settle_s",
                    "record.intent_at",
                ),
            ),
            Mutant(
                "absent-by-one-witness",
                "a list that is behind does not show a create yet, which is sent again",
                replace(
                    "domain/absence.py::judge_absence",
                    "_young_end()",
                    "FirstPage(since=sent.at - CLOCKS_APART, read_at=caught_up(sent))",
                ),
                "tests/domain/test_absence.py::test_a_list_without_a_younger_order_is_given_time",
            ),
            Mutant(
                "absence-without-a-control",
                "a list that hides our references makes an order look absent, and it is ordered twice",
                always("domain/absence.py::judge_absence", "_places()"),
                "tests/simulation/test_dialects.py::test_an_order_is_not_given_up_where_lists_show_no_reference",
            ),
            Mutant(
                "misnaming-list-believed",
                "a lost order that is listed under another one's reference looks absent, and is ordered twice",
                never("domain/absence.py::misnamed", "ours order_id"),
                "tests/tasks/test_misnamed.py::test_a_list_that_tells_a_lost_order_under_another_name_proves_nothing",
            ),
            Mutant(
                "unpaid-proves-not-submitted",
                "a submitted payment that shows only hours later is submitted again, and debited twice",
                never("tasks/effects/pay.py::Pay.seen", "_is_unpaid()"),
                "tests/tasks/test_submissions.py::test_it_is_never_sent_again_and_becomes_a_question",
            ),
        ),
    ),
    Rule(
        "A refusal counts once its words are known and a reading bears it out",
        (
            Mutant(
                "refusal-believed-without-a-look",
                "an answer 'already done' passes for a refusal, and the order is taken for unpaid",
                replace(
                    "tasks/effects/judge.py::judge",
                    "isinstance() Proof",
                    "... and failure is None",
                ),
                "tests/tasks/test_effects.py::test_a_refusal_of_what_is_done_counts_as_done",
            ),
            Mutant(
                "refused-in-any-words",
                "a refusal in words that nobody knows passes for a no, though it may mean that it is done already",
                replace(
                    "tasks/effects/judge.py::_after_refusal",
                    "proves_nothing_happened() never_left()",
                    "True",
                ),
                "tests/tasks/test_effects.py"
                "::test_a_refusal_in_unknown_words_is_kept_and_ends_as_refused_once_it_is_absent",
            ),
            Mutant(
                "refused-by-its-words-alone",
                "a no is believed although nothing that was read afterwards bears it out",
                never("tasks/effects/judge.py::_after_refusal", "NOT_READ"),
                "tests/tasks/test_effects.py::test_a_refusal_in_known_words_is_a_doubt_while_nothing_was_read",
            ),
            Mutant(
                "a-code-429-is-never-sent",
                "a create whose last upstream call is throttled is sent again, and bought twice",
                replace(
                    "connectors/xportcn/failures.py::meaning_of",
                    "TOO_MANY .status",
                    "failure.code in THROTTLED",
                ),
                "tests/connectors/xportcn/test_failures.py::test_an_answer_means_what_its_status_and_envelope_say",
            ),
            Mutant(
                "retry-on-a-refusal",
                "what the service refused is sent again by the same run, and again",
                replace(
                    "connectors/ledger/claiming.py::_is_over", "REFUSED owner", "False"
                ),
                "tests/tasks/test_tries.py::test_a_further_try_does_not_repeat_what_was_refused",
            ),
            Mutant(
                "finance-refused-is-paid-again",
                "an order whose payment finance has refused is submitted again by itself, and debited again",
                never("domain/decisions.py::_against_paying", "PAYMENT_REFUSED"),
                "tests/tasks/test_submissions.py::test_a_payment_that_finance_refused_is_held_and_never_made_again",
            ),
        ),
    ),
    Rule(
        "One run at a time holds an effect",
        (
            Mutant(
                "no-fencing",
                "a run that was stopped for long overwrites what the run after it found out",
                replace(
                    "connectors/ledger/order_mover.py::_settle",
                    "fences .fence",
                    "claim.key in fences",
                ),
            ),
            Mutant(
                "lease-not-checked-at-send",
                "a run that was stopped past its lease sends what another run has sent meanwhile",
                never("tasks/engine/resources.py::_leave_of", "lease_until"),
            ),
            Mutant(
                "take-over-from-the-living",
                "two runs work on one effect at once",
                replace(
                    "connectors/ledger/store.py::Ledger.take_over",
                    ".lease_until now",
                    "effects.c.owner != ''",
                ),
            ),
            Mutant(
                "open-effects-may-be-claimed",
                "two runs each send the same effect",
                replace(
                    "connectors/ledger/claiming.py::_claiming",
                    ".status UNSENT",
                    "(effects.c.status != 'done') & (effects.c.status != 'refused')",
                ),
            ),
        ),
    ),
    Rule(
        "An order is read right before it is paid or booked, and claimed when it can leave",
        (
            Mutant(
                "paid-at-the-price-of-the-create",
                "a price that rose after the order was created is paid, since nobody looks again",
                rewrite(
                    "tasks/pay.py::_read_payable",
                    "_shown()",
                    """...
for ref in shown:
    total = shown[ref].total
    total = replace(total, minor=orders[ref].total_minor or total.minor)
    shown[ref] = replace(shown[ref], total=total)""",
                ),
                "tests/tasks/test_pay.py::test_a_price_that_rose_since_the_create_is_not_paid",
            ),
            Mutant(
                "paid-without-a-look-at-the-price",
                "more is paid than was approved",
                never("domain/decisions.py::_against_paying", ".total payable"),
            ),
            Mutant(
                "booked-without-a-look",
                "an order that was closed or booked by a person meanwhile is booked once more",
                rewrite(
                    "tasks/book_shipment.py::still_to_book",
                    "read_each()",
                    "return dict(orders)",
                ),
                "tests/tasks/test_effect_path.py::test_an_order_that_shows_a_shipment_is_not_booked_again",
            ),
            Mutant(
                "claimed-before-it-can-leave",
                "leases run out while their orders wait for a free call, and a killed run leaves many in doubt",
                replace(
                    "tasks/effects/protocol.py::_in_rounds",
                    "slots one()",
                    "__import__('contextlib').nullcontext()",
                ),
                "tests/tasks/test_steps.py::test_no_more_is_claimed_than_can_leave",
            ),
            Mutant(
                "paid-on-an-old-look",
                "a price that rose while the payment waited for a free call is paid",
                never("tasks/effects/protocol.py::_in_rounds", "rests_on_a_reading"),
                "tests/tasks/test_steps.py::"
                "test_what_waited_for_a_place_longer_than_a_lease_is_read_anew_before_it_is_paid",
            ),
            Mutant(
                "paid-after-a-sleep",
                "a price that rose while the laptop slept is paid, and what was booked meanwhile is booked again",
                replace(
                    "tasks/effects/protocol.py::perform",
                    "read_at clock()",
                    "kind.resources.clock()",
                ),
                "tests/tasks/test_effect_path.py::"
                "test_an_order_that_was_read_before_the_machine_slept_is_not_booked",
            ),
        ),
    ),
    Rule(
        "A budget counts everything that may have been spent",
        (
            Mutant(
                "budget-ignores-unknown",
                "money that may be spent is spent a second time on other orders",
                replace(
                    "connectors/ledger/spending.py::_counted",
                    "COUNTS_AS_SPENT",
                    "[EffectStatus.DONE]",
                ),
            ),
            Mutant(
                "budget-ignores-other-runs",
                "two runs on one batch each spend its budget",
                replace(
                    "connectors/ledger/claiming.py::claim_each",
                    "count_spending()",
                    "None",
                ),
                "tests/connectors/ledger/test_spending.py::test_what_another_run_claims_meanwhile_is_counted",
            ),
            Mutant(
                "budget-ignores-outcomes",
                "an order whose effect is settled counts for what it did before",
                replace(
                    "connectors/ledger/order_mover.py::OrderMover.write",
                    "count_spending()",
                    "None",
                ),
                "tests/connectors/ledger/test_spending.py::"
                "test_an_order_counts_for_the_most_that_may_be_paid_until_it_is_paid",
            ),
            Mutant(
                "isolation-as-the-server-likes",
                "where the server reads repeatably, two runs that wait for each other each spend the whole budget",
                replace(
                    "connectors/ledger/engine.py::_postgresql", "READ COMMITTED", "None"
                ),
                "tests/connectors/ledger/test_spending.py::"
                "test_two_claims_at_one_moment_share_a_limit_on_postgresql",
            ),
            Mutant(
                "payment-believed-to-cost-less",
                "a payment that is told as another order's opens a budget that is used up",
                replace(
                    "connectors/ledger/spending.py::_counted",
                    ".for_minor shown",
                    "begun.c.for_minor < 0",
                ),
                "tests/connectors/ledger/test_spending.py::"
                "test_a_payment_that_is_told_as_less_than_it_was_begun_for_opens_no_budget",
            ),
            Mutant(
                "negative-amount-accepted",
                "a price below zero opens the budget for other orders",
                never("connectors/xportcn/wire.py::_within", "minor 0"),
            ),
        ),
    ),
    Rule(
        "No more is claimed than is approved at that moment",
        (
            Mutant(
                "approval-not-bound-to-the-plan",
                "what is bought is another plan than the one that was approved",
                always("connectors/ledger/claiming.py::still_valid", "plan_hash now"),
            ),
            Mutant(
                "pays-and-books-after-a-no",
                "somebody says no to an order, or to its freight, and a run that saw it before pays and books it",
                replace(
                    "connectors/ledger/claiming.py::_is_approved",
                    "is_within plan_hash",
                    "True",
                ),
                "tests/connectors/ledger/test_claims.py::"
                "test_nothing_is_paid_or_booked_beyond_what_is_approved_at_that_moment",
            ),
            Mutant(
                "limit-dropped-by-the-reader",
                "a cell that seems empty passes for no limit, and an order is bought at any price",
                never("domain/cell_table.py::CellTable._read", "if_blank"),
                "tests/domain/test_request_files.py::test_an_empty_limit_is_only_what_is_truly_empty",
            ),
            Mutant(
                "books-freight-for-what-came-back",
                "a sold-out line is given back, and its freight is booked and paid with that of the others",
                replace("tasks/effects/book.py::Book.send", ".unsent", "()"),
                "tests/tasks/test_effect_path.py::test_no_freight_is_bought_for_a_line_whose_money_came_back",
            ),
            Mutant(
                "goods-in-no-sum-are-paid",
                "a question names freight of 35 USD, and its yes pays goods for 6,000 CNY",
                never("flows/approval/request.py::ApprovalRequest.total", "is_unpaid"),
                "tests/tasks/test_declined.py::test_a_yes_is_to_an_order_as_the_question_names_it",
            ),
            Mutant(
                "yes-renews-what-was-cancelled-since",
                "somebody cancels an order while a question waits, and the yes to its freight pays its goods",
                always("flows/batch/run.py::BatchRun._approve", "withdrawn_at"),
                "tests/tasks/test_declined.py::test_a_yes_is_to_an_order_as_the_question_names_it",
            ),
            Mutant(
                "all-but-buys-what-was-left-out",
                "a person leaves two orders out, and these two are bought",
                replace(
                    "domain/wording.py::chosen",
                    "choice .ONLY",
                    "choice is not Choice.ALL",
                ),
                "tests/domain/test_choices.py::test_all_none_only_these_and_all_but_these",
            ),
            Mutant(
                "yes-to-an-old-plan-approves-the-new-one",
                "a plan is made anew at a higher price, and the link to the old one approves it",
                never("connectors/ledger/questions.py::take_answer", "shown_hash"),
                "tests/tasks/test_stored_plans.py::test_an_answer_to_an_old_plan_approves_nothing",
            ),
            Mutant(
                "an-uploaded-file-is-not-asked-about",
                "a file that was sent from a browser to be asked about is bought by the night without asking",
                always("flows/buy_from_inbox.py::Night._work", "ASKS"),
                "tests/flows/test_inbox_files.py"
                "::test_a_file_whose_name_says_so_is_asked_about_also_where_it_was_moved",
            ),
        ),
    ),
    Rule(
        "The approval limit counts all that may be paid without asking",
        (
            Mutant(
                "tolerance-passes-the-approval-limit",
                "with a price tolerance, orders for more than the approval limit are bought unasked",
                replace(
                    "flows/approval/request.py::above_limit", "payable()", "approved"
                ),
                "tests/flows/approval/test_approving.py::test_the_approval_limit_counts_the_most_that_may_be_paid",
            ),
            Mutant(
                "freight-approves-itself",
                "freight that rose to any price is held once, and booked by the next night that is approved beforehand",
                never(
                    "tasks/book_shipment.py::estimate_unbooked.one", "_above_approved()"
                ),
                "tests/tasks/test_effect_path.py::"
                "test_a_yes_given_beforehand_raises_no_freight",
            ),
            Mutant(
                "limit-counts-each-plan-alone",
                "a batch above the approval limit is bought unasked, in two parts, of one night or of two",
                replace("flows/batch/run.py::BatchRun._request", "_allowed()", "()"),
                "tests/tasks/test_unfinished.py::"
                "test_what_is_planned_later_counts_to_the_approval_limit_with_what_the_yes_allowed_before",
            ),
        ),
    ),
    Rule(
        "An amount is known twice, and in a unit that is known",
        (
            Mutant(
                "amount-of-one-reading",
                "a total told in another unit passes for a bargain, and a hundred times as much is paid",
                always("domain/witnessed.py::_amount_or_contradicted", "gap"),
                "tests/tasks/test_amounts.py::test_an_order_told_at_a_hundredth_is_not_paid_nor_is_another_there",
            ),
            Mutant(
                "payment-told-as-less-believed",
                "14.20 was paid, and 0.14 is told and counted",
                never("domain/witnessed.py::agreed_taken", "UNIT owed"),
                "tests/tasks/test_amounts.py::test_a_payment_told_as_less_counts_with_what_it_was_for",
            ),
            Mutant(
                "paid-by-one-fact",
                "an order in a state that nobody knows counts as paid by us though nobody of ours paid it",
                always("domain/decisions.py::judge_paid", "by_us"),
                "tests/tasks/test_amounts.py::test_an_unknown_state_of_an_order_that_we_never_paid_is_held",
            ),
            Mutant(
                "hold-not-read-in-the-claim",
                "a marketplace whose unit is in doubt goes on to be paid by other runs",
                always("connectors/ledger/claiming.py::_where_open", "off intents"),
                "tests/connectors/ledger/test_holds.py::test_a_unit_holds_its_marketplace_for_every_run",
            ),
            Mutant(
                "a-point-in-fen-is-read",
                "59.00 yuan in a fen place is read as 0.59 CNY, and every limit is passed a hundred times",
                never("connectors/xportcn/wire.py::_whole_fen", "Decimal POINT"),
                "tests/connectors/xportcn/test_wire.py::test_a_decimal_point_is_never_read_as_fen",
            ),
            Mutant(
                "a-price-far-below-its-limit-passes",
                "whole yuan that are read as fen fit every limit, and are ordered",
                replace(
                    "domain/decisions.py::far_below_limits",
                    "LEAST_OF_LIMIT most",
                    "amount > most",
                ),
                "tests/simulation/dialects/test_units.py::"
                "test_with_limits_nothing_is_ordered_before_the_unit_is_known",
            ),
        ),
    ),
    Rule(
        "A no, silence or a cancellation holds until a person says yes",
        (
            Mutant(
                "look-goes-on-after-a-no",
                "somebody says no to shipping what was begun, and a look by itself pays and books it",
                replace(
                    "connectors/ledger/plans.py::say_no",
                    "approval_withdrawn()",
                    "OrderUpdate({})",
                ),
                "tests/tasks/test_declined.py::test_an_order_whose_freight_a_person_declined_is_left_alone",
            ),
            Mutant(
                "no-to-what-is-not-paid-yet",
                "somebody says no to shipping while the payment is pending, and the night after it ships the order",
                replace("connectors/ledger/plans.py::say_no", "audit()", "None"),
                "tests/simulation/test_not_wanted.py::"
                "test_nor_ships_what_was_refused_while_its_payment_was_pending",
            ),
            Mutant(
                "night-pays-after-a-no",
                "somebody says no to an order that is not paid yet, and the night pays it whatever it costs",
                replace(
                    "tasks/book_shipment.py::estimate_unbooked",
                    "needing_a_person()",
                    "()",
                ),
                "tests/simulation/test_not_wanted.py::test_only_a_person_s_yes_pays_it_after_that",
            ),
            Mutant(
                "cancelled-in-vain-is-paid",
                "somebody cancels an order, the service does not take it, and the night pays the order",
                replace("flows/cancel_orders.py::cancel", "take_back()", "None"),
                "tests/simulation/test_not_wanted.py::test_only_a_person_s_yes_pays_it_after_that",
            ),
            Mutant(
                "declined-and-bought-beforehand",
                "a person says no to an order, or nothing, and the next night buys it unasked",
                replace(
                    "flows/batch/run.py::BatchRun._within", "fromkeys() UNASKED", "{}"
                ),
                "tests/simulation/test_not_wanted.py::"
                "test_a_yes_given_beforehand_buys_nothing_that_a_person_has_not_said_yes_to_when_asked",
            ),
            Mutant(
                "laid-aside-and-asked-about",
                "an order that a person does not want waits again after the next night of its file",
                always("flows/batch/run.py::BatchRun.buy", "aside fingerprint"),
                "tests/simulation/test_not_wanted.py::"
                "test_a_yes_given_beforehand_buys_nothing_that_a_person_has_not_said_yes_to_when_asked",
            ),
            Mutant(
                "asked-back-in-vain-is-booked",
                "somebody cancels a paid order or asks for all its money, in vain, and the night books and ships it",
                replace(
                    "connectors/ledger/plans.py::_LAID_ASIDE",
                    "_TAKEN_BACK",
                    "and_(..., False)",
                ),
                "tests/simulation/test_not_wanted.py::"
                "test_what_was_paid_and_asked_back_in_vain_is_booked_by_a_person_s_yes_alone",
            ),
            Mutant(
                "look-takes-up-what-is-held",
                "what waits for a person is paid and booked by a look that asks nobody",
                replace(
                    "flows/batch/follow_up.py::sort_approved",
                    "BEGUN",
                    "{*..., OrderState.HELD}",
                ),
                "tests/flows/batch/test_follow_up.py::"
                "test_only_what_is_approved_still_and_waits_for_nobody_is_taken_up",
            ),
            Mutant(
                "answer-about-an-order-that-moved",
                "a person's no makes nothing of a payment that was confirmed meanwhile, and the day's limit has room",
                never(
                    "connectors/ledger/resolutions.py::ResolutionRows.record",
                    "expected",
                ),
                "tests/flows/answers/test_resolve.py::"
                "test_not_paid_is_refused_when_the_payment_was_confirmed_meanwhile",
            ),
            Mutant(
                "receipt-beside-a-refund",
                "somebody confirms a receipt while money is asked back, and the seller keeps it",
                never("cli/call.py::_orders_named", "UNDER_WAY"),
                "tests/cli/test_call.py::"
                "test_nothing_is_called_while_an_effect_or_a_refund_of_its_order_is_open",
            ),
            Mutant(
                "a-dropped-order-is-planned-by-the-run-at-work",
                "a run that began before an order was laid aside plans it anew, and buys it",
                replace(
                    "connectors/ledger/plans.py::put_rows", "withdrawn_since()", "()"
                ),
                "tests/connectors/ledger/test_dropping.py::"
                "test_a_run_at_work_on_it_neither_begins_nor_plans_nor_holds_it",
            ),
            Mutant(
                "what-is-begun-is-dropped",
                "an order that is on its way is closed in the ledger, and its payment is nowhere expected",
                never("connectors/ledger/plans.py::_withdraw", "ref begun"),
                "tests/connectors/ledger/test_dropping.py::test_what_is_begun_stays_and_says_what_to_do",
                also=(never("connectors/ledger/plans.py::_withdraw", "order_id"),),
            ),
        ),
    ),
    Rule(
        "A booking is repeated only where a second one is refused, and as it was approved",
        (
            Mutant(
                "booking-sent-again-when-not-seen",
                "an order is shipped twice",
                replace(
                    "tasks/effects/book.py::Book.may_be_repeated",
                    "_second_is_refused_by RENDER_REFUSED",
                    "True",
                ),
                "tests/tasks/test_bookings_repeated.py::"
                "test_it_is_never_sent_again_where_a_second_one_may_be_charged",
                also=(
                    always(
                        "tasks/effects/book.py::Book._by_render_of", "ORDER_REFUSED"
                    ),
                ),
            ),
            Mutant(
                "a-no-to-the-second-booking-clears-the-first",
                "a booking that may have arrived counts as refused, and another is made under a new render",
                always("tasks/effects/judge.py::_after_refusal", "repeats()"),
                "tests/tasks/test_bookings_repeated.py::"
                "test_a_refused_second_call_books_nothing_more_and_asks_for_the_first",
            ),
            Mutant(
                "booked-again-under-another-render",
                "an order is shipped twice where one render is booked once",
                replace(
                    "tasks/effects/book.py::Book._by_render_of",
                    "render_id",
                    "chosen.quote.render_id",
                ),
                "tests/tasks/test_bookings_repeated.py::"
                "test_it_is_booked_by_a_second_call_under_the_render_that_the_service_refuses_twice",
            ),
            Mutant(
                "repeats-a-booking-with-another-service",
                "a booking is sent again under its first render with a service that costs more there than was approved",
                always("tasks/effects/book.py::Book._by_render_of", "booking_hash()"),
                "tests/tasks/test_bookings_repeated.py::"
                "test_another_service_of_a_new_render_is_not_booked_under_the_first",
            ),
        ),
    ),
    Rule(
        "An id at the service belongs to one order",
        (
            Mutant(
                "foreign-id-accepted",
                "an order takes another one's id: the one is forgotten, the other paid for both",
                never(
                    "connectors/ledger/order_ids.py::IdOwners.conflict",
                    "owner order_ref",
                ),
                "tests/connectors/ledger/test_id_conflicts.py::"
                "test_a_shipment_that_was_read_and_is_another_s_holds_the_order",
                also=(
                    never("tasks/effects/reading_orders.py::is_another_s", "reference"),
                ),
            ),
            Mutant(
                "booked-by-one-witness",
                "a shipment that belongs to another order passes for this one's, which is never booked",
                replace(
                    "connectors/ledger/order_ids.py::IdOwners.outcome",
                    "conflict()",
                    "... and {}",
                ),
                "tests/connectors/ledger/test_id_conflicts.py::"
                "test_a_booking_that_names_another_s_shipment_asks_a_person",
            ),
        ),
    ),
    Rule(
        "One order goes first where what it meets is not known yet",
        (
            Mutant(
                "second-order-before-the-answer",
                "a unit, a credit or a warehouse that was not meant costs a whole batch instead of one order",
                replace(
                    "connectors/ledger/claiming.py::claim_each", "behind_first()", "{}"
                ),
                "tests/connectors/ledger/test_first_orders.py::test_no_other_run_passes_the_first_order",
            ),
            Mutant(
                "canary-skipped",
                "where orders can't be read back, all of a batch are created before the first is found unreadable",
                never("flows/batch/execution.py::Canaries.admit", "is_free()"),
                "tests/simulation/test_canary.py::test_one_order_is_created_where_it_can_not_be_read_back",
            ),
            Mutant(
                "canary-forgotten-by-the-next-run",
                "each run sends another order to where the one before could not be read back",
                never("flows/batch/execution.py::Canaries._kept_back", "stuck None"),
                "tests/simulation/test_canary.py::"
                "test_a_run_after_a_crash_reads_the_canary_back_before_it_creates_another",
            ),
        ),
    ),
    Rule(
        "A ledger that was put back makes nothing again that it has forgotten",
        (
            Mutant(
                "what-the-service-has-is-planned-again",
                "a ledger that was put back buys again what it has forgotten",
                never("flows/batch/plan_sources.py::FromRequests.plan", "why ref"),
                "tests/flows/batch/test_unrecorded.py::test_a_plan_of_what_the_service_has_is_held",
            ),
            Mutant(
                "put-back-buys-at-once",
                "a payment that was on its way when the ledger was put back is made again before it is there",
                replace(
                    "connectors/ledger/marks.py::MarkRows.confirm_restored",
                    "listed_within",
                    "0 * ...",
                ),
                "tests/simulation/test_put_back.py::test_a_payment_that_was_on_its_way_is_not_made_again",
            ),
            Mutant(
                "put-back-books-again",
                "an order that was booked after the backup is shipped twice",
                replace("tasks/book_shipment.py::_book", "maybe_booked()", "{}"),
                "tests/simulation/test_put_back.py::"
                "test_what_was_booked_since_is_asked_about_where_its_order_does_not_show_it",
            ),
            Mutant(
                "put-back-forgets-submissions",
                "a payment that a restored ledger has forgotten, and that the service shows hours later, is made again",
                replace("tasks/pay.py::PaymentBatcher.take", "_maybe_paid()", "{}"),
                "tests/simulation/test_put_back.py::test_a_payment_that_shows_only_hours_later_is_asked_about",
            ),
            Mutant(
                "put-back-by-hand-unnoticed",
                "a ledger that somebody copied back buys again what it has forgotten",
                replace(
                    "tasks/engine/resources.py::open_resources",
                    "notice_put_back()",
                    "None",
                ),
                "tests/simulation/test_put_back.py::test_a_payment_that_was_on_its_way_is_not_made_again",
            ),
        ),
    ),
    Rule(
        "Once a pause has returned, nothing is bought",
        (
            Mutant(
                "claims-while-paused",
                "somebody stops all buying, and a run under way goes on to buy",
                never("connectors/ledger/store.py::Ledger.claim", "BUYING off"),
            ),
            Mutant(
                "pause-waits-for-nobody",
                "somebody is told that nothing leaves any more, and then something is paid",
                never("flows/answers/pausing.py::effects_leaving", "SENDING"),
            ),
            Mutant(
                "pause-does-not-wait-for-claims",
                "a claim that is being written while somebody stops all buying is not seen, and is sent",
                replace(
                    "connectors/ledger/switches.py::Switches.pause_buying",
                    "_wait_for_claims()",
                    "None",
                ),
                "tests/connectors/ledger/test_switches.py::"
                "test_who_pauses_on_postgres_waits_for_claims_that_are_under_way",
            ),
        ),
    ),
    Rule(
        "An own SKU is bought once, whole, and as the SKU book has it",
        (
            Mutant(
                "split-anew",
                "a changed SKU book moves an own SKU to another order, which buys it again",
                rewrite(
                    "domain/sku_book.py::by_seller", "_names()", "stands = {}; ..."
                ),
                "tests/connectors/ledger/test_parts.py::test_the_first_run_decides_and_a_changed_book_does_not",
            ),
            Mutant(
                "faster-run-not-heard",
                "two runs with two SKU books split one request in two ways, and both buy",
                replace(
                    "connectors/ledger/plans.py::PartRows.keep",
                    "of() wanted",
                    "{ref: dict(split) for ref, split in wanted.items()}",
                ),
                "tests/connectors/ledger/test_parts.py::test_of_two_runs_with_two_books_the_first_decides",
            ),
            Mutant(
                "half-a-bundle",
                "a bundle is bought without its other components",
                replace("domain/sku_book.py::at_rank", ".ranks .rank", "...[:1]"),
                "tests/simulation/test_own_skus.py::test_half_a_bundle_is_not_bought",
            ),
            Mutant(
                "spare-offer-in-any-case",
                "a spare offer is bought in the place of one that could be had",
                replace(
                    "domain/sku_book.py::at_rank",
                    "get() .rank",
                    "(ranks or {}).get(own.sku, len(own.ranks) - 1)",
                ),
                "tests/domain/test_sku_book.py::test_an_own_sku_becomes_the_bundle_of_its_first_rank",
            ),
            Mutant(
                "no-entry-searched-for",
                "an own SKU that the SKU book lacks is bought as whatever its text finds",
                never("tasks/preview.py::match_lines", "is_in_book"),
                "tests/simulation/test_own_skus.py::test_an_order_waits_for_the_entry_that_the_book_lacks",
            ),
        ),
    ),
    Rule(
        "An order that lacks goods is paid once a person takes it",
        (
            Mutant(
                "a-part-is-paid-as-the-whole",
                "the customer gets a part of the goods, freight is booked for all, and nobody is asked",
                replace("tasks/pay.py::_read_payable", "_in_part()", "{}"),
                "tests/tasks/test_pay.py::test_an_order_that_lacks_goods_is_paid_once_a_person_takes_it",
            ),
        ),
    ),
    Rule(
        "The page takes files from its own site only",
        (
            Mutant(
                "another-site-sends-a-file",
                "a page elsewhere that a person opens puts a request file into the inbox",
                replace(
                    "deployments/page/guard.py::Guard._refusal", "origin host", "True"
                ),
                "tests/deployments/test_page.py::"
                "test_another_site_neither_sends_a_file_nor_shows_a_page_in_its_own",
            ),
        ),
    ),
)

MUTANTS = tuple(mutant for rule in RULES for mutant in rule.mutants)
