"""A file layout for files that no contract describes: a sample of a new source, a corrected export."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ingest.contract import read_contract
from ingest.files.layout import EntityLayout, FileLayout, layout_of

ENTITY = "rows"


def layout_of_headers(headers: Sequence[str], totals_words: Sequence[str] = ()) -> tuple[EntityLayout, FileLayout]:
    """The layout of a file with these headers, all of them optional; field ``c<n>`` stands under the n-th of them.

    It is made by way of a contract, so that such files are read exactly as deliveries are.
    """
    entity = {
        "title": "Rows",
        "record_id": "{_sheet}/{_row}",
        "fields": {f"c{place}": {"headers": [header], "optional": True} for place, header in enumerate(headers)},
    }
    if totals_words:
        entity["control_totals"] = {"words": list(totals_words), "count_pattern": r"(\d+)\s*$^"}
    document = {
        "title": "A file without a contract",
        "owner": "Nobody",
        "release": "shadow",
        "freshness_days": 1,
        "connector": {
            "kind": "files",
            "pattern": "(?P<district>)(?P<month>)(?P<kind>rows)(?P<suffix>)",
            "settle_seconds": 0,
        },
        "entities": {ENTITY: entity},
    }
    with tempfile.TemporaryDirectory() as folder:
        # JSON is YAML.
        Path(folder, "contract.yml").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        layout = layout_of(read_contract(Path(folder)))
    return layout.entities[ENTITY], replace(layout, signature_words=())
