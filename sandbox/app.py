"""The handling of a request: find the operation, check the signature, apply faults,
carry it out, answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from aiohttp import web

from sandbox import (
    alibaba_1688,
    answers,
    basics,
    big_major,
    control,
    international,
    poizon,
    refusals,
    taobao,
    warehouse,
)
from sandbox.auth import SignatureCheck
from sandbox.callbacks import Callbacks
from sandbox.faults import Faults, Kind, Rule
from sandbox.fields import Fields, read_object
from sandbox.late import LateEffects
from sandbox.operations import Call, Envelope, Operation, Operations
from sandbox.refusals import Refusal, bad_request
from sandbox.subjects import subjects_of
from sandbox.world import World

LOGISTICS = "/open/pp/logistics/"
DEFAULT_LATENCY_S = 0.2
OPERATIONS = Operations.joined(
    *taobao.GROUPS,
    *alibaba_1688.GROUPS,
    *big_major.GROUPS,
    *international.GROUPS,
    *poizon.GROUPS,
    basics.operations,
    basics.bare_operations,
    warehouse.operations,
)
WITHOUT_EFFECT: dict[Kind, Callable[[Envelope], web.Response]] = {
    Kind.HTTP_500: answers.server_fault,
    Kind.HTTP_429: answers.too_many,
    Kind.THROTTLE_CODE: answers.throttled,
    Kind.EXPIRED_TOKEN: answers.token_expired,
    Kind.GARBAGE: answers.garbage,
}

log = logging.getLogger(__name__)


class Sandbox:
    """The HTTP face of one world."""

    def __init__(
        self,
        world: World,
        signatures: SignatureCheck | None = None,
        *,
        callbacks: str = "",
    ) -> None:
        self.world = world
        self.faults = Faults()
        self.late = LateEffects(world, OPERATIONS)
        self.callbacks = (
            Callbacks(world, self.faults, control.MESSAGE_SOURCES, callbacks)
            if callbacks
            else None
        )
        self._signatures = signatures or SignatureCheck()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request, also when its sender is gone: between body and effect
        only a latency fault is awaited.
        """
        try:
            body = await request.read()
        except ConnectionError:
            return (
                web.Response()
            )  # the sender was gone before all of it had arrived: nothing to do
        if request.path.startswith(control.PREFIX):
            return control.answer(self, request, body)
        envelope = Envelope.B if request.path.startswith(LOGISTICS) else Envelope.A
        try:
            operation = _operation(request)
            self._check_signature(request, operation)
            call = _call(request, operation, body)
            rule = self.faults.strike(request.path)
            if rule is not None and rule.kind is Kind.LATENCY:
                await asyncio.sleep(rule.delay_s or DEFAULT_LATENCY_S)
            return self._answer(request, operation, call, rule)
        except Refusal as refusal:
            return answers.refused(envelope, refusal)

    def _check_signature(self, request: web.BaseRequest, operation: Operation) -> None:
        self._signatures.check(
            request.headers, request.query if operation.envelope is Envelope.B else None
        )

    def _answer(
        self,
        request: web.BaseRequest,
        operation: Operation,
        call: Call,
        rule: Rule | None,
    ) -> web.Response:
        self.world.agenda.catch_up()
        try:
            return (
                self._struck(request, operation, call, rule)
                if rule
                else self._carried_out(operation, call)
            )
        finally:
            self.world.store.flush()

    def _carried_out(self, operation: Operation, call: Call) -> web.Response:
        world, dialects = self.world, self.world.dialects
        try:
            spoken = dialects.call(world, operation.path, call)
            answer = dialects.answer(
                world, operation.path, spoken, operation.handler(world, spoken)
            )
            return answers.success(operation.envelope, answer)
        except Refusal as refusal:
            return answers.refused(
                operation.envelope, dialects.refusal(operation.path, refusal)
            )
        except Exception:
            log.exception("%s %s failed", operation.method, operation.path)
            return answers.server_fault(operation.envelope)

    def _struck(
        self, request: web.BaseRequest, operation: Operation, call: Call, rule: Rule
    ) -> web.Response:
        if rule.kind in WITHOUT_EFFECT:
            return WITHOUT_EFFECT[rule.kind](operation.envelope)
        if rule.kind is Kind.NO_DEFAULT:
            own = [
                address | {"isDefault": False}
                for address in self.world.addresses.every()
            ]
            return answers.success(operation.envelope, own)
        if rule.kind is Kind.DROP_BEFORE:
            return _cut(request)
        if rule.kind is Kind.LATE_EFFECT:
            self.late.postpone(operation, call, rule.delay_s)
            return answers.server_fault(operation.envelope)
        if rule.kind is Kind.PRICE_CHANGE:
            self._raise_prices(call)
        if rule.kind is Kind.OUT_OF_STOCK:
            self.world.catalogue.sell_out(
                subjects_of(self.world, call).goods(self.world)
            )
        said = rule.kind is Kind.PART_FAILS
        call = replace(
            call, in_part=said or rule.kind is Kind.PART_UNSAID, says_so=said
        )
        answer = self._carried_out(operation, call)
        return _cut(request) if rule.kind is Kind.DROP_AFTER else answer

    def _raise_prices(self, call: Call) -> None:
        subjects = subjects_of(self.world, call)
        self.world.catalogue.raise_prices(subjects.items)
        for order in subjects.unpaid_orders:
            self.world.books.raise_prices(order, self.world.now())

    def reset(self, *, keep_ids: bool = False) -> None:
        self.world.reset(keep_ids=keep_ids)
        self.faults.clear()
        self.late.clear()
        if self.callbacks:
            self.callbacks.clear()


def _operation(request: web.BaseRequest) -> Operation:
    methods = OPERATIONS.at(request.path)
    if not methods:
        raise Refusal(
            refusals.NO_SUCH_OPERATION, f"no operation at {request.path}", status=404
        )
    if request.method not in methods:
        message = f"{request.path} takes {', '.join(methods)}"
        raise Refusal(refusals.WRONG_METHOD, message, status=405)
    return methods[request.method]


def _call(request: web.BaseRequest, operation: Operation, body: bytes) -> Call:
    query = Fields({**request.query, **operation.parameter(request.path)})
    if operation.method == "GET":
        return Call(query, Fields({}))
    if request.content_type != "application/json":
        raise bad_request("Content-Type", "must be application/json")
    return Call(query, read_object(body))


def _cut(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
