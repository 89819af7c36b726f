"""Everything outside the process: the Xportcn service, the ledger, the snapshots, files."""
