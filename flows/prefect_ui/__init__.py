"""What a run shows in the Prefect UI, and the forms that start one."""
