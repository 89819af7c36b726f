"""The flows, started by people and schedules; those of one purpose in a file."""
