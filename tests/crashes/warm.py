"""The process that each run is forked from: it has what takes a run time and is the
same each time.

That is imports, Prefect's settings, and the tables of a new ledger. No thread may be
left: it would not be forked.
"""

from __future__ import annotations

import gc
import importlib
import os
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
from pydantic import ValidationError

from connectors.ledger.engine import open_engine
from tests.made_once import copy_new_ledgers, share_certificates

IMPORTED_BY_RUNS = (
    "connectors.marketplaces.alibaba_1688.after_sale",
    "connectors.marketplaces.alibaba_1688.browser",
    "connectors.marketplaces.alibaba_1688.channel",
    "connectors.marketplaces.alibaba_1688.channel",
    "connectors.marketplaces.big_major",
    "connectors.marketplaces.international",
    "connectors.marketplaces.poizon",
    "connectors.marketplaces.taobao.browser",
    "connectors.marketplaces.taobao.channel",
    "connectors.marketplaces.taobao.channel",
    "pandas",
    "phonenumbers",
    "pyarrow.acero",
    "pyarrow.dataset",
    "pycountry.db",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "tests.crashes.light",
)

os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = (
    "false"  # what asks for a server fails
)
for name in IMPORTED_BY_RUNS:
    importlib.import_module(name)

from connectors.xportcn.operations import catalogue  # noqa: E402
from connectors.xportcn.operations.operation import Call  # noqa: E402
from domain.addresses import country_code, is_possible_phone  # noqa: E402

is_possible_phone("5083326888", country_code("United States"))
for call in catalogue():
    if isinstance(call, Call):  # models are built when first needed
        for build in (
            partial(call.parse, None),
            partial(call.request.model_validate, {}),
        ):
            with suppress(ValidationError):
                build()
copy_new_ledgers()
share_certificates()
httpx.Client().close()
with tempfile.TemporaryDirectory() as folder:
    open_engine(f"sqlite:///{Path(folder) / 'ledger.db'}").dispose()
gc.freeze()
