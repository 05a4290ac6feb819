"""The gate: may this candidate go out? Great Expectations on the work file, in a process of its own.

``python -m expectations.gate WORK_FILE HOME RUN_ID`` is the child: it writes ``verdict.json`` and ``report.html`` into
the run's folder and prints one JSON line per step of progress. ``audit`` is the parent's side. A process of its own
because DuckDB gives a file to one process at a time, and the audit's memory is returned when it ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from expectations.labelled import with_labels
from expectations.report import render_text, write_report
from expectations.rules import SuiteUnusable
from warehouse.history import published_counts
from warehouse.home import PROJECT, Home
from warehouse.lake import LakeUnusable
from warehouse.run import RunUnknown, read_run
from warehouse.verdict import VERDICT_FILE, Verdict, read_verdict, write_verdict

Progress = Callable[[int, int | None, str], None]

LOG_FILE = "gate.log"


class GateFailed(RuntimeError):
    """The audit did not come to a verdict; the message says why and where to read on. Nothing may be published."""


def audit(work_file: Path, home: Home, run_id: str, progress: Progress | None = None) -> Verdict:
    """Judge the candidate in ``work_file`` and return the verdict, which is kept with its report in the run's folder.

    Raises ``GateFailed`` when no verdict was reached; an earlier verdict on the run does not stand then.
    """
    folder = home.private_folder(home.run_folder(run_id))
    (folder / VERDICT_FILE).unlink(missing_ok=True)
    log_file = folder / LOG_FILE
    environment = os.environ | {
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    command = [sys.executable, "-m", "expectations.gate", str(work_file), str(home.root), run_id]
    said = ""
    with (
        log_file.open("w", encoding="utf-8") as log,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as child,
    ):
        log_file.chmod(0o600)
        assert child.stdout is not None
        for line in child.stdout:
            if not line.startswith("{"):
                continue
            step = json.loads(line)
            said = step.get("error", said)
            if progress is not None and "done" in step:
                progress(step["done"], step["total"], step["text"])
    if child.returncode != 0 or not (folder / VERDICT_FILE).exists():
        raise GateFailed(f"gate: {said or 'the audit stopped without a verdict'}; read {log_file}.")
    return read_verdict(home, run_id)


def main(arguments: list[str]) -> int:
    """The child: 0 when a verdict was reached, whatever it is."""
    work_file, home, run_id = Path(arguments[0]), Home(Path(arguments[1])), arguments[2]

    def tell(done: int, total: int | None, text: str) -> None:
        print(json.dumps({"done": done, "total": total, "text": text}), flush=True)

    try:
        if not work_file.exists():
            raise GateFailed(f"run {run_id} has no candidate; build it first")
        as_of = read_run(home, run_id).as_of
        # Great Expectations takes seconds to import: not before there is something to judge, and never in the parent.
        from expectations.judge import judge

        verdict = judge(
            work_file,
            run_id,
            as_of,
            published_counts(home),
            home.private_folder(home.run_folder(run_id) / "temp"),
            tell,
        )
    except (GateFailed, SuiteUnusable, RunUnknown, LakeUnusable) as reason:
        print(json.dumps({"error": str(reason)}), flush=True)
        return 1
    verdict = with_labels(verdict, home)
    write_report(home, verdict)
    write_verdict(home, verdict)
    return 0


__all__ = ["GateFailed", "audit", "render_text"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
