"""A home with its work file, in which every run is made both ways, and a clerk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invented_mentions import Book, read_links
from same_as_anew import resolve_both_ways

from identity.decisions import record, revoke
from warehouse.duck import connect
from warehouse.home import Home


class Desk:
    def __init__(self, folder: Path) -> None:
        self.home, self.work_file, self.runs = Home(folder / "home"), folder / "work.duckdb", 0

    def run(self, book: Book) -> dict[str, dict[str, Any]]:
        book.write(self.work_file)
        return self.run_again()

    def run_again(self) -> dict[str, dict[str, Any]]:
        """Link what the work file holds; links by the last part of the record's id."""
        self.runs += 1
        resolve_both_ways(self.work_file, self.home, f"run-{self.runs}")
        return {key.split("/")[-2]: link for key, link in read_links(self.work_file).items()}

    def decide(self, verdict: str, left: str, right: str) -> str:
        with connect() as connection:
            connection.execute(f"ATTACH '{self.work_file}' AS work (READ_ONLY)")
            taken = [(verdict, f"silo/{left}", f"silo/{right}", "clerk", "seen")]
            return record(connection, self.home.identity, "work.intermediate.int_mentions__unioned", taken)[0]

    def revoke(self, decision: str) -> None:
        with connect() as connection:
            revoke(connection, self.home.identity, decision, "clerk", "wrong")

    def ask(self, query: str) -> list[Any]:
        with connect(self.work_file, read_only=True) as connection:
            return connection.execute(query).fetchall()
