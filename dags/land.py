"""One DAG per source, made from the registry: extract, judge every row, land with a receipt."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Asset, Connection, dag, task
from airflow.sdk.exceptions import AirflowFailException

from ingest.registry import schedules
from rongtong.assets import landing_asset


def landing_dag(source: str, schedule: str | None) -> DAG:
    """The DAG ``land_<source>``."""

    @dag(
        dag_id=f"land_{source}",
        schedule=schedule,
        start_date=datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
        tags=["rongtong", "landing"],
        doc_md=__doc__,
    )
    def land() -> None:
        @task(outlets=[Asset(landing_asset(source))])
        def land_source() -> dict[str, int]:
            from rongtong import progress, steps
            from warehouse.home import Home

            uri = Connection.get(source).get_uri()
            result = steps.land_source(Home.from_environment(), source, uri, progress.report)
            if result.error is not None:
                raise AirflowFailException(result.error)
            return result.counts

        land_source()

    return land()


for name, cron in schedules().items():
    globals()[f"land_{name}"] = landing_dag(name, cron)
