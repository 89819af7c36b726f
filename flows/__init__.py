"""The flows, started by people and schedules; one flow a file."""

from connectors.process_locks import hold_lock

hold_lock()  # a run loads its flow before it reports as running
