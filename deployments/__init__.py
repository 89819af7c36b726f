"""The programs beside the flows: the Prefect server of a try-out, blocks, automations, services."""
