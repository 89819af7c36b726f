"""Tests of the product. The sandbox takes the money at once, so they pay as one does at
such a service.
"""

import os

os.environ.setdefault("XPORTCN_PAY_IS", "debit")
