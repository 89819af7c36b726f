"""bigMajor: words and category as on 1688, whose tree it shares; neither image nor shop."""

from __future__ import annotations

from connectors.xportcn.api import big_major
from connectors.xportcn.browse.alibaba_products import AlibabaBrowser
from domain.marketplace import Marketplace


class BigMajorBrowser(AlibabaBrowser):
    """Implements `Browser` (see `browse.base`)."""

    marketplace = Marketplace.BIG_MAJOR
    product_search = big_major.SEARCH
