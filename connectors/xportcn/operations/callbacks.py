"""Messages that the service posts to us (contract 3, assumed-all 6)."""

from __future__ import annotations

from connectors.xportcn.operations.operation import ASSUMED, UPSTREAM, Group

TAOBAO = Group("Taobao / Message callback")
ALIBABA = Group("1688 / Message callback")
KA = Group("bigMajor")
TAOBAO_PRICE = TAOBAO(
    35, "Order price correction", "POST developer URL: taobao-order-price", ASSUMED
).callback()
TAOBAO_STATUS = TAOBAO(
    36,
    "Order status modification callback",
    "POST developer URL: taobao-order-status",
    ASSUMED,
).callback()
TAOBAO_REFUND = TAOBAO(
    37, "Order after-sales refund", "POST developer URL: taobao-order-refund", ASSUMED
).callback()
ALIBABA_PRICE = ALIBABA(
    66, "Order price correction", "POST developer URL: 1688-order-price", UPSTREAM
).callback()
ALIBABA_STATUS = ALIBABA(
    67,
    "Order status modification interface",
    "POST developer URL: 1688-order-status",
    UPSTREAM,
).callback()
ALIBABA_REFUND = ALIBABA(
    68,
    "1688 order after sale refund",
    "POST developer URL: 1688-order-refund",
    UPSTREAM,
).callback()
PACKAGE_INBOUND = KA(
    90, "包裹入库回调", "POST developer URL: package-inbound", ASSUMED
).callback()
