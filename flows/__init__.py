"""The flows, started by people and schedules; those of one purpose in a file."""

from contextlib import suppress

from connectors.process_locks import deployed_run, folder_in, hold


def _hold_lock(run_id: str) -> None:
    """Hold the lock file of this process's flow run until its end. The run itself
    reports bad settings and disks.
    """
    from connectors.settings import BadSetting, SourcingSettings

    with suppress(BadSetting, OSError):
        hold(folder_in(SourcingSettings().data_dir), run_id)


if of_worker := deployed_run():
    _hold_lock(of_worker)  # a run loads its flow before it reports as running
