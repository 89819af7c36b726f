"""Everything outside the process: the Xportcn service, the ledger, the snapshots,
files.
"""

from contextlib import suppress
from ctypes import CDLL
from os import environ

M_ARENA_MAX = -8

environ.setdefault(
    "ARROW_DEFAULT_MEMORY_POOL", "system"
)  # its own keeps what is freed; read as Arrow is loaded
with suppress(AttributeError):  # glibc alone has it
    CDLL(None).mallopt(M_ARENA_MAX, 1)  # a heap for each thread keeps what is freed
