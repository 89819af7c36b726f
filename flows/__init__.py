"""What a person or a schedule starts; one flow a file."""

from connectors.lives import show_life

show_life()  # a run loads its flow before it says that it runs
