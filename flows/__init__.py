"""The flows, started by people and schedules; those of one purpose in a file."""

from connectors.process_locks import hold_lock

hold_lock()  # a run loads its flow before it reports as running
