"""The citizen view: when every released source has landed, build the candidate, audit it, publish it or refuse."""

from __future__ import annotations

from airflow.sdk import Asset, Param, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowFailException

from ingest.contract import RELEASED
from ingest.registry import contracts
from rongtong.assets import landing_asset

RELEASED_SOURCES = [contract.source for contract in contracts() if contract.release == RELEASED]
LANDINGS = [Asset(landing_asset(name)) for name in RELEASED_SOURCES]


@dag(
    schedule=LANDINGS,
    catchup=False,
    max_active_runs=1,
    tags=["rongtong"],
    params={
        "as_of": Param(
            None, type=["null", "string"], format="date", description="The day the findings speak of; empty: today"
        )
    },
    doc_md=__doc__,
)
def citizen_view() -> None:
    @task_group
    def staging() -> str:
        @task
        def build_staging() -> str:
            from rongtong import progress, steps
            from warehouse.home import Home

            as_of = get_current_context()["params"]["as_of"]
            home = Home.from_environment()
            run_id = steps.begin(home, steps.parse_day(as_of) if as_of else steps.today())
            steps.build_staging(home, run_id, progress.report)
            return run_id

        return build_staging()

    @task_group
    def identity(run_id: str) -> str:
        @task
        def resolve_citizens(run_id: str) -> str:
            from rongtong import progress, steps
            from warehouse.home import Home

            steps.resolve_citizens(Home.from_environment(), run_id, progress.report)
            return run_id

        return resolve_citizens(run_id)

    @task_group
    def golden(run_id: str) -> str:
        @task
        def build_golden(run_id: str) -> str:
            from rongtong import progress, steps
            from warehouse.home import Home

            steps.build_room_of(Home.from_environment(), run_id, "golden", progress.report)
            return run_id

        return build_golden(run_id)

    @task_group
    def findings(run_id: str) -> str:
        @task
        def build_findings(run_id: str) -> str:
            from rongtong import progress, steps
            from warehouse.home import Home

            steps.build_room_of(Home.from_environment(), run_id, "findings", progress.report)
            return run_id

        return build_findings(run_id)

    @task_group
    def gate(run_id: str) -> str:
        @task
        def audit_candidate(run_id: str) -> str:
            from rongtong import progress, steps
            from warehouse.home import Home

            steps.audit_candidate(Home.from_environment(), run_id, progress.report)
            return run_id

        return audit_candidate(run_id)

    @task_group
    def published(run_id: str) -> None:
        @task
        def publish_snapshot(run_id: str) -> int:
            from rongtong import progress, steps
            from warehouse.home import Home

            outcome = steps.publish_snapshot(Home.from_environment(), run_id, progress.report)
            if outcome is None:
                # Trying again cannot help: the same candidate would get the same verdict.
                raise AirflowFailException(
                    f"the gate refused the candidate of run {run_id}: nothing was published; read the run's report.html"
                )
            return outcome.snapshot_id

        publish_snapshot(run_id)

    published(gate(findings(golden(identity(staging())))))


citizen_view()
