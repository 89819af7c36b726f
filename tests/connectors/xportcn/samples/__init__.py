"""A request for every operation, made from the sandbox's catalogue and from orders that
the test creates.
"""

from __future__ import annotations

from connectors.xportcn.operations.operation import Operation
from tests.connectors.xportcn.samples import alibaba, others, taobao, warehouse
from tests.connectors.xportcn.samples.shop import Sample

SAMPLES: dict[Operation, Sample] = (
    taobao.SAMPLES | alibaba.SAMPLES | warehouse.SAMPLES | others.SAMPLES
)
