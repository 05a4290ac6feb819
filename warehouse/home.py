"""Where everything lives: the folders under ``RONGTONG_HOME``.

Nothing is written outside a home, and two homes never meet: every path in the program is asked for here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Home:
    """The folders of one installation, one per room of the street.

    ``root`` is absolute. Folders are created by whoever writes into them, with mode 0700 for those that hold
    personal data (everything but ``published``).
    """

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """Read ``RONGTONG_HOME``; the default is ``./var`` of the current folder."""
        return cls(Path(os.environ.get("RONGTONG_HOME") or "var").expanduser().absolute())

    @property
    def landing(self) -> Path:
        """Receipts, accepted rows, quarantined rows and the bytes as delivered, one folder per source."""
        return self.root / "landing"

    @property
    def identity(self) -> Path:
        """The ledger of citizen ids, decisions of people, and trained parameters of this home."""
        return self.root / "identity"

    @property
    def link_estimate(self) -> Path:
        """What labels of clerks say of the links' precision and recall: identity writes it, the gate reads it."""
        return self.identity / "estimate.json"

    @property
    def published(self) -> Path:
        """The open lake: DuckLake catalog and data files that analysts and services attach."""
        return self.root / "published"

    @property
    def restricted(self) -> Path:
        """The encrypted lake with identifiers and statements."""
        return self.root / "restricted"

    @property
    def worklist(self) -> Path:
        """The ledger of what people did with leads, and the log of who looked at names."""
        return self.root / "worklist"

    @property
    def runs(self) -> Path:
        """One folder per run: work file, verdict, report, logs."""
        return self.root / "runs"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME of the demo and of ``make airflow``."""
        return self.root / "airflow"

    @property
    def demo(self) -> Path:
        """The demo city's own servers and files; production homes have none."""
        return self.root / "demo"

    def run_folder(self, run_id: str) -> Path:
        """The folder of one run."""
        return self.runs / run_id

    def work_file(self, run_id: str) -> Path:
        """The plain DuckDB file in which one run builds its candidate."""
        return self.run_folder(run_id) / "work.duckdb"

    def private_folder(self, path: Path) -> Path:
        """Create ``path`` (and parents) readable by its owner only, and return it."""
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path
