"""The `sourcing` command."""
