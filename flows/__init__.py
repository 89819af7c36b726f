"""What a person or a schedule starts; one flow a file."""

from connectors.process_locks import hold_lock

hold_lock()  # a run loads its flow before it says that it runs
