"""A receiver in China."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Dialects, Mark
from sandbox.fields import Fields
from sandbox.refusals import bad_request

CHINA = ("中国", "中国大陆")

RECEIVER_CHINA = Dialect(
    name="receiver-china",
    sentence="Taobao's receiver is the warehouse's address, country 中国; any other is refused.",
    source="A public client of Taobao's distribution sends one address in China as receiver and as warehouse; a "
    "reseller says that the receiver may be the warehouse.",
    mark=Mark.UPSTREAM,
)


def check_receiver(dialects: Dialects, receiver: Fields, warehouse: Fields) -> None:
    """Refuse a receiver that is not where the service expects one: abroad, as the
    contract has it.
    """
    country = receiver.raw.get("country")
    if RECEIVER_CHINA not in dialects:
        if country in (*CHINA, "CN"):
            raise bad_request(
                receiver.named("country"), "an address abroad is required"
            )
        return
    if country not in CHINA or receiver.raw.get("address") != warehouse.raw.get(
        "address"
    ):
        raise bad_request(receiver.named("address"), "收货地址必须为中国仓库地址")
