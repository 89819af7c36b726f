"""The earlier name of `tasks/opaque.py`."""

from tasks.opaque import opaque

unwalked = opaque
