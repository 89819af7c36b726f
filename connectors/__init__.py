"""Everything outside the process: the Xportcn service, the ledger, the snapshots, files."""

from os import environ

environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # its own keeps what is freed; read as Arrow is loaded
