"""Python reads this at the start of every process of the installation under test: a run
renews the lease on its deployment's place every 1.2 seconds instead of every 225, so
that a lost place shows at once.
"""

import os

if "PREFECT__FLOW_RUN_ID" in os.environ:
    from prefect.concurrency import _leases

    _leases._RENEWAL_FRACTION = 0.004
