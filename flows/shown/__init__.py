"""What Prefect shows of a run: progress, artifacts, events, and how it ends."""
