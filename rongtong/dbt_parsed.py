"""What dbt makes of the project's files, kept from one room and run to the next: parsing takes longer than most rooms.

dbt's own partial parsing begins anew whenever the day, the run or the work file is another one, which is always. None
of them can be read where the project is parsed: models say the day and the run in their SQL only, which is compiled
when a model runs. What is kept is therefore named after a digest of everything that parsing does read, and is a whole
parse; where a single byte of the project differs it is parsed again.
"""

from __future__ import annotations

import hashlib
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# What dbt writes itself, and editors.
_NOT_READ = ("target", "logs", ".tmp", "__pycache__")


class NotParsed(RuntimeError):
    """dbt could not read the project; the message is dbt's own and may quote the project's files, nothing else."""


def parsed_project(project: Path, kept: Path, options: list[str]) -> Manifest:
    """The parsed project: read from the folder ``kept``, or parsed with ``options`` (of dbt's command line) and kept.

    Raises ``NotParsed``.
    """
    # dbt takes a second to import, and only the process that runs it should pay.
    from dbt.contracts.graph.manifest import Manifest

    file = kept / f"parsed-{digest_of_project(project)}.msgpack"
    try:
        manifest = Manifest.from_msgpack(file.read_bytes())
    except FileNotFoundError:
        return _keep(_parse(options), file)
    manifest.build_flat_graph()
    return manifest


def _keep(manifest: Manifest, file: Path) -> Manifest:
    """Keep the parse in place of older ones: under its name once it is whole, as two runs may begin at one moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for old in file.parent.glob("parsed-*.msgpack"):
        old.unlink(missing_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(manifest.to_msgpack())
    unfinished.replace(file)
    return manifest


def digest_of_project(project: Path) -> str:
    """A digest of what parsing reads: dbt, the name of the work file's catalog, where the project lies, its files."""
    catalog = Path(os.environ.get("RONGTONG_WORK_FILE", ":memory:")).stem
    read = (sys.version, version("dbt-core"), version("dbt-duckdb"), catalog, str(project.resolve()))
    told = hashlib.sha256(repr(read).encode())
    for file in sorted(file for file in project.rglob("*") if file.is_file()):
        relative = file.relative_to(project)
        if relative.parts[0] not in _NOT_READ:
            told.update(f"{relative.as_posix()}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return told.hexdigest()


def _parse(options: list[str]) -> Manifest:
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    outcome = dbtRunner().invoke(["parse", "--no-partial-parse", *options])
    if not isinstance(outcome.result, Manifest):
        raise NotParsed(str(outcome.exception))
    return outcome.result
