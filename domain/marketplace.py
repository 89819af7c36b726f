"""The marketplaces that can be sourced, by the names used in request files, reports and tables."""

from enum import StrEnum


class Marketplace(StrEnum):
    """Where goods are bought, as request files and reports name it."""

    TAOBAO = "taobao"
    ALIBABA_1688 = "1688"
    BIG_MAJOR = "big_major"
    INTERNATIONAL = "international"
    POIZON = "poizon"

    @property
    def create_is_idempotent(self) -> bool:
        """Whether the service knows an order by our reference, so that creating it twice makes one."""
        return self not in (Marketplace.ALIBABA_1688, Marketplace.BIG_MAJOR)
