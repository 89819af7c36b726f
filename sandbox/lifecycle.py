"""An order's life after payment, as pure functions of its id, its times and now
(assumed.md, section 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1

from sandbox.entities import Order, Shipment
from sandbox.times import DAY, HOUR

DOMESTIC_COMPANIES = (("顺丰", "SF"), ("中通", "ZT"), ("圆通", "YT"), ("韵达", "YD"))
WAREHOUSE_CITY = "深圳市"
SUCCESS_TAKES = HOUR


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a parcel's trace; `status` is CONSIGN, ACCEPT, TRANSPORT, DELIVERING
    or SIGN.
    """

    at: int
    status: str
    text: str
    action: str
    city: str


@dataclass(frozen=True, slots=True)
class DomesticParcel:
    """A parcel from the seller to the warehouse: one a paid order."""

    number: str
    company: str
    shipped_at: int
    signed_at: int
    events: tuple[Event, ...]


def chance(*names: str) -> float:
    """A number from 0 up to 1, determined by the names."""
    digest = sha1(":".join(names).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def between(low: int, high: int, *names: str) -> int:
    return low + int((high - low) * chance(*names))


@lru_cache(maxsize=100_000)
def domestic_parcel(order_id: str, paid_at: int) -> DomesticParcel:
    shipped = paid_at + between(6 * HOUR, 30 * HOUR, order_id, "ship")
    signed = shipped + between(DAY, 3 * DAY, order_id, "arrive")
    company, letters = DOMESTIC_COMPANIES[
        between(0, len(DOMESTIC_COMPANIES), order_id, "company")
    ]
    digits = between(10**12, 10**13, order_id, "number")
    return DomesticParcel(
        f"{letters}{digits}",
        company,
        shipped,
        signed,
        _domestic_events(shipped, signed),
    )


def _domestic_events(shipped: int, signed: int) -> tuple[Event, ...]:
    way = signed - shipped
    return (
        Event(shipped, "CONSIGN", "商家已发货", "CONSIGN", "义乌市"),
        Event(shipped + way // 10, "ACCEPT", "快件已揽收", "GOT", "义乌市"),
        Event(
            shipped + way * 3 // 10,
            "TRANSPORT",
            "快件已发往深圳转运中心",
            "TMS_STATION_OUT",
            "义乌市",
        ),
        Event(
            shipped + way * 7 // 10,
            "TRANSPORT",
            "快件已到达深圳转运中心",
            "TMS_STATION_IN",
            WAREHOUSE_CITY,
        ),
        Event(
            shipped + way * 9 // 10,
            "DELIVERING",
            "快件正在派送",
            "TMS_DELIVERING",
            WAREHOUSE_CITY,
        ),
        Event(signed, "SIGN", "仓库已签收", "TMS_SIGN", WAREHOUSE_CITY),
    )


@lru_cache(maxsize=100_000)
def international_events(
    order_id: str, tracking_number: str, at_warehouse: int
) -> tuple[Event, ...]:
    """The future events of a booked parcel, counted from its SIGN at the warehouse."""
    accepted = at_warehouse + between(
        12 * HOUR, DAY, order_id, tracking_number, "accept"
    )
    signed = at_warehouse + between(
        4 * DAY, 12 * DAY, order_id, tracking_number, "sign"
    )
    way = signed - accepted
    return (
        Event(accepted, "ACCEPT", "国际包裹已接收", "GOT", WAREHOUSE_CITY),
        Event(
            accepted + way // 5,
            "TRANSPORT",
            "已离开始发国",
            "TMS_STATION_OUT",
            WAREHOUSE_CITY,
        ),
        Event(accepted + way // 2, "TRANSPORT", "已到达目的国", "TMS_STATION_IN", ""),
        Event(accepted + way * 7 // 10, "TRANSPORT", "清关完成", "TMS_STATION_OUT", ""),
        Event(accepted + way * 9 // 10, "DELIVERING", "正在派送", "TMS_DELIVERING", ""),
        Event(signed, "SIGN", "收件人已签收", "TMS_SIGN", ""),
    )


def sent_parcel(order: Order, now: int) -> DomesticParcel | None:
    """The domestic parcel, once the seller has shipped it."""
    parcel = coming_parcel(order)
    return parcel if parcel is not None and parcel.shipped_at <= now else None


def coming_parcel(order: Order) -> DomesticParcel | None:
    """The domestic parcel of a paid order, shipped or not; none when nothing is left to
    ship.
    """
    return (
        domestic_parcel(order.id, order.paid_at)
        if order.paid_at is not None and order.ships
        else None
    )


def signed(order: Order, now: int) -> bool:
    """Whether the warehouse has the order's goods."""
    parcel = coming_parcel(order)
    return parcel is not None and parcel.signed_at <= now


def moved(
    order: Order, shipment: Shipment, tracking_number: str, now: int
) -> list[Event]:
    """The past events of a booked parcel; none unless the order's domestic number was
    reported for it.
    """
    parcel = coming_parcel(order)
    if parcel is None or parcel.number not in shipment.domestic_numbers.get(
        tracking_number, ()
    ):
        return []
    return past(international_events(order.id, tracking_number, parcel.signed_at), now)


def past(events: tuple[Event, ...], now: int) -> list[Event]:
    return [event for event in events if event.at <= now]


def modified_at(order: Order, now: int) -> int:
    """The time of the order's last change that its listing shows."""
    parcel = sent_parcel(order, now)
    shipped_at = parcel.shipped_at if parcel else None
    moments = (
        order.repriced_at,
        order.paid_at,
        order.closed_at,
        order.booked_at,
        order.touched_at,
        shipped_at,
    )
    return max(
        [
            order.created_at,
            *(
                moment
                for moment in (*moments, _succeeded_at(order, now))
                if moment is not None
            ),
        ]
    )


def _succeeded_at(order: Order, now: int) -> int | None:
    """An hour after the buyer confirmed the receipt, once that hour is over."""
    if order.confirmed_at is None:
        return None
    succeeds_at = order.confirmed_at + SUCCESS_TAKES
    return succeeds_at if succeeds_at <= now else order.confirmed_at
