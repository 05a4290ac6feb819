"""Housekeeping once a week: old snapshots expire, folders of old runs go, the lake's unused files are removed."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import dag, task


@dag(
    schedule="0 4 * * 0",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["rongtong"],
    doc_md=__doc__,
)
def maintenance() -> None:
    @task
    def expire_snapshots() -> int:
        from rongtong import steps
        from warehouse.home import Home

        return steps.expire_snapshots(Home.from_environment())

    @task
    def remove_old_runs() -> int:
        from rongtong import steps
        from warehouse.home import Home

        return steps.remove_old_runs(Home.from_environment())

    expire_snapshots() >> remove_old_runs()


maintenance()
