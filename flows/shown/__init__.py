"""A run in Prefect: progress, artifacts, events, and its end."""
