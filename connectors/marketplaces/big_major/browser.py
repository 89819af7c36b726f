"""bigMajor: words and category as on 1688, whose tree it shares; neither image nor shop."""

from __future__ import annotations

from connectors.marketplaces.alibaba_1688.products import AlibabaBrowser
from connectors.xportcn.operations import big_major
from domain.marketplace import Marketplace


class BigMajorBrowser(AlibabaBrowser):
    """Implements `Browser` (see `marketplaces.browsing`)."""

    marketplace = Marketplace.BIG_MAJOR
    product_search = big_major.SEARCH
