"""The marketplaces that can be sourced, by the names used in request files, reports and tables."""

from enum import StrEnum


class Marketplace(StrEnum):
    """A place to buy. Values are the words of request files, reports, tables and sandbox controls."""

    TAOBAO = "taobao"
    ALIBABA_1688 = "1688"
