"""The mutants: what each breaks, and the edits that break it."""

from __future__ import annotations

from dataclasses import dataclass

EFFECTS = "tasks/effects/protocol.py"
EFFECT_OUTCOMES = "tasks/effects/outcomes.py"
SETTLING = "tasks/effects/settling.py"
KINDS = "tasks/effects/kinds.py"
CONCURRENTLY = "connectors/concurrently.py"
CLAIMING = "connectors/ledger/claiming.py"
OUTCOMES = "connectors/ledger/order_mover.py"
STORE = "connectors/ledger/store.py"
ENGINE = "connectors/ledger/engine.py"
SWITCHES = "connectors/ledger/switches.py"
PAUSING = "flows/answers/pausing.py"
ASKING = "flows/approval/request.py"
CANCELLING = "flows/cancel_orders.py"
CHANGES = "connectors/ledger/spending.py"
SPENDING = "connectors/ledger/spending.py"
RESOURCES = "tasks/engine/resources.py"
BOOK = "tasks/effects/book.py"
AMOUNTS = "domain/witnessed.py"
DECISIONS = "domain/decisions.py"
PAY = "tasks/pay.py"
PAY_EFFECT = "tasks/effects/pay.py"
BOOK_TASK = "tasks/book_shipment.py"
FULFIL = "tasks/effects/fulfil.py"
BY_CHANNEL = "tasks/effects/reading_orders.py"
NAMING = "connectors/ledger/order_ids.py"
WIRE = "connectors/xportcn/wire.py"
REQUEST_FILES = "domain/request_files.py"
ABSENCE = "domain/absence.py"
BATCH_RUN = "flows/batch/run.py"
PLANS = "connectors/ledger/plans.py"
FOLLOW_UP = "flows/batch/follow_up.py"
CANARY = "flows/batch/execution.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One replacement of text that stands exactly once in a file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A breakage of the effect path. `means` says what a merchant would lose by it.

    Where the simulation does not reach, `found_by` names the test that must fail, as pytest does.
    """

    name: str
    means: str
    edits: tuple[Edit, ...]
    found_by: str = ""


MUTANTS = (
    Mutant(
        name="intent-after-send",
        means="a crash between sending and writing forgets the effect, the next run sends it again",
        edits=(
            Edit(
                file=EFFECTS,
                old="        won = [claimed.won[one.order_ref] for one in intents if one.order_ref in claimed.won]\n",
                new="        won = [claimed.won[one.order_ref] for one in intents if one.order_ref in claimed.won]\n"
                "        with resources.ledger.transaction() as connection:\n"
                "            for record in won:\n"
                "                connection.exec_driver_sql(f\"DELETE FROM effects WHERE key = '{record.key}'\")\n"
                "        chunk.work.late += intents\n",
            ),
            Edit(
                file=EFFECTS,
                old="    trouble: list[Misconfigured] = field(default_factory=list)\n",
                new="    trouble: list[Misconfigured] = field(default_factory=list)\n"
                "    late: list[Intent] = field(default_factory=list)\n",
            ),
            Edit(
                file=EFFECTS,
                old="    await _record(chunk, outcomes)\n    chunk.through(batch)\n",
                new="    sent = {record.order_ref for record in batch}\n"
                "    chunk.resources.ledger.claim(\n"
                "        [one for one in chunk.work.late if one.order_ref in sent], lease=chunk.resources.lease\n"
                "    )\n"
                "    await _record(chunk, outcomes)\n    chunk.through(batch)\n",
            ),
        ),
    ),
    Mutant(
        name="no-read-before-resend",
        means="an effect whose answer was lost is sent again without asking whether it happened",
        edits=(
            Edit(
                file=SETTLING,
                old="    seen = await _read_back_unless(halted, begun, found)\n",
                new="    unread = OwnRecord(shown=Statement(source=Source.DETAIL, value='not there'))\n"
                "    seen: Seen = {record.key: unread for record in found}\n",
            ),
            Edit(file=SETTLING, old="NeverLeft, Unseen\n", new="NeverLeft, OwnRecord, Unseen\n"),
            Edit(file=SETTLING, old="Open, Source, unproven\n", new="Open, Source, Statement, unproven\n"),
        ),
        found_by="tests/tasks/test_effects.py::test_an_effect_that_arrives_late_is_found",
    ),
    Mutant(
        name="unpaid-proves-not-submitted",
        means="a submitted payment that shows only hours later is submitted again, and debited twice",
        edits=(
            Edit(
                file=PAY_EFFECT,
                old="not _is_unpaid(shown) or debits:",
                new="not _is_unpaid(shown) or True:",
            ),
        ),
        found_by="tests/tasks/test_submissions.py::test_it_is_never_sent_again_and_becomes_a_question",
    ),
    Mutant(
        name="second-order-before-the-answer",
        means="a unit, a credit or a warehouse that was not meant costs a whole batch instead of one order",
        edits=(
            Edit(
                file=CLAIMING,
                old="behind_first(ledger, connection, intents, now_standing, begun))",
                new="{})",
            ),
        ),
        found_by="tests/connectors/ledger/test_first_orders.py::test_no_other_run_passes_the_first_order",
    ),
    Mutant(
        name="finance-refused-is-paid-again",
        means="an order whose payment finance has refused is submitted again by itself, and debited again",
        edits=(
            Edit(
                file=DECISIONS,
                old="    elif shown.status is ServiceStatus.PAYMENT_REFUSED:\n"
                "        why = refused_by_finance(shown)\n",
                new="",
            ),
        ),
        found_by="tests/tasks/test_submissions.py::test_a_payment_that_finance_refused_is_held_and_never_made_again",
    ),
    Mutant(
        name="absence-without-a-control",
        means="a list that hides our references makes an order look absent, and it is ordered twice",
        edits=(Edit(file=ABSENCE, old="if _places(control, reading) & sent.places]", new="]"),),
        found_by="tests/simulation/test_dialects.py::test_an_order_is_not_given_up_where_lists_show_no_reference",
    ),
    Mutant(
        name="misnaming-list-believed",
        means="a lost order that is listed under another one's reference looks absent, and is ordered twice",
        edits=(
            Edit(
                file=ABSENCE,
                old="            if ours.get(name, order.order_id) != order.order_id and ",
                new="            if False and ",
            ),
        ),
        found_by="tests/tasks/test_misnamed.py::test_a_list_that_tells_a_lost_order_under_another_name_proves_nothing",
    ),
    Mutant(
        name="payment-believed-to-cost-less",
        means="a payment that is told as another order's opens a budget that is used up",
        edits=(Edit(file=SPENDING, old="case((begun.c.for_minor > shown, ", new="case((begun.c.for_minor < 0, "),),
        found_by="tests/connectors/ledger/test_spending.py::"
        "test_a_payment_that_is_told_as_less_than_it_was_begun_for_opens_no_budget",
    ),
    Mutant(
        name="no-fencing",
        means="a run that was stopped for long overwrites what the run after it found out",
        edits=(Edit(file=OUTCOMES, old="fences.get(claim.key) == claim.fence", new="claim.key in fences"),),
    ),
    Mutant(
        name="budget-ignores-unknown",
        means="money that may be spent is spent a second time on other orders",
        edits=(
            Edit(
                file=SPENDING,
                old='of.c.status.concat("").in_(COUNTS_AS_SPENT))',
                new="of.c.status == EffectStatus.DONE)",
            ),
        ),
    ),
    Mutant(
        name="isolation-as-the-server-likes",
        means="where the server reads repeatably, two runs that wait for each other each spend the whole budget",
        edits=(Edit(file=ENGINE, old=', isolation_level="READ COMMITTED"', new=""),),
        found_by="tests/connectors/ledger/test_spending.py::test_two_claims_at_one_moment_share_a_limit_on_postgresql",
    ),
    Mutant(
        name="budget-ignores-other-runs",
        means="two runs on one batch each spend its budget",
        edits=(
            Edit(
                file=CHANGES,
                old="    return now, {order_ref for row in news for order_ref in row.order_refs}",
                new="    return now, set()",
            ),
        ),
        found_by="tests/connectors/ledger/test_spending.py::test_what_another_run_claims_meanwhile_is_counted",
    ),
    Mutant(
        name="overtaken-commit-overlooked",
        means="what a transaction changed that a later one overtook is never counted, and a budget is spent twice",
        edits=(Edit(file=CHANGES, old="(changes.number = :own OR NOT", new="(:own < 0 OR NOT"),),
        found_by="tests/connectors/ledger/test_changes.py::"
        "test_what_a_transaction_changes_after_its_own_look_is_seen_at_the_next",
    ),
    Mutant(
        name="no-settle-time",
        means="an effect that lands late is sent again before it is there",
        edits=(
            Edit(
                file=SETTLING,
                old="    return leaves_by + timedelta(seconds=resources.settings.settle_s)\n",
                new="    return record.intent_at\n",
            ),
        ),
    ),
    Mutant(
        name="send-log-not-written",
        means="after a crash what was sent passes for never sent",
        edits=(Edit(file=RESOURCES, old="            log.note(claim)\n", new="            pass\n"),),
    ),
    Mutant(
        name="refusal-believed-without-a-look",
        means="an answer 'already done' passes for a refusal, and the order is taken for unpaid",
        edits=(
            Edit(
                file=EFFECT_OUTCOMES,
                old="            return self.done(record, sighting, failure)\n",
                new="            pass\n",
            ),
        ),
        found_by="tests/tasks/test_effects.py::test_a_refusal_of_what_is_done_counts_as_done",
    ),
    Mutant(
        name="refused-in-any-words",
        means="a refusal in words that nobody knows passes for a no, though it may mean that it is done already",
        edits=(
            Edit(
                file=EFFECT_OUTCOMES,
                old="is_known = self.kind.proves_nothing_happened(refusal) or self.resources.never_left(record)\n",
                new="is_known = True\n",
            ),
        ),
        found_by="tests/tasks/test_effects.py"
        "::test_a_refusal_in_unknown_words_is_kept_and_ends_as_refused_once_it_is_absent",
    ),
    Mutant(
        name="refused-by-its-words-alone",
        means="a no is believed although nothing that was read afterwards bears it out",
        edits=(Edit(file=EFFECT_OUTCOMES, old=" or sighting is NOT_READ:\n", new=":\n"),),
        found_by="tests/tasks/test_effects.py::test_a_refusal_in_known_words_is_a_doubt_while_nothing_was_read",
    ),
    Mutant(
        name="lease-not-checked-at-send",
        means="a run that was stopped past its lease sends what another run has sent meanwhile",
        edits=(Edit(file=RESOURCES, old="        if clock() >= claim.lease_until:\n", new="        if False:\n"),),
    ),
    Mutant(
        name="approval-not-bound-to-the-plan",
        means="what is bought is another plan than the one that was approved",
        edits=(
            Edit(
                file=CLAIMING,
                old="        and (not intent.plan_hash or now[intent.order_ref].plan_hash == intent.plan_hash)\n",
                new="",
            ),
        ),
    ),
    Mutant(
        name="take-over-from-the-living",
        means="two runs work on one effect at once",
        edits=(
            Edit(
                file=STORE,
                old="or_(effects.c.lease_until <= now, effects.c.owner.in_([self.owner, *dead_owners])),",
                new="or_(effects.c.owner != '', effects.c.owner.in_([self.owner, *dead_owners])),",
            ),
        ),
    ),
    Mutant(
        name="paid-without-a-look-at-the-price",
        means="more is paid than was approved",
        edits=(Edit(file=DECISIONS, old="    elif shown.total > payable:\n", new="    elif False:\n"),),
    ),
    Mutant(
        name="amount-of-one-reading",
        means="a total told in another unit passes for a bargain, and a hundred times as much is paid",
        edits=(Edit(file=AMOUNTS, old="    if gap is None:\n", new="    if True:\n"),),
        found_by="tests/tasks/test_amounts.py::test_an_order_told_at_a_hundredth_is_not_paid_nor_is_another_there",
    ),
    Mutant(
        name="payment-told-as-less-believed",
        means="14.20 was paid, and 0.14 is told and counted",
        edits=(
            Edit(
                file=AMOUNTS,
                old="        return verdict if verdict.gap is Gap.UNIT or shown < owed else ",
                new="        return ",
            ),
        ),
        found_by="tests/tasks/test_amounts.py::test_a_payment_told_as_less_counts_with_what_it_was_for",
    ),
    Mutant(
        name="hold-not-read-in-the-claim",
        means="a marketplace whose unit is in doubt goes on to be paid by other runs",
        edits=(Edit(file=CLAIMING, old="    if not off or not intents or ", new="    if True or not intents or "),),
        found_by="tests/connectors/ledger/test_holds.py::test_a_unit_holds_its_marketplace_for_every_run",
    ),
    Mutant(
        name="paid-by-one-fact",
        means="an order in a state that nobody knows counts as paid by us though nobody of ours paid it",
        edits=(Edit(file=DECISIONS, old="    by_fact = by_us and ", new="    by_fact = "),),
        found_by="tests/tasks/test_amounts.py::test_an_unknown_state_of_an_order_that_we_never_paid_is_held",
    ),
    Mutant(
        name="paid-at-the-price-of-the-create",
        means="a price that rose after the order was created is paid, since nobody looks again",
        edits=(
            Edit(
                file=PAY,
                old="        shown, unread = await _shown(resources, orders.values())\n",
                new="        shown, unread = await _shown(resources, orders.values())\n"
                "        created = {ref: orders[ref].total_minor for ref in shown}\n"
                "        shown = {\n"
                "            ref: replace(one, total=replace(one.total, minor=created[ref] or one.total.minor))\n"
                "            for ref, one in shown.items()\n"
                "        }\n",
            ),
        ),
        found_by="tests/tasks/test_pay.py::test_a_price_that_rose_since_the_create_is_not_paid",
    ),
    Mutant(
        name="booked-without-a-look",
        means="an order that was closed or booked by a person meanwhile is booked once more",
        edits=(
            Edit(
                file=BOOK_TASK,
                old="    shown, unread = await read_each(resources, orders.values())\n",
                new="    return dict(orders)\n",
            ),
        ),
        found_by="tests/tasks/test_effect_path.py::test_an_order_that_shows_a_shipment_is_not_booked_again",
    ),
    Mutant(
        name="claimed-before-it-can-leave",
        means="leases run out while their orders wait for a free call, and a killed run leaves many in doubt",
        edits=(
            Edit(
                file=EFFECTS,
                old="await run_or_cancel(work.cancelled, resources.slots.take(len(requests)))",
                new="len(requests)",
            ),
        ),
        found_by="tests/tasks/test_steps.py::test_no_more_is_claimed_than_can_leave",
    ),
    Mutant(
        name="paid-on-an-old-look",
        means="a price that rose while the payment waited for a free call is paid",
        edits=(
            Edit(
                file=EFFECTS,
                old="            if kind.rests_on_a_reading and resources.clock() >= fresh_until:\n",
                new="            if False:\n",
            ),
        ),
        found_by="tests/tasks/test_steps.py::"
        "test_what_waited_for_a_place_longer_than_a_lease_is_read_anew_before_it_is_paid",
    ),
    Mutant(
        name="paid-after-a-sleep",
        means="a price that rose while the laptop slept is paid, and what was booked meanwhile is booked again",
        edits=(
            Edit(
                file=EFFECTS,
                old="fresh_until = (work.read_at or resources.clock())",
                new="fresh_until = resources.clock()",
            ),
        ),
        found_by="tests/tasks/test_effect_path.py::test_an_order_that_was_read_before_the_machine_slept_is_not_booked",
    ),
    Mutant(
        name="booking-sent-again-when-not-seen",
        means="an order is shipped twice",
        edits=(
            Edit(file=BOOK, old="        return self._second_is_refused_by in (", new="        return True or ("),
            Edit(file=BOOK, old="        if way == ORDER_REFUSED:\n", new="        if True:\n"),
        ),
        found_by="tests/tasks/test_bookings_repeated.py::test_it_is_never_sent_again_where_a_second_one_may_be_charged",
    ),
    Mutant(
        name="a-no-to-the-second-booking-clears-the-first",
        means="a booking that may have arrived counts as refused, and another is made under a new render",
        edits=(
            Edit(file=EFFECT_OUTCOMES, old="        if is_known and not repeats(record):", new="        if is_known:"),
        ),
        found_by="tests/tasks/test_bookings_repeated.py::"
        "test_a_refused_second_call_books_nothing_more_and_asks_for_the_first",
    ),
    Mutant(
        name="booked-again-under-another-render",
        means="an order is shipped twice where one render is booked once",
        edits=(Edit(file=BOOK, old="render_id=render_id)", new="render_id=chosen.quote.render_id)"),),
        found_by="tests/tasks/test_bookings_repeated.py::"
        "test_it_is_booked_by_a_second_call_under_the_render_that_the_service_refuses_twice",
    ),
    Mutant(
        name="open-effects-may-be-claimed",
        means="two runs each send the same effect",
        edits=(
            Edit(
                file=CLAIMING,
                old="            effects.c.status == text(f\"'{EffectStatus.UNSENT}'\"),\n",
                new="            (effects.c.status != 'done') & (effects.c.status != 'refused'),\n",
            ),
        ),
    ),
    Mutant(
        name="sent-any-number-of-times",
        means="a payment whose answers are lost is submitted each night anew",
        edits=(
            Edit(
                file=CLAIMING,
                old="    return was_refused or latest.doubtful_sends >= MOST_DOUBTFUL_SENDS\n",
                new="    return was_refused\n",
            ),
            Edit(file=CLAIMING, old='            effects.c.doubtful_sends < text(f"{MOST_DOUBTFUL_SENDS}"),\n', new=""),
        ),
        found_by="tests/connectors/ledger/test_claims.py::test_what_was_sent_twice_in_doubt_is_claimed_no_more",
    ),
    Mutant(
        name="effects-sent-again-at-once",
        means="a cut connection pays twice",
        edits=(
            Edit(
                file=EFFECTS,
                old="        replies = await _request(chunk.kind, [record.claim for record in batch], orders)\n",
                new="        claims = [record.claim for record in batch]\n"
                "        try:\n"
                "            replies = await _request(chunk.kind, claims, orders)\n"
                "        except Unanswered:\n"
                "            replies = await _request(chunk.kind, claims, orders)\n",
            ),
        ),
    ),
    Mutant(
        name="silence-taken-for-no",
        means="an effect without an answer passes for one that did not happen",
        edits=(
            Edit(
                file=EFFECTS,
                old="    return chunk.unknown(record, because(ReasonCode.NO_WORD, failure=error.message))\n",
                new="    return chunk.unsent(record, Harmless(), because(ReasonCode.NO_WORD, failure=error.message))\n",
            ),
        ),
    ),
    Mutant(
        name="retry-without-settling",
        means="a further try begins without asking what became of what the try before had on the wire",
        edits=(
            Edit(
                file=KINDS,
                old="    if await resources.group_commit.unsettled(refs):\n"
                "        await settle_open(resources, refs)\n",
                new="",
            ),
        ),
        found_by="tests/tasks/test_tries.py::test_a_further_try_asks_first_what_became_of_the_one_before",
    ),
    Mutant(
        name="own-open-rows-skipped",
        means="what this run began and could not record is left alone, and nobody asks what became of it",
        edits=(
            Edit(
                file=STORE,
                old="effects.c.owner.in_([self.owner, *dead_owners])",
                new="effects.c.owner.in_([*dead_owners])",
            ),
        ),
        found_by="tests/tasks/test_tries.py::test_what_could_not_be_recorded_is_taken_over_by_the_next_try",
    ),
    Mutant(
        name="siblings-cancelled",
        means="Ctrl-C cuts payments that are on the wire, and nobody hears what became of them",
        edits=(
            Edit(
                file=CONCURRENTLY,
                old="            cancelled = error\n            on_cancel()\n",
                new="            cancelled = error\n            on_cancel()\n"
                "            for task in running:\n                task.cancel()\n",
            ),
        ),
        found_by="tests/tasks/test_tries.py::test_a_cancelled_try_hears_what_is_on_the_wire",
    ),
    Mutant(
        name="retry-on-a-refusal",
        means="what the service refused is sent again by the same run, and again",
        edits=(
            Edit(
                file=CLAIMING,
                old="    was_refused = latest.status is EffectStatus.REFUSED and latest.owner == owner\n",
                new="    was_refused = False\n",
            ),
        ),
        found_by="tests/tasks/test_tries.py::test_a_further_try_does_not_repeat_what_was_refused",
    ),
    Mutant(
        name="resend-of-an-unknown",
        means="a further try sends again what may have happened",
        edits=(
            Edit(
                file=SETTLING,
                old="    return _not_seen(begun, record, sighting, asked_at)\n",
                new="    return begun.unsent(record, Harmless(), because(ReasonCode.DONE_AGAIN))\n",
            ),
        ),
    ),
    Mutant(
        name="limit-dropped-by-the-reader",
        means="a cell that seems empty passes for no limit, and an order is bought at any price",
        edits=(
            Edit(
                file=REQUEST_FILES,
                old="            if not text and value and column is LIMIT:\n",
                new="            if False:\n",
            ),
        ),
        found_by="tests/domain/test_request_files.py::test_an_empty_limit_is_only_what_is_truly_empty",
    ),
    Mutant(
        name="split-anew",
        means="a changed SKU book moves an own SKU to another order, which buys it again",
        edits=(
            Edit(
                file="domain/sku_book.py",
                old="    names = {} if stands else _names(request)\n",
                new="    stands = {}\n    names = _names(request)\n",
            ),
        ),
        found_by="tests/connectors/ledger/test_parts.py::test_the_first_run_decides_and_a_changed_book_does_not",
    ),
    Mutant(
        name="faster-run-not-heard",
        means="two runs with two SKU books split one request in two ways, and both buy",
        edits=(
            Edit(
                file=PLANS,
                old="        return self.of(wanted)\n",
                new="        return {ref: dict(split) for ref, split in wanted.items()}\n",
            ),
        ),
        found_by="tests/connectors/ledger/test_parts.py::test_of_two_runs_with_two_books_the_first_decides",
    ),
    Mutant(
        name="half-a-bundle",
        means="a bundle is bought without its other components",
        edits=(
            Edit(
                file="domain/sku_book.py",
                old="for component in own.ranks[own.rank]]\n",
                new="for component in own.ranks[own.rank][:1]]\n",
            ),
        ),
        found_by="tests/simulation/test_own_skus.py::test_half_a_bundle_is_not_bought",
    ),
    Mutant(
        name="spare-offer-in-any-case",
        means="a spare offer is bought in the place of one that could be had",
        edits=(
            Edit(
                file="domain/sku_book.py",
                old="rank=(ranks or {}).get(own.sku, own.rank)",
                new="rank=(ranks or {}).get(own.sku, len(own.ranks) - 1)",
            ),
        ),
        found_by="tests/domain/test_sku_book.py::test_an_own_sku_becomes_the_bundle_of_its_first_rank",
    ),
    Mutant(
        name="no-entry-searched-for",
        means="an own SKU that the SKU book lacks is bought as whatever its text finds",
        edits=(
            Edit(
                file="tasks/preview.py",
                old="    if missing := [line.wanted for line in request.lines if not line.is_in_book]:\n",
                new="    if missing := list[str]():\n",
            ),
        ),
        found_by="tests/simulation/test_own_skus.py::test_an_order_waits_for_the_entry_that_the_book_lacks",
    ),
    Mutant(
        name="negative-amount-accepted",
        means="a price below zero opens the budget for other orders",
        edits=(Edit(file=WIRE, old="    if money.minor < 0:\n", new="    if False:\n"),),
    ),
    Mutant(
        name="foreign-id-accepted",
        means="an order takes another one's id: the one is forgotten, the other paid for both",
        edits=(
            Edit(
                file=NAMING,
                old="            if change and owner not in (None, change.order_ref):\n",
                new="            if False:\n",
            ),
            Edit(
                file=BY_CHANNEL,
                old='    return shown.reference.strip() not in ("", order_ref) and shown.own_id != order_ref\n',
                new="    return False\n",
            ),
        ),
        found_by="tests/connectors/ledger/test_id_conflicts.py::"
        "test_a_shipment_that_was_read_and_is_another_s_holds_the_order",
    ),
    Mutant(
        name="look-goes-on-after-a-no",
        means="somebody says no to shipping what was begun, and a look by itself pays and books it",
        edits=(
            Edit(
                file=PLANS,
                old="writes = mover.state(ref), OrderUpdate.approval_withdrawn()",
                new="writes = mover.state(ref), OrderUpdate({})",
            ),
        ),
        found_by="tests/tasks/test_declined.py::test_an_order_whose_freight_a_person_declined_is_left_alone",
    ),
    Mutant(
        name="no-to-what-is-not-paid-yet",
        means="somebody says no to shipping while the payment is pending, and the night after it ships the order",
        edits=(Edit(file=PLANS, old="            mover.audit(ref, state, state, why)\n", new=""),),
        found_by="tests/simulation/test_not_wanted.py::test_nor_ships_what_was_refused_while_its_payment_was_pending",
    ),
    Mutant(
        name="pays-and-books-after-a-no",
        means="somebody says no to an order, or to its freight, and a run that saw it before pays and books it",
        edits=(Edit(file=CLAIMING, old="return is_within and order.plan_hash is not None", new="return True"),),
        found_by="tests/connectors/ledger/test_claims.py::"
        "test_nothing_is_paid_or_booked_beyond_what_is_approved_at_that_moment",
    ),
    Mutant(
        name="night-pays-after-a-no",
        means="somebody says no to an order that is not paid yet, and the night pays it whatever it costs",
        edits=(Edit(file=BOOK_TASK, old="else order.order_ref not in unasked", new="else True"),),
        found_by="tests/simulation/test_not_wanted.py::test_only_a_person_s_yes_pays_it_after_that",
    ),
    Mutant(
        name="cancelled-in-vain-is-paid",
        means="somebody cancels an order, the service does not take it, and the night pays the order",
        edits=(Edit(file=CANCELLING, old="ledger, wanted_back)", new="ledger, [])"),),
        found_by="tests/simulation/test_not_wanted.py::test_only_a_person_s_yes_pays_it_after_that",
    ),
    Mutant(
        name="declined-and-bought-beforehand",
        means="a person says no to an order, or nothing, and the next night buys it unasked",
        edits=(Edit(file=BATCH_RUN, old="why = dict.fromkeys(no, held(UNASKED)) | why", new="pass"),),
        found_by="tests/simulation/test_not_wanted.py"
        "::test_a_yes_given_beforehand_buys_nothing_that_a_person_has_not_said_yes_to_when_asked",
    ),
    Mutant(
        name="laid-aside-and-asked-about",
        means="an order that a person does not want waits again after the next night of its file",
        edits=(Edit(file=BATCH_RUN, old="if aside.get(one.order_ref) != one.fingerprint]", new="]"),),
        found_by="tests/simulation/test_not_wanted.py"
        "::test_a_yes_given_beforehand_buys_nothing_that_a_person_has_not_said_yes_to_when_asked",
    ),
    Mutant(
        name="asked-back-in-vain-is-booked",
        means="somebody cancels a paid order or asks for all its money, in vain, and the night books and ships it",
        edits=(Edit(file=PLANS, old="or_(_TAKEN_BACK, and_(", new="or_(and_("),),
        found_by="tests/simulation/test_not_wanted.py::"
        "test_what_was_paid_and_asked_back_in_vain_is_booked_by_a_person_s_yes_alone",
    ),
    Mutant(
        name="repeats-a-booking-with-another-service",
        means="a booking is sent again under its first render with a service that costs more there than was approved",
        edits=(Edit(file="tasks/effects/book.py", old=" and booking_hash(again) == first and", new=" and"),),
        found_by="tests/tasks/test_bookings_repeated.py::"
        "test_another_service_of_a_new_render_is_not_booked_under_the_first",
    ),
    Mutant(
        name="books-freight-for-what-came-back",
        means="a sold-out line is given back, and its freight is booked and paid with that of the others",
        edits=(Edit(file="tasks/effects/book.py", old="shipped_order(chosen.unsent)", new="shipped_order(())"),),
        found_by="tests/tasks/test_effect_path.py::test_no_freight_is_bought_for_a_line_whose_money_came_back",
    ),
    Mutant(
        name="goods-in-no-sum-are-paid",
        means="a question names freight of 35 USD, and its yes pays goods for 6,000 CNY",
        edits=(Edit(file=ASKING, old=", *unpaid])", new="])"),),
        found_by="tests/tasks/test_declined.py::test_a_yes_is_to_an_order_as_the_question_names_it",
    ),
    Mutant(
        name="yes-renews-what-was-cancelled-since",
        means="somebody cancels an order while a question waits, and the yes to its freight pays its goods",
        edits=(Edit(file=BATCH_RUN, old="if order.plan_hash or order.updated_at == plan.withdrawn_at]", new="]"),),
        found_by="tests/tasks/test_declined.py::test_a_yes_is_to_an_order_as_the_question_names_it",
    ),
    Mutant(
        name="tolerance-passes-the-approval-limit",
        means="with a price tolerance, orders for more than the approval limit are bought unasked",
        edits=(Edit(file=ASKING, old="payable(approved, settings.price_tolerance_percent)", new="approved"),),
        found_by="tests/flows/approval/test_approving.py::test_the_approval_limit_counts_the_most_that_may_be_paid",
    ),
    Mutant(
        name="freight-approves-itself",
        means="freight that rose to any price is held once, and booked by the next night that is approved beforehand",
        edits=(Edit(file=BOOK_TASK, old="is_new = may_rise if", new="is_new = True if"),),
        found_by="tests/tasks/test_effect_path.py::"
        "test_a_yes_given_beforehand_raises_freight_only_where_the_approval_limit_counts_it",
    ),
    Mutant(
        name="look-takes-up-what-is-held",
        means="what waits for a person is paid and booked by a look that asks nobody",
        edits=(
            Edit(file=FOLLOW_UP, old="order.state in BEGUN and", new="order.state in {*BEGUN, OrderState.HELD} and"),
        ),
        found_by="tests/flows/batch/test_follow_up.py::test_only_what_is_approved_still_and_waits_for_nobody_is_taken_up",
    ),
    Mutant(
        name="claims-while-paused",
        means="somebody stops all buying, and a run under way goes on to buy",
        edits=(
            Edit(file=STORE, old="                if buys and ALL_BUYING in off:\n", new="                if False:\n"),
        ),
    ),
    Mutant(
        name="pause-waits-for-nobody",
        means="somebody is told that nothing leaves any more, and then something is paid",
        edits=(
            Edit(
                file=PAUSING,
                old="    return effect.status is EffectStatus.SENDING and not is_dead(logs, effect.sender)\n",
                new="    return False\n",
            ),
        ),
    ),
    Mutant(
        name="pause-does-not-wait-for-claims",
        means="a claim that is being written while somebody stops all buying is not seen, and is sent",
        edits=(Edit(file=SWITCHES, old="            self._wait_for_claims(standing)\n", new="            pass\n"),),
        found_by="tests/connectors/ledger/test_switches.py::"
        "test_who_pauses_on_postgres_waits_for_claims_that_are_under_way",
    ),
    Mutant(
        name="all-but-buys-what-was-left-out",
        means="a person leaves two orders out, and these two are bought",
        edits=(Edit(file="domain/wording.py", old="is (choice == SOME)]", new="is (choice != ALL)]"),),
        found_by="tests/domain/test_choices.py::test_all_none_only_these_and_all_but_these",
    ),
    Mutant(
        name="no-rate-counts-as-nothing",
        means="freight without a rate counts as nothing against the approval limit, and is bought unasked",
        edits=(
            Edit(
                file="domain/plan.py",
                old="        return self.money <= limit and not self.lacks\n",
                new="        return self.money <= limit\n",
            ),
        ),
        found_by="tests/flows/approval/test_approving.py::test_the_limit_can_count_freight",
    ),
    Mutant(
        name="limit-counts-each-plan-alone",
        means="a batch above the approval limit is bought unasked, in two parts, of one night or of two",
        edits=(Edit(file="flows/batch/run.py", old="            allowed=self._allowed(asked, freight),\n", new=""),),
        found_by="tests/tasks/test_unfinished.py::"
        "test_what_is_planned_later_counts_to_the_approval_limit_with_what_the_yes_allowed_before",
    ),
    Mutant(
        name="answer-about-an-order-that-moved",
        means="a person's no makes nothing of a payment that was confirmed meanwhile, and the day's limit has room",
        edits=(
            Edit(
                file="connectors/ledger/resolutions.py",
                old="            if answer.change.expected not in (None, now.state) or names",
                new="            if names",
            ),
        ),
        found_by="tests/flows/answers/test_resolve.py::test_not_paid_is_refused_when_the_payment_was_confirmed_meanwhile",
    ),
    Mutant(
        name="receipt-beside-a-refund",
        means="somebody confirms a receipt while money is asked back, and the seller keeps it",
        edits=(
            Edit(
                file="tasks/after_sale.py",
                old="        if refund.state in UNDER_WAY:\n",
                new="        if refund.state is None:\n",
            ),
        ),
        found_by="tests/tasks/test_refund.py::test_no_receipt_is_confirmed_while_money_is_asked_back",
    ),
    Mutant(
        name="withdrawn-and-finished",
        means="a helper that slept writes old plans over approved ones, which are not bought then",
        edits=(
            Edit(
                file="connectors/ledger/chunks.py",
                old="        return bool(connection.execute(done).rowcount)\n",
                new="        connection.execute(done)\n        return True\n",
            ),
        ),
        found_by="tests/connectors/ledger/test_chunks.py::test_who_slept_meanwhile_writes_over_nothing",
    ),
    Mutant(
        name="plans-without-their-chunk",
        means="the same: plans are written whoever has their chunk by now",
        edits=(
            Edit(
                file=PLANS,
                old="        if if_so is not None and not if_so(connection):\n            return False\n",
                new="",
            ),
        ),
        found_by="tests/connectors/ledger/test_chunks.py::test_who_slept_meanwhile_writes_over_nothing",
    ),
    Mutant(
        name="taken-twice",
        means="two helpers work on one chunk",
        edits=(
            Edit(
                file="connectors/ledger/chunks.py",
                old="        is_free = or_(c.taken_by.is_(None), c.taken_by.in_(dead), lost)\n",
                new="        is_free = or_(c.taken_by != me, c.taken_by.is_(None), c.taken_by.in_(dead), lost)\n",
            ),
        ),
        found_by="tests/connectors/ledger/test_chunks.py::test_each_chunk_is_taken_once",
    ),
    Mutant(
        name="never-left-to-the-run",
        means="what a dead helper had taken is forgotten: approved, and neither bought nor held",
        edits=(
            Edit(
                file="flows/batch/sharing.py",
                old="        return list(left)\n",
                new="        return []\n",
            ),
        ),
        found_by="tests/flows/batch/test_sharing.py::test_what_a_dead_helper_had_taken_is_left_to_the_run",
    ),
    Mutant(
        name="planned-by-helpers-is-never-looked-for",
        means="a ledger that was put back buys again what helpers planned",
        edits=(
            Edit(
                file="flows/batch/run.py",
                old="        there = [plan for plan in made.values() if plan.is_fine and plan.order_ref in why]\n",
                new="        there = [plan for plan in made.values() if not plan.is_fine and plan.order_ref in why]\n",
            ),
        ),
        found_by="tests/flows/batch/test_sharing.py::test_what_the_service_has_already_is_held_of_what_helpers_planned",
    ),
    Mutant(
        name="absent-by-one-witness",
        means="a list that is behind does not show a create yet, which is sent again",
        edits=(
            Edit(
                file=ABSENCE,
                old="    younger = after or _young_end(sent, reading.covers, asked_at)\n",
                new="    younger = after or FirstPage(since=sent.at - CLOCKS_APART, read_at=caught_up(sent))\n",
            ),
        ),
        found_by="tests/domain/test_absence.py::test_a_list_without_a_younger_order_is_given_time",
    ),
    Mutant(
        name="paid-by-one-witness",
        means="an order that is not shown as paid yet is taken for unpaid, and submitted a second time",
        edits=(
            Edit(
                file=PAY_EFFECT,
                old="        if not isinstance(sighting, OwnRecord) or shown is None or ",
                new="        if True or ",
            ),
        ),
        found_by="tests/tasks/test_submissions.py::test_it_is_never_sent_again_and_becomes_a_question",
    ),
    Mutant(
        name="booked-by-one-witness",
        means="a shipment that belongs to another order passes for this one's, which is never booked",
        edits=(
            Edit(
                file=NAMING,
                old="        if not (taken := self.conflict(outcome.change)):\n",
                new="        if self.conflict(outcome.change) is not None:\n",
            ),
        ),
        found_by="tests/connectors/ledger/test_id_conflicts.py::test_a_booking_that_names_another_s_shipment_asks_a_person",
    ),
    Mutant(
        name="canary-skipped",
        means="where orders can't be read back, all of a batch are created before the first is found unreadable",
        edits=(
            Edit(
                file=CANARY,
                old="            while left and not await self.is_free(",
                new="            while False and (",
            ),
        ),
        found_by="tests/simulation/test_canary.py::test_one_order_is_created_where_it_can_not_be_read_back",
    ),
    Mutant(
        name="canary-forgotten-by-the-next-run",
        means="each run sends another order to where the one before could not be read back",
        edits=(Edit(file=CANARY, old="        if stuck is not None:\n", new="        if False:\n"),),
        found_by="tests/simulation/test_canary.py::"
        "test_a_run_after_a_crash_reads_the_canary_back_before_it_creates_another",
    ),
    Mutant(
        name="put-back-buys-at-once",
        means="a payment that was on its way when the ledger was put back is made again before it is there",
        edits=(
            Edit(
                file="connectors/ledger/marks.py",
                old="            until = max(since, last_sent or since) + listed_within\n",
                new="            until = max(since, last_sent or since)\n",
            ),
        ),
        found_by="tests/simulation/test_put_back.py::test_a_payment_that_was_on_its_way_is_not_made_again",
    ),
    Mutant(
        name="put-back-books-again",
        means="an order that was booked after the backup is shipped twice",
        edits=(
            Edit(
                file=BOOK_TASK,
                old="Book(resources, freight, await maybe_booked(resources, orders))",
                new="Book(resources, freight)",
            ),
        ),
        found_by="tests/simulation/test_put_back.py::"
        "test_what_was_booked_since_is_asked_about_where_its_order_does_not_show_it",
    ),
    Mutant(
        name="put-back-forgets-submissions",
        means="a payment that a restored ledger has forgotten, and that the service shows hours later, is made again",
        edits=(
            Edit(
                file=PAY,
                old="await self._maybe_paid(refs), await",
                new="{}, await",
            ),
        ),
        found_by="tests/simulation/test_put_back.py::test_a_payment_that_shows_only_hours_later_is_asked_about",
    ),
    Mutant(
        name="a-point-in-fen-is-read",
        means="59.00 yuan in a fen place is read as 0.59 CNY, and every limit is passed a hundred times",
        edits=(
            Edit(
                file=WIRE, old="        raise PointInFen(str(_decimal(value)))\n", new="        return _whole(value)\n"
            ),
        ),
        found_by="tests/connectors/xportcn/test_wire.py::test_a_decimal_point_is_never_read_as_fen",
    ),
    Mutant(
        name="a-price-far-below-its-limit-passes",
        means="whole yuan that are read as fen fit every limit, and are ordered",
        edits=(Edit(file=DECISIONS, old="amount * LEAST_OF_LIMIT < most", new="amount > most"),),
        found_by="tests/simulation/dialects/test_units.py::test_with_limits_nothing_is_ordered_before_the_unit_is_known",
    ),
    Mutant(
        name="put-back-by-hand-unnoticed",
        means="a ledger that somebody copied back buys again what it has forgotten",
        edits=(Edit(file=RESOURCES, old="            notice_put_back(ledger, send_logs)\n", new=""),),
        found_by="tests/simulation/test_put_back.py::test_a_payment_that_was_on_its_way_is_not_made_again",
    ),
    Mutant(
        name="a-dropped-order-is-planned-by-the-run-at-work",
        means="a run that began before an order was laid aside plans it anew, and buys it",
        edits=(
            Edit(
                file=PLANS,
                old="        begun |= {*dropped_since(connection, planned, ledger.since or now)}\n",
                new="",
            ),
        ),
        found_by="tests/connectors/ledger/test_dropping.py"
        "::test_a_run_at_work_on_it_neither_begins_nor_plans_nor_holds_it",
    ),
    Mutant(
        name="what-is-begun-is-dropped",
        means="an order that is on its way is closed in the ledger, and its payment is nowhere expected",
        edits=(
            Edit(
                file=PLANS,
                old="state not in NEVER_BEGUN or ref in begun or order_id is not None",
                new="state not in NEVER_BEGUN",
            ),
        ),
        found_by="tests/connectors/ledger/test_dropping.py::test_what_is_begun_stays_and_says_what_to_do",
    ),
    Mutant(
        name="an-uploaded-file-is-not-asked-about",
        means="a file that was sent from a browser to be asked about is bought by the night without asking",
        edits=(Edit(file="flows/buy_from_inbox.py", old=" and not working.name.casefold().startswith(ASKS)", new=""),),
        found_by="tests/flows/test_inbox_files.py"
        "::test_a_file_whose_name_says_so_is_asked_about_also_where_it_was_moved",
    ),
    Mutant(
        name="a-number-is-given-unlooked",
        means="a number that the merchant has told the shop is told again, and the buyer gets a second message",
        edits=(Edit(file=FULFIL, old="if parcel.number not in shown.numbers:", new="if parcel.number:"),),
        found_by="tests/tasks/test_fulfil.py::test_what_the_merchant_has_told_the_shop_is_told_no_more",
    ),
    Mutant(
        name="a-refunded-line-is-told-as-sent",
        means="a buyer whose line was refunded reads that it is on its way",
        edits=(Edit(file=FULFIL, old="if why := shown.refusal(parcel):", new="if why := '':"),),
        found_by="tests/tasks/test_fulfil.py::test_a_number_goes_to_no_order_without_the_lines_of_the_parcel",
    ),
    Mutant(
        name="another-site-sends-a-file",
        means="a page elsewhere that a person opens puts a request file into the inbox",
        edits=(
            Edit(
                file="deployments/page/guard.py",
                old='is_own = request.headers.get("origin", "") in',
                new='is_own = True or request.headers.get("origin", "") in',
            ),
        ),
        found_by="tests/deployments/test_page.py::test_another_site_neither_sends_a_file_nor_shows_a_page_in_its_own",
    ),
    Mutant(
        name="a-part-is-paid-as-the-whole",
        means="the customer gets a part of the goods, freight is booked for all, and nobody is asked",
        edits=(Edit(file=PAY, old="    verdicts |= await _in_part(resources, due, shown)\n", new=""),),
        found_by="tests/tasks/test_pay.py::test_an_order_that_lacks_goods_is_paid_once_a_person_takes_it",
    ),
    Mutant(
        name="a-joint-no-is-each-one-s",
        means="an order that was paid before the wallet ended within a request is paid again once it is filled",
        edits=(
            Edit(
                file=PAY_EFFECT,
                old="            raise await self._refused_together(orders, refused) from refused\n",
                new="            return dict.fromkeys([order.order_ref for order in orders], refused)\n",
            ),
        ),
        found_by="tests/tasks/test_joint_payments.py::test_where_paying_may_be_a_submission_each_is_a_question",
    ),
    Mutant(
        name="a-code-429-is-never-sent",
        means="a create whose last upstream call is throttled is sent again, and bought twice",
        edits=(
            Edit(
                file="connectors/xportcn/failures.py",
                old="may_have_happened = failure.effect and failure.status != TOO_MANY",
                new="may_have_happened = failure.effect and failure.code in THROTTLED",
            ),
        ),
        found_by="tests/connectors/xportcn/test_failures.py::test_an_answer_means_what_its_status_and_envelope_say",
    ),
)
