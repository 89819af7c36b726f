"""The programs beside the flows: the Prefect server of a try-out, blocks, automations,
services.

A server on this machine is never asked through a proxy of the environment, neither here
nor by what is started here.
"""

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent

_DIRECT = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
if "*" not in _DIRECT:
    _NAMED = dict.fromkeys(filter(None, (*_DIRECT, "127.0.0.1", "localhost")))
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(_NAMED)
