"""The citizen view: when every released source has landed, build the candidate, audit it, publish it or refuse."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from airflow.sdk import Asset, Param, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowFailException

from ingest.contract import RELEASED
from ingest.registry import contracts
from rongtong.assets import landing_asset

LANDINGS = [Asset(landing_asset(contract.source)) for contract in contracts() if contract.release == RELEASED]
AS_OF = Param(
    os.environ.get("RONGTONG_AS_OF"),
    type=["null", "string"],
    format="date",
    description="The day the findings speak of; empty: today",
)


def take(step: Callable[..., Any], *arguments: object) -> Any:
    """Take one step of the street; a foreseen trouble fails the task with its one sentence, without a retry."""
    from rongtong import progress, steps
    from warehouse.home import Home

    try:
        return step(Home.from_environment(), *arguments, progress.report)
    except steps.FORESEEN as trouble:
        raise AirflowFailException(str(trouble)) from None


@dag(
    schedule=LANDINGS,
    catchup=False,
    max_active_runs=1,
    tags=["rongtong"],
    params={"as_of": AS_OF},
    doc_md=__doc__,
)
def citizen_view() -> None:
    @task_group
    def staging() -> Any:
        @task
        def build_staging() -> str:
            from rongtong import steps
            from warehouse.home import Home

            as_of = get_current_context()["params"]["as_of"]
            candidate = steps.begin(Home.from_environment(), steps.parse_day(as_of) if as_of else steps.today())
            take(steps.build_staging, candidate)
            return candidate

        return build_staging()

    @task_group
    def identity(candidate: Any) -> Any:
        @task
        def resolve_citizens(candidate: str) -> str:
            from rongtong import steps

            take(steps.resolve_citizens, candidate)
            return candidate

        return resolve_citizens(candidate)

    @task_group
    def golden(candidate: Any) -> Any:
        @task
        def build_golden(candidate: str) -> str:
            from rongtong import steps

            take(steps.build_golden, candidate)
            return candidate

        return build_golden(candidate)

    @task_group
    def findings(candidate: Any) -> Any:
        @task
        def build_findings(candidate: str) -> str:
            from rongtong import steps

            take(steps.build_findings, candidate)
            return candidate

        return build_findings(candidate)

    @task_group
    def gate(candidate: Any) -> Any:
        @task
        def audit_candidate(candidate: str) -> str:
            from rongtong import steps

            take(steps.audit_candidate, candidate)
            return candidate

        return audit_candidate(candidate)

    @task_group
    def published(candidate: Any) -> None:
        @task
        def publish_snapshot(candidate: str) -> int:
            from rongtong import steps

            snapshot = take(steps.publish_snapshot, candidate)
            if snapshot is None:
                # Trying again cannot help: the same candidate would get the same verdict.
                raise AirflowFailException(
                    f"the gate refused the candidate of run {candidate}: nothing was published; read its report.html."
                )
            return int(snapshot.snapshot_id)

        publish_snapshot(candidate)

    published(gate(findings(golden(identity(staging())))))


citizen_view()
