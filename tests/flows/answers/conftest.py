"""The resources of a run, as the steps of tasks have them in their tests."""

from tests.tasks.conftest import next_run, no_long_pause, resources

__all__ = ["next_run", "no_long_pause", "resources"]
