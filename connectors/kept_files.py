"""What the product keeps in files, and how one order's receiver is struck there: inbox, fetched, logs, old ledgers."""

from __future__ import annotations
