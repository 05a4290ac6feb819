"""A publisher to be killed: ``publish_in_a_child.py HOME RUN_ID`` publishes that run and says when it begins."""

from __future__ import annotations

import sys
from pathlib import Path

from invented_candidate import AS_OF
from published_candidate import passing_verdict

from warehouse.home import Home
from warehouse.publish import publish

if __name__ == "__main__":
    home, run_id = Home(Path(sys.argv[1])), sys.argv[2]
    verdict = passing_verdict(home.work_file(run_id), run_id)
    print("begun", flush=True)
    publish(home.work_file(run_id), home, run_id, verdict, AS_OF)
    print("done", flush=True)
