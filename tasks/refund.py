"""Ask for refunds and returns, and follow them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from connectors.concurrently import concurrently
from connectors.ledger.plans import take_back
from connectors.ledger.records import OrderRecord
from connectors.marketplaces.protocol import (
    AfterSale,
    StoresPictures,
    Target,
)
from domain.after_sale import (
    FOLLOWED,
    MAY_ASK,
    UNDER_WAY,
    NothingToAsk,
    Refund,
    RefundFault,
    RefundKind,
    RefundOption,
    RefundState,
    choose_reason,
    part_name,
    require_jpg,
    require_vouchers,
    settle_amount,
    settled_description,
    standing,
)
from domain.effects import OPEN, Action, EffectStatus
from domain.money import Money
from domain.reasons import Reason, standing_of
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform_alone
from tasks.effects.refund import AskRefund
from tasks.effects.refund_states import never_left, restate, take_outcome
from tasks.engine.resources import Resources, current_resources
from tasks.engine.retrying import service_task
from tasks.engine.tries import this_try


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """A person's request. No `lines` are all lines, no `amount` is the most that is
    possible.

    `reason` is an id or words of the service's own list; `vouchers` are files or links,
    as the marketplace has it.
    """

    kind: RefundKind
    reason: str
    amount: Money | None = None
    lines: tuple[int, ...] = ()
    description: str = ""
    vouchers: tuple[str, ...] = ()


@service_task("refund {order_ref}")
async def ask_refund(
    order_ref: str,
    wish: RefundWish,
    requested_at: datetime | None = None,
) -> list[str]:
    """Ask for the refunds of a wish; answers their keys. A further try leaves out what
    this run has asked for.

    So does a run that is taken up or repeated: a sum that was asked for since it was
    said is not asked for again.

    Raises `RefundFault` before anything is sent. The order's approval is withdrawn even
    so: a person says yes anew to what travels.
    """
    resources = current_resources()
    await asyncio.to_thread(take_back, resources.ledger, [order_ref])
    await settle_open(resources, [order_ref])
    order = resources.ledger.orders([order_ref])[order_ref]
    earlier = resources.ledger.refunds.of_orders([order_ref])
    asked = _asked_before(resources, earlier, wish, requested_at)
    prepared = await _prepare(
        resources, order, wish, earlier, [refund.part for refund in asked]
    )
    for refund in prepared:
        await asyncio.to_thread(resources.ledger.refunds.put, refund)
    await concurrently(
        prepared,
        lambda refund: _ask(resources, order, refund),
        at_once=resources.concurrency,
    )
    return [refund.key for refund in (*asked, *prepared)]


def _asked_before(
    resources: Resources,
    refunds: Sequence[Refund],
    wish: RefundWish,
    requested_at: datetime | None,
) -> list[Refund]:
    """The refunds that an earlier try of this run has asked for; a later
    process knows its sum by then.
    """
    effects = resources.ledger.effects_of({refund.order_ref for refund in refunds})
    owner = resources.ledger.owner
    ours = {
        effect.part
        for effect in effects
        if effect.status is EffectStatus.DONE
        and (
            (this_try().this > 1 and effect.owner == owner)
            or (
                requested_at is not None
                and effect.intent_at >= requested_at
                and effect.amount == wish.amount
            )
        )
    }
    return [
        refund
        for refund in refunds
        if (not wish.lines or {*refund.lines} <= {*wish.lines})
        and refund.effect_part in ours
    ]


async def foresee_refund(
    resources: Resources, order: OrderRecord, wish: RefundWish
) -> list[Refund]:
    """The refunds that `ask_refund` would ask for now, checked as it checks them;
    pictures are read and not stored.

    Raises `RefundFault`.
    """
    earlier = resources.ledger.refunds.of_orders([order.order_ref])
    return await _prepare(resources, order, wish, earlier, [], only_read=True)


async def refund_options(
    resources: Resources, order: OrderRecord, kind: RefundKind
) -> tuple[RefundOption, ...]:
    """What the service takes now for the order, or for the first line where each line
    has a refund of its own.
    """
    after_sale = require_after_sale(resources, order)
    lines = order.lines
    targets = await after_sale.targets(
        str(order.order_id), lines, {line.line_no for line in lines}
    )
    return await after_sale.options(str(order.order_id), targets[0], kind)


async def _prepare(
    resources: Resources,
    order: OrderRecord,
    wish: RefundWish,
    earlier: Sequence[Refund],
    leave_out: Sequence[str],
    *,
    only_read: bool = False,
) -> list[Refund]:
    after_sale = require_after_sale(resources, order)
    numbers = [line.line_no for line in order.lines]
    if unknown := set(wish.lines) - set(numbers):
        raise RefundFault(
            f"{order.order_ref} has no line {min(unknown)}; it has {len(numbers)}"
        )
    targets = await after_sale.targets(
        str(order.order_id), order.lines, set(wish.lines or numbers)
    )
    if wish.amount is not None and len(targets) > 1:
        raise RefundFault(
            "each line has a refund of its own here: give the amount with its line, line by line"
        )
    targets = tuple(
        target
        for target in targets
        if part_name(target.lines, numbers) not in leave_out
    )
    links = await _links(after_sale, wish.vouchers, only_read=only_read)
    _require_known(resources, order.order_ref)
    prepared = list[Refund]()
    over = list[NothingToAsk]()
    for target in targets:
        try:
            prepared.append(
                await _prepared(resources, order, wish, target, earlier, links)
            )
        except NothingToAsk as fault:
            over.append(fault)
    if over and (wish.lines or not prepared):
        raise over[0]
    return prepared


async def _prepared(
    resources: Resources,
    order: OrderRecord,
    wish: RefundWish,
    target: Target,
    earlier: Sequence[Refund],
    links: tuple[str, ...],
) -> Refund:
    after_sale = require_after_sale(resources, order)
    part = part_name(target.lines, [line.line_no for line in order.lines])
    last = next((refund for refund in reversed(earlier) if refund.part == part), None)
    _require_free(target, earlier)
    options = await after_sale.options(str(order.order_id), target, wish.kind)
    option = choose_reason(options, wish.reason)
    goods_amount, postage = settle_amount(option, wish.amount)
    require_vouchers(option, len(links))
    before = next(
        (refund.state_before for refund in earlier if refund.state in UNDER_WAY),
        order.state,
    )
    number = 1 if last is None else last.number + (not never_left(resources, last))
    return Refund(
        key=f"{order.order_ref}:{part}.{number}",
        order_ref=order.order_ref,
        marketplace=order.marketplace,
        order_id=str(order.order_id),
        part=part,
        number=number,
        lines=target.lines,
        entry_ids=target.entry_ids,
        kind=wish.kind,
        state=RefundState.ASKING,
        reason_id=option.reason_id,
        reason=option.name,
        goods=option.goods,
        goods_amount=goods_amount,
        most=option.most,
        postage=postage,
        description=settled_description(wish.description, option.name),
        vouchers=links,
        earlier_refund_ids=target.refund_ids,
        state_before=before,
    )


def _require_known(resources: Resources, order_ref: str) -> None:
    """Raise `RefundFault` while one may have been asked for: it must not
    be asked for differently.
    """
    for effect in resources.ledger.effects_of([order_ref], Action.REFUND):
        if effect.status in OPEN:
            raise RefundFault(
                f"{effect.key} may have reached the service: {effect.reason or 'a run is at work on it'}"
            )


def _require_free(target: Target, earlier: Sequence[Refund]) -> None:
    """Raise `NothingToAsk` while a refund of these lines is not over.

    The service keeps one that the seller refused, and takes no second beside it: it is
    changed in the console.
    """
    for refund in earlier:
        is_open = refund.state in FOLLOWED and refund.state is not RefundState.ASKING
        if is_open and set(refund.lines) & set(target.lines):
            refused = refund.state is RefundState.REFUSED
            raise NothingToAsk(
                f"ask anew in the console: {standing(refund)}"
                if refused
                else f"a refund is under way already: {standing(refund)}"
            )


async def _links(
    after_sale: AfterSale, vouchers: Sequence[str], *, only_read: bool
) -> tuple[str, ...]:
    """Files become links where the marketplace stores them; all are checked before the
    first is sent.
    """
    files = [voucher for voucher in vouchers if not _is_link(voucher)]
    if not files:
        return tuple(vouchers)
    if not isinstance(after_sale, StoresPictures):
        raise RefundFault(
            f"{after_sale.marketplace} takes links to pictures, not files: {', '.join(files)}"
        )
    pictures = {name: _picture(name) for name in files}
    if only_read:
        return tuple(vouchers)
    return tuple(
        [
            await after_sale.upload(pictures[name]) if name in pictures else name
            for name in vouchers
        ]
    )


def _is_link(voucher: str) -> bool:
    return voucher.startswith(("https://", "http://"))


def _picture(name: str) -> bytes:
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise RefundFault(f"voucher {name} can't be read: {error.strerror}") from error
    require_jpg(name, content)
    return content


async def _ask(resources: Resources, order: OrderRecord, refund: Refund) -> None:
    await perform_alone(
        AskRefund(resources, refund),
        order,
        str(refund.reason_id),
        part=refund.effect_part,
        amount=refund.asked,
    )
    await take_outcome(resources, refund, is_over=True)
    await restate(resources, order.order_ref)


def require_after_sale(resources: Resources, order: OrderRecord) -> AfterSale:
    """The marketplace's after-sale. Raises `RefundFault` for an order that can't have a
    refund.
    """
    after_sale = resources.offerings[order.marketplace].after_sale
    if after_sale is None:
        raise RefundFault(
            f"the service has no after-sale for {order.marketplace}; ask its support"
        )
    if order.order_id is None or order.paid_minor is None:
        raise RefundFault(
            f"{order.order_ref} is {order.state} and not paid: nothing can come back"
        )
    if order.state not in MAY_ASK:
        raise RefundFault(
            f"{order.order_ref} is {order.state}: {order.reason or 'no refund is possible'}"
        )
    return after_sale


@service_task("follow {label}")
async def follow_refunds(refunds: Sequence[Refund], *, label: str) -> dict[str, Reason]:
    """Bring these refunds up to date; answers the orders whose refunds could not be
    asked about, and why.
    """
    resources = current_resources()
    troubles = await concurrently(
        refunds, partial(take_outcome, resources), at_once=resources.concurrency
    )
    for order_ref in dict.fromkeys(refund.order_ref for refund in refunds):
        await restate(resources, order_ref)
    unread: dict[str, Reason] = {}
    for refund, trouble in zip(refunds, troubles, strict=True):
        if both := standing_of(unread.get(refund.order_ref), trouble):
            unread[refund.order_ref] = both
    return unread
