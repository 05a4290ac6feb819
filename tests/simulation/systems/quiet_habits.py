"""An HTTP service without faults, for tests that are about something else."""

from __future__ import annotations

from simulation.systems.funeral_api import Habits

QUIET = Habits(error_rate=0, cut_rate=0, truncate_rate=0, change_rate=0, requests_per_second=100_000, seed=5)
