"""The file connector: which files of a folder count, and what they hold.

The unit of exactly-once is the partition that a file's name declares (district, month, kind): within it the highest
version that can be read counts, and stays until a better one arrives. No file stops the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from ingest.connection import Connection
from ingest.contract import Contract
from ingest.errors import SourceError
from ingest.files import csv_file
from ingest.files.delivered import FileChunk, FileFacts, FileRefusedError
from ingest.files.folder import DeliveryFolder, Fetched, Listed, LocalFolder, RawStore
from ingest.files.layout import EntityLayout, FileLayout, layout_of
from ingest.files.sheet import Form, SheetRows, SheetSum, pack_json, read_rows, to_the_cent
from ingest.files.spool import Spool
from ingest.files.workbook import OpenWorkbook, WorkbookReader
from ingest.floors import check_floor, mend_floor
from ingest.progress import Progress, tell_nobody
from warehouse.home import Home

RAW_FOLDER = "raw"
# The encoding of a spreadsheet, in facts.
WORKBOOK = "xlsx"
_SCRATCH_NAMES = ("thumbs.db", "desktop.ini")
_DIGEST_LENGTH = 64
FLOOR = "floor"
# The rows of a file: whole, or in blocks where it is large; none when it is not accepted.
Delivered: TypeAlias = pa.Table | Iterator[pa.Table] | None


def read_deliveries(
    contract: Contract,
    connection: Connection,
    home: Home,
    known: Iterable[FileFacts] = (),
    progress: Progress | None = None,
    layout: FileLayout | None = None,
) -> Iterator[FileChunk]:
    """Read what is new in the source's folder, in bounded chunks. ``layout``: the contract's, unless told.

    ``known``: the facts kept in the receipts of earlier landings, oldest first; a file that looks as it did then, under
    the same contract, is not opened again. Bytes are kept under ``<home>/landing/<source>/raw``; a chunk's receipts
    must name ``raw_file`` of its files. Raises ``SourceError`` when the folder cannot be reached.
    """
    layout = layout or layout_of(contract)
    raw = RawStore(home.private_folder(home.landing / contract.source) / RAW_FOLDER)
    folder: DeliveryFolder
    if connection.kind == "file":
        folder = LocalFolder(contract.source, connection.path, raw)
    elif connection.kind == "sftp":
        # Here, because its cryptography takes half a second that a local folder need not wait.
        from ingest.files.sftp import SftpFolder

        folder = SftpFolder(contract.source, connection, raw)
    else:
        raise SourceError(
            contract.source,
            f"a connection of type {connection.kind} leads to no folder",
            "write it as file:///path or sftp://user@host/path",
        )
    reader = _Reader(layout, raw, known, progress or tell_nobody)
    try:
        with folder:
            yield from reader.read(folder)
    finally:
        reader.close()


class _Reader:
    """One landing of one folder."""

    def __init__(self, layout: FileLayout, raw: RawStore, known: Iterable[FileFacts], progress: Progress) -> None:
        self._layout = layout
        self._raw = raw
        self._progress = progress
        self._latest: dict[str, FileFacts] = {}
        self._current: dict[tuple[str, str, str], FileFacts] = {}
        for facts in known:
            self._latest[facts.path] = facts
            if facts.state == "accepted" and facts.partition is not None:
                self._current[facts.partition] = facts
            elif facts.state == "ignored":
                self._raise_version(facts)
        self._workbooks = WorkbookReader()
        self._declared: dict[str, str | None] = {}

    def close(self) -> None:
        """Give the throw-away connection back."""
        self._workbooks.close()

    def read(self, folder: DeliveryFolder) -> Iterator[FileChunk]:
        """Chunks of the files that are new or changed."""
        listed = folder.list_files()
        suffix = self._layout.digest_suffix
        sidecars = {file.path[: -len(suffix)]: file for file in listed if suffix and file.path.endswith(suffix)}
        files = [file for file in listed if not (suffix and file.path.endswith(suffix))]
        orphans = [sidecars[path] for path in sorted(sidecars.keys() - {file.path for file in files})]
        candidates = self._choose_candidates(folder, files, sidecars)
        growing, fetched = self._wait_for_growing(folder, candidates)
        chunk = FileChunk()
        for orphan in orphans:
            facts = self._describe(orphan)
            if not self._is_known(orphan, facts):
                chunk.files.append(
                    _refused(
                        facts,
                        "digest_without_file",
                        f"{orphan.path} announces a file that is not there; drop the file as well.",
                    )
                )
        for file in candidates:
            if file.path in growing:
                chunk.files.append(_waiting(self._describe(file), f"{file.path} is still being written."))
        ready = [file for file in candidates if file.path not in growing]
        done = 0
        for batch in _batches(ready, self._layout.chunk_files):
            copies = {file.path: fetched[file.path] for file in batch if file.path in fetched}
            missing = [file for file in batch if file.path not in copies]
            copies |= folder.fetch(missing)
            now = folder.look_again(batch)
            for facts, table in self._read_batch(batch, copies, now):
                if isinstance(table, Iterator):
                    # A large file is a row of chunks of its own.
                    if chunk.files:
                        yield chunk
                        chunk = FileChunk()
                    yield from self._cut(facts, table)
                    continue
                chunk.files.append(facts)
                if table is not None and facts.entity is not None:
                    held = chunk.tables.get(facts.entity)
                    chunk.tables[facts.entity] = table if held is None else pa.concat_tables([held, table])
                if chunk.rows >= self._layout.chunk_rows or len(chunk.files) >= self._layout.chunk_files:
                    yield chunk
                    chunk = FileChunk()
            done += len(batch)
            self._progress(done, len(ready), "files")
        if chunk.files:
            yield chunk

    def _cut(self, facts: FileFacts, tables: Iterator[pa.Table]) -> Iterator[FileChunk]:
        """The rows of one large file in chunks; the first names it, the last one says that it is the last."""
        entity = facts.entity or ""
        chunk = FileChunk([facts])
        held: list[pa.Table] = []
        for table in tables:
            if sum(each.num_rows for each in held) >= self._layout.chunk_rows:
                chunk.tables[entity], chunk.continues = pa.concat_tables(held), True
                yield chunk
                chunk, held = FileChunk(), []
            held.append(table)
        chunk.tables[entity] = pa.concat_tables(held)
        yield chunk

    def _choose_candidates(
        self, folder: DeliveryFolder, files: Sequence[Listed], sidecars: dict[str, Listed]
    ) -> list[Listed]:
        """Files that are new, changed, under a mended contract, or refused before and announced anew."""
        fresh, refused_before = [], []
        for file in files:
            if not self._is_known(file, self._describe(file)):
                fresh.append(file)
            elif self._latest[file.path].state == "refused" and file.path in sidecars:
                refused_before.append(file)
        wanted = {file.path: sidecars[file.path] for file in (*fresh, *refused_before) if file.path in sidecars}
        starts = folder.read_starts(wanted.values())
        for path, sidecar in wanted.items():
            self._declared[path] = _read_digest(starts.get(sidecar.path))
        again = [file for file in refused_before if self._declared[file.path] != self._latest[file.path].declared_hash]
        return sorted([*fresh, *again], key=lambda file: file.path)

    def _is_known(self, file: Listed, described: FileFacts) -> bool:
        last = self._latest.get(file.path)
        return (
            last is not None
            and (last.size, last.modified_ns) == (file.size, file.modified_ns)
            and last.contract_hash in (described.contract_hash, self._hash_with_floor(described))
        )

    def _hash_with_floor(self, facts: FileFacts) -> str | None:
        """What a file that was refused for its number of rows was judged under: another floor may let it pass."""
        entity = self._layout.entities.get(facts.kind or "")
        if entity is None:
            return None
        return f"{entity.contract_hash}/{entity.promised.floor}/{entity.promised.ceiling}"

    def _wait_for_growing(
        self, folder: DeliveryFolder, candidates: Sequence[Listed]
    ) -> tuple[set[str], dict[str, Fetched]]:
        """Paths that are still being written, after one wait for all; and copies already taken while looking."""
        settle = self._layout.settle_seconds
        young = [file for file in candidates if time.time() - file.modified_ns / 1e9 < settle]
        announced = [file for file in young if self._declared.get(file.path) is not None]
        fetched = folder.fetch(announced)
        unsure = []
        for file in young:
            copy = fetched.get(file.path)
            if copy is None or copy.content_hash != self._declared.get(file.path):
                unsure.append(file)
                fetched.pop(file.path, None)
        if not unsure:
            return set(), fetched
        youngest = max(file.modified_ns for file in unsure) / 1e9
        pause = min(max(settle - (time.time() - youngest), 0.0), settle)
        self._progress(0, len(candidates), f"waiting {pause:.0f} s for {len(unsure)} files that may still be growing")
        time.sleep(pause)
        now = folder.look_again(unsure)
        return {file.path for file in unsure if not file.looks_like(now.get(file.path))}, fetched

    def _describe(self, file: Listed) -> FileFacts:
        """What a file's place and name say; nothing of its contents."""
        facts = FileFacts(
            path=file.path,
            size=file.size,
            modified_ns=file.modified_ns,
            contract_hash=self._layout.contract_hash,
            state="refused",
            declared_hash=self._declared.get(file.path),
        )
        match = self._layout.pattern.fullmatch(file.path)
        entity = self._layout.entities.get(match["kind"].lower()) if match else None
        if match is None or entity is None or not _is_month(match["month"]):
            return facts
        version = match.groupdict().get("version")
        return replace(
            facts,
            contract_hash=entity.contract_hash,
            entity=entity.name,
            district=match["district"],
            month=match["month"],
            kind=match["kind"].lower(),
            version=int(version) if version else 1,
        )

    def _read_batch(
        self, batch: Sequence[Listed], copies: dict[str, Fetched], now: dict[str, Listed]
    ) -> Iterator[tuple[FileFacts, Delivered]]:
        partitions: dict[tuple[str, str, str], list[FileFacts]] = {}
        nameless: list[FileFacts] = []
        for file in batch:
            facts = self._describe(file)
            copy = copies.get(file.path)
            if copy is None:
                if file.path in now:
                    yield _waiting(facts, f"{file.path} cannot be read; let this user read it."), None
                continue
            if copy.size != file.size or not file.looks_like(now.get(file.path)):
                yield _waiting(facts, f"{file.path} changed while it was read."), None
                continue
            facts = replace(facts, content_hash=copy.content_hash, raw_file=copy.raw_file)
            declared = self._declared.get(file.path)
            last = self._latest.get(file.path)
            if file.path in self._declared and declared != copy.content_hash:
                said = "holds no digest" if declared is None else "states another digest than the file has"
                name = f"{file.path}{self._layout.digest_suffix}"
                yield _refused(facts, "digest_differs", f"{name} {said}; drop file and digest again."), None
            elif (
                last is not None
                and last.content_hash == facts.content_hash
                and last.contract_hash == facts.contract_hash
                and last.declared_hash == facts.declared_hash
            ):
                # Touched, not changed: what was said of these bytes still holds.
                continue
            elif facts.partition is None:
                nameless.append(facts)
            else:
                partitions.setdefault(facts.partition, []).append(facts)
        recognised = [facts for group in partitions.values() for facts in group]
        for partition in sorted(partitions):
            yield from self._read_partition(partitions[partition])
        for facts in nameless:
            yield self._judge_nameless(facts, recognised), None

    def _judge_nameless(self, facts: FileFacts, recognised: Sequence[FileFacts]) -> FileFacts:
        name = facts.path.rpartition("/")[2]
        if name.startswith((".", "~$")) or name.lower() in _SCRATCH_NAMES:
            return _ignored(facts, "scratch_file", f"{facts.path} is a scratch file of a program.")
        folder = facts.path.rpartition("/")[0]
        same = [
            other
            for other in (*recognised, *self._latest.values())
            if other.content_hash == facts.content_hash
            and other.partition is not None
            and other.path.rpartition("/")[0] == folder
        ]
        if same:
            original = min(same, key=lambda other: (other.version, other.path))
            return _ignored(facts, "duplicate", f"{facts.path} has the same bytes as {original.path}.")
        return _refused(
            facts,
            "unrecognised_name",
            f"{facts.path}: folder and name do not fit the agreed form; name it like the others and drop it again.",
        )

    def _read_partition(self, group: Sequence[FileFacts]) -> Iterator[tuple[FileFacts, Delivered]]:
        """Judge the new files of one partition: the highest version that can be read wins."""
        ordered = sorted(group, key=lambda facts: (facts.version, facts.modified_ns, facts.path))
        kept: list[FileFacts] = []
        now = self._current.get(ordered[0].partition) if ordered and ordered[0].partition else None
        for facts in ordered:
            if not kept or kept[-1].content_hash != facts.content_hash:
                kept.append(facts)
                continue
            other = kept[-1]
            if now is not None and other.version <= now.version < facts.version:
                # What counts now lies between the two: the earlier is replaced by it, the later replaces it.
                kept[-1], facts, other = facts, other, facts
            yield _ignored(facts, "duplicate", f"{facts.path} has the same bytes as {other.path}."), None
        versions: dict[int, list[FileFacts]] = {}
        for facts in kept:
            versions.setdefault(facts.version, []).append(facts)
        for version in sorted(versions, reverse=True):
            for facts in versions[version]:
                current = self._current.get(facts.partition) if facts.partition else None
                if current is not None and current.path != facts.path:
                    if current.content_hash == facts.content_hash:
                        self._raise_version(facts)
                        yield _ignored(facts, "duplicate", f"{facts.path} has the same bytes as {current.path}."), None
                        continue
                    if facts.version < current.version:
                        yield _ignored(facts, "replaced", f"{facts.path} is replaced by {current.path}."), None
                        continue
                    if facts.version == current.version:
                        yield (
                            _refused(
                                facts,
                                "same_version_twice",
                                f"{facts.path} says something else than {current.path} under the same version; "
                                f"drop the right one as version {facts.version + 1}.",
                            ),
                            None,
                        )
                        continue
                facts, table = self._read_file(facts)
                if facts.state == "accepted" and facts.partition is not None:
                    self._current[facts.partition] = facts
                yield facts, table

    def _raise_version(self, facts: FileFacts) -> None:
        """What counts counts as a later version too, when a file of that version says the same: what lies between the
        two is replaced, whenever it comes.
        """
        current = self._current.get(facts.partition) if facts.partition else None
        if current is not None and facts.partition is not None and current.content_hash == facts.content_hash:
            self._current[facts.partition] = replace(current, version=max(current.version, facts.version))

    def _read_file(self, facts: FileFacts) -> tuple[FileFacts, Delivered]:
        entity = self._layout.entities[facts.kind or ""]
        path = self._raw.folder / (facts.raw_file or "")
        notices: list[str] = []
        try:
            if facts.size == 0:
                raise FileRefusedError("empty_file", f"{facts.path} is empty (0 bytes); drop it again.")
            if _is_workbook(facts.path):
                workbook = self._workbooks.open(path, entity, self._layout, facts.path)
                if workbook.unpacked_bytes > self._layout.large_bytes:
                    spools = self._spool_workbook(workbook)
                    notices += workbook.notices
                    facts = replace(facts, encoding=WORKBOOK, headers=_headers_of(spools))
                    return self._judge_large(facts, spools, entity, notices)
                cells, encoding = workbook.read_whole(), WORKBOOK
                notices += workbook.notices
            elif facts.size > self._layout.large_bytes:
                encoding, spool = self._spool(facts, path, entity)
                facts = replace(facts, encoding=encoding, headers=_headers_of([spool]))
                return self._judge_large(facts, [spool], entity, notices)
            else:
                cells, encoding = csv_file.read_cells(path.read_bytes(), entity, self._layout, facts.path)
            facts = replace(facts, encoding=encoding, headers=tuple(each.header for each in cells))
            sheets = [read_rows(each, entity, self._layout, facts.path) for each in cells]
            notices += [notice for sheet in sheets for notice in sheet.notices]
            facts = _compare_totals(facts, [SheetSum.of([sheet], entity.sum_field) for sheet in sheets], notices)
            self._compare_with_last(facts, entity)
            table = pa.concat_tables([self._build_table(facts, entity, sheet) for sheet in sheets])
        except FileRefusedError as refused:
            if refused.code == FLOOR:
                facts = replace(facts, contract_hash=self._hash_with_floor(facts) or facts.contract_hash)
            return replace(_refused(facts, refused.code, str(refused)), notices=tuple(notices)), None
        return replace(facts, state="accepted", rows_read=table.num_rows, notices=tuple(notices)), table

    def _spool(self, facts: FileFacts, path: Path, entity: EntityLayout) -> tuple[str, Spool]:
        """The encoding of a large text, and its lines on disk. Raises ``FileRefusedError``."""
        with path.open("rb") as opened:
            encoding, blocks = csv_file.open_cells(
                csv_file.FileBytes(opened), entity, self._layout, facts.path, block_bytes=self._layout.block_bytes
            )
            return encoding, Spool(self._raw.folder, blocks)

    def _spool_workbook(self, workbook: OpenWorkbook) -> list[Spool]:
        """The lines of every sheet of a large workbook on disk. Raises ``FileRefusedError``."""
        spools: list[Spool] = []
        try:
            for blocks in workbook.sheets():
                spools.append(Spool(self._raw.folder, blocks, is_ruled=True))
        except BaseException:
            _close(spools)
            raise
        return spools

    def _judge_large(
        self, facts: FileFacts, spools: Sequence[Spool], entity: EntityLayout, notices: list[str]
    ) -> tuple[FileFacts, Iterator[pa.Table]]:
        """The verdict on a large file and, block by block, its rows. Raises ``FileRefusedError``."""
        try:
            forms = [spool.survey(entity, self._layout) for spool in spools]
            sums = []
            for spool, form in zip(spools, forms, strict=True):
                blocks = self._tell(spool.rows(form, entity, self._layout, facts.path), notices)
                sums.append(SheetSum.of(blocks, entity.sum_field))
            facts = _compare_totals(facts, sums, notices)
            self._compare_with_last(facts, entity)
        except BaseException:
            _close(spools)
            raise
        facts = replace(facts, state="accepted", rows_read=facts.found_rows or 0, notices=tuple(notices))
        return facts, self._build_tables(facts, entity, spools, forms)

    @staticmethod
    def _tell(blocks: Iterator[SheetRows], notices: list[str]) -> Iterator[SheetRows]:
        """The same blocks; what several of them note is noted once."""
        for block in blocks:
            notices.extend(notice for notice in block.notices if notice not in notices)
            yield block

    def _build_tables(
        self, facts: FileFacts, entity: EntityLayout, spools: Sequence[Spool], forms: Sequence[Form]
    ) -> Iterator[pa.Table]:
        try:
            for spool, form in zip(spools, forms, strict=True):
                for block in spool.rows(form, entity, self._layout, facts.path):
                    yield self._build_table(facts, entity, block)
        finally:
            _close(spools)

    def _compare_with_last(self, facts: FileFacts, entity: EntityLayout) -> None:
        """Raises ``FileRefusedError`` when a file holds far fewer rows than the last one of its district and kind: the
        one that it corrects, else that of the latest month before.
        """
        before = [
            current
            for (district, month, kind), current in self._current.items()
            if (district, kind) == (facts.district, facts.kind) and month <= (facts.month or "")
        ]
        if not before:
            return
        last = max(before, key=lambda current: current.month or "")
        wrong = check_floor(entity.promised, facts.found_rows or 0, last.rows_read)
        if wrong is not None:
            raise FileRefusedError(FLOOR, f"{facts.path}: {wrong}, {last.path}; {mend_floor(entity.promised)}.")

    def _build_table(self, facts: FileFacts, entity: EntityLayout, sheet: SheetRows) -> pa.Table:
        rows = sheet.rows
        columns: dict[str, pa.Array] = {
            f"raw_{field.name}": sheet.by_field.get(field.name, pa.nulls(rows, pa.string())) for field in entity.fields
        }
        for name, value in (
            ("_file", facts.path),
            ("_district", facts.district),
            ("_month", facts.month),
            ("_kind", facts.kind),
        ):
            columns[name] = pa.DictionaryArray.from_arrays(_zeros(rows), pa.array([value], pa.string()))
        columns["_version"] = pa.repeat(pa.scalar(facts.version, pa.int32()), rows)
        columns["_sheet"] = pa.repeat(pa.scalar(sheet.number, pa.int32()), rows)
        columns["_row"] = pa.array(sheet.row_numbers, pa.int32())
        columns["_extra"] = pack_json(sheet.extra, rows)
        columns["_shape_breach"] = sheet.shape_breach
        return pa.table(columns)


def _headers_of(spools: Iterable[Spool]) -> tuple[tuple[str, ...], ...]:
    return tuple(spool.sheet.header for spool in spools)


def _close(spools: Iterable[Spool]) -> None:
    for spool in spools:
        spool.close()


def _is_workbook(file: str) -> bool:
    return file.lower().endswith(".xlsx")


def _zeros(rows: int) -> pa.Array:
    return pa.array(np.zeros(rows, dtype=np.int32))


def _compare_totals(facts: FileFacts, sheets: Sequence[SheetSum], notices: list[str]) -> FileFacts:
    """Facts with what the file states and what it holds. Raises ``FileRefusedError`` when the two disagree.

    A total may stand for its own sheet or, as in a file whose last sheet sums all, for the whole file.
    """
    sums = [None if sheet.amount is None else to_the_cent(sheet.amount) for sheet in sheets]
    summed = [amount for amount in sums if amount is not None]
    whole = (sum(sheet.rows for sheet in sheets), sum(summed, Decimal(0)) if summed else None)
    facts = replace(facts, found_rows=whole[0], found_sum=whole[1])
    stated = [(sheet, amount, sheet.totals[-1]) for sheet, amount in zip(sheets, sums, strict=True) if sheet.totals]
    for sheet in sheets:
        if len(sheet.totals) > 1:
            notices.append(f"{sheet.place}: has {len(sheet.totals)} totals rows; the last one was compared")
    if not stated:
        return facts
    counts, amounts = [], []
    for sheet, amount, total in stated:
        spans = [whole] if len(stated) == 1 else [(sheet.rows, amount), whole]
        if any(_agrees(total.count, rows) and _agrees(total.amount, found) for rows, found in spans):
            counts.append(total.count)
            amounts.append(total.amount)
            continue
        rows, found = spans[0]
        raise FileRefusedError(
            "control_total",
            f"{facts.path}, {sheet.place}, row {total.row}: the totals row states {_say(total.count, total.amount)}, "
            f"the rows are {_say(rows, found)}; send the missing rows or a right total as the next version.",
        )
    if len(stated) == 1:
        return replace(facts, control_rows=counts[0], control_sum=amounts[0])
    return replace(
        facts,
        control_rows=whole[0] if None not in counts else None,
        control_sum=whole[1] if None not in amounts else None,
    )


def _agrees(stated: int | Decimal | None, found: int | Decimal | None) -> bool:
    return stated is None or found is None or stated == found


def _say(rows: int | None, amount: Decimal | None) -> str:
    said = [f"{rows} rows"] if rows is not None else []
    said += [f"a sum of {amount:.2f}"] if amount is not None else []
    return " and ".join(said) or "nothing"


def _batches(files: Sequence[Listed], size: int) -> Iterator[list[Listed]]:
    """Whole folders together, so that all versions of a partition meet; about ``size`` files at a time."""
    batch: list[Listed] = []
    folder: str | None = None
    for file in files:
        parent = file.path.rpartition("/")[0]
        if parent != folder and len(batch) >= size:
            yield batch
            batch = []
        folder = parent
        batch.append(file)
    if batch:
        yield batch


def _is_month(text: str) -> bool:
    return len(text) == 6 and 1 <= int(text[4:]) <= 12


def _read_digest(start: bytes | None) -> str | None:
    """The digest in a sidecar file: the first word of 64 hexadecimal digits; None when there is none."""
    if start is None:
        return None
    text = start.removeprefix(b"\xef\xbb\xbf").decode("ascii", "replace").replace("\0", "").strip().lower()
    word = text.split()[0].lstrip("\\*") if text else ""
    return word if len(word) == _DIGEST_LENGTH and set(word) <= set("0123456789abcdef") else None


def _refused(facts: FileFacts, code: str, reason: str) -> FileFacts:
    return replace(facts, state="refused", reason_code=code, reason=reason)


def _ignored(facts: FileFacts, code: str, reason: str) -> FileFacts:
    return replace(facts, state="ignored", reason_code=code, reason=reason)


def _waiting(facts: FileFacts, reason: str) -> FileFacts:
    return replace(facts, state="waiting", reason_code="still_growing", reason=reason)
