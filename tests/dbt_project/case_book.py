"""Cases a non-programmer can read, turned into a work file, built with dbt once, and asked what was found.

A case names invented people, what the records say of them, and what must follow. All cases of all books go into one
work file: each has its own people, so they do not touch each other.
"""

from __future__ import annotations

import ast
import calendar
import datetime as dt
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import yaml

PROJECT = Path(__file__).resolve().parents[2]
AS_OF = "2022-12-31"
RUN = "run-2"
SYSTEM = "city"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ACTS = {
    "marriage": ("marriage", "IA"),
    "divorce": ("divorce", "IB"),
    "annulment": ("annulment", "IX"),
    "marriage certificate re-issued": ("certificate_reissue", "ICA"),
    "divorce certificate re-issued": ("certificate_reissue", "ICB"),
}


class PlainWords(yaml.SafeLoader):
    """YAML in which ``on`` and ``no`` are words and dates stay as written, as a reader expects."""


PlainWords.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag != "tag:yaml.org,2002:timestamp" and not (tag == "tag:yaml.org,2002:bool" and first not in "tTfF")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def identity_number(area: int, born: str, sequence: int) -> str:
    """A sound number of a person who does not exist; no place has such an area code."""
    body = f"{area:06d}{born.replace('-', '')}{sequence:03d}"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


def shapes() -> dict[str, dict[str, str]]:
    """The columns of every shape, read from the very declaration that staging follows."""
    text = (PROJECT / "dbt_project" / "macros" / "staged_shapes.sql").read_text(encoding="utf-8")
    match = re.search(r"return\((\{.*\})\)", text, re.DOTALL)
    assert match is not None
    return ast.literal_eval(match.group(1))


def months(text: str) -> list[str]:
    """``2022-03`` or ``2022-03..2022-06`` as first days of months."""
    first, _, last = str(text).partition("..")
    at, end = dt.date.fromisoformat(f"{first}-01"), dt.date.fromisoformat(f"{last or first}-01")
    found = []
    while at <= end:
        found.append(at.isoformat())
        at = (at.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
    return found


def partial_date(text: Any) -> tuple[str | None, str | None]:
    """A date as exact as it was written, and its precision."""
    if text is None:
        return None, None
    written = str(text)
    return written + "0000-01-01"[len(written) :], {10: "day", 7: "month", 4: "year"}[len(written)]


@dataclass
class Case:
    """One case of a book: its claim, and the citizens it is about."""

    book: str
    number: int
    content: dict[str, Any]

    @property
    def claim(self) -> str:
        return str(self.content["case"])

    def citizen(self, who: str | None) -> str | None:
        return None if who is None else f"{self.book}-{self.number}-{who}"

    def who(self, citizen: str | None) -> str | None:
        return None if citizen is None else citizen.removeprefix(f"{self.book}-{self.number}-")

    def household(self, number: str | None, district: str = "510104") -> str | None:
        return None if number is None else f"{district}/{self.book}{self.number}{number}"


def finding_id(case: Case, lead: dict[str, Any]) -> str:
    """The id of the lead of this rule and citizen that was first seen with a period that begins on ``from``."""
    return hashlib.md5(f"{lead['rule']}|{case.citizen(lead['who'])}|{lead['from']}".encode()).hexdigest()


@dataclass
class WorkFile:
    """Writes the records of cases into staging tables of their shapes."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    links: list[dict[str, Any]] = field(default_factory=list)
    citizens: list[dict[str, Any]] = field(default_factory=list)
    redirects: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    areas: dict[str, int] = field(default_factory=dict)
    serial: int = 0

    def add(self, shape: str, **values: Any) -> None:
        self.rows.setdefault(shape, []).append(values)

    def record(self, table: str, **values: Any) -> dict[str, Any]:
        self.serial += 1
        return {
            "source_system": SYSTEM,
            "source_table": table,
            "source_record_id": f"{table}-{self.serial}",
        } | values

    def name_of(self, case: Case, who: str) -> str:
        """The person's name; one that no other case knows unless the case gives one."""
        return str((case.content["people"][who] or {}).get("name", f"测试{case.book}{case.number}{who}"))

    def mention(
        self, case: Case, who: str, record: dict[str, Any], role: str, *, link: str = "certain", **own: Any
    ) -> str:
        """One mention of a person in a record; ``link`` is certain, probable, decision or none."""
        key = "/".join([record["source_system"], record["source_table"], record["source_record_id"], role])
        person = case.content["people"][who] or {}
        self.add(
            "mentions",
            mention_key=key,
            record_key=key.rpartition("/")[0],
            role=role,
            **record,
            **(
                {
                    "is_withdrawn": False,
                    "raw_name": self.name_of(case, who),
                    "name": self.name_of(case, who),
                    "id_no": self.number_of(case, who) if link == "certain" else None,
                    "raw_id_no": self.number_of(case, who) if link == "certain" else None,
                    "id_no_status": "valid" if link == "certain" else "empty",
                    "hukou_district": str(person.get("hukou", "513401")),
                    "said_on": "2022-01-01",
                    "seen_at": "2022-01-02 00:00:00+00",
                    "delivery_id": "delivery-1",
                }
                | own
            ),
        )
        self.links.append(
            {
                "mention_key": key,
                "citizen_id": None if link == "none" else case.citizen(who),
                "link_method": {"certain": "identity_number", "probable": "probabilistic", "none": "unresolved"}.get(
                    link, link
                ),
                "match_weight": 12.0 if link == "probable" else None,
                "is_certain": link in ("certain", "decision"),
                "reason": link,
            }
        )
        return key

    def number_of(self, case: Case, who: str) -> str | None:
        person = case.content["people"][who] or {}
        if "number" in person:
            return person["number"]
        area = self.areas.setdefault(f"{case.book}-{case.number}-{who}", 700001 + len(self.areas))
        return identity_number(area, str(person.get("born", "1950-06-15")), 101 if person.get("sex") == "male" else 102)

    def write_case(self, case: Case) -> None:
        """All records of one case."""
        for who in case.content["people"]:
            self.citizens.append(
                {
                    "citizen_id": case.citizen(who),
                    "identity_confidence": 1.0,
                    "id_no": self.number_of(case, who),
                    "first_run_id": "run-1",
                }
            )
        for kind in ("mentions", "deaths", "acts", "households", "payments", "registrations", "stays", "visits"):
            for fact in case.content.get(kind, []):
                getattr(self, f"write_{kind}")(case, dict(fact))
        for old, new in case.content.get("redirects", {}).items():
            self.redirects.append(
                {
                    "old_citizen_id": case.citizen(old),
                    "citizen_id": case.citizen(new),
                    "reason": "merge",
                    "run_id": RUN,
                    "happened_at": "2022-12-31 00:00:00+00",
                }
            )
        for lead in case.content.get("earlier_leads", []):
            self.write_earlier_lead(case, lead)
        for decision in case.content.get("decisions", []):
            self.write_decision(case, decision)

    def write_mentions(self, case: Case, fact: dict[str, Any]) -> None:
        who, link = fact.pop("of"), fact.pop("link", "certain")
        record = self.record(fact.pop("table", "register"), source_system=fact.pop("system", SYSTEM))
        self.mention(case, who, record, fact.pop("role", "person"), link=link, **fact)

    def write_deaths(self, case: Case, fact: dict[str, Any]) -> None:
        record = self.record("certificates")
        void = bool(fact.get("void", False))
        own = {"hukou_district": str(fact["hukou"])} if "hukou" in fact else {}
        key = self.mention(
            case, fact["of"], record, "deceased", link=fact.get("link", "certain"), is_withdrawn=void, **own
        )
        if "handled_by" in fact:
            handler = self.mention(case, fact["handled_by"], record, "handler", is_withdrawn=void)
            self.add(
                "relations",
                mention_key=key,
                related_mention_key=handler,
                relation=fact["relation"],
                is_withdrawn=void,
                source_system=record["source_system"],
            )
        for event_type, date in (("death", fact.get("on")), ("cremation", fact.get("cremated"))):
            if date is not None or event_type == "death":
                event_date, precision = partial_date(date)
                self.add(
                    "events",
                    mention_key=key,
                    **record,
                    is_withdrawn=void,
                    event_type=event_type,
                    event_date=event_date,
                    date_precision=precision,
                )

    def write_acts(self, case: Case, fact: dict[str, Any]) -> None:
        record = self.record("acts")
        event_type, act_code = ACTS[fact["kind"]]
        on = str(fact["on"])
        keys = {}
        for role in ("man", "woman"):
            keys[role] = self.mention(
                case, fact[role], record, role, link=fact.get(f"{role}_link", fact.get("link", "certain")), said_on=on
            )
            if f"{role}_status" in fact:
                before = dt.date.fromisoformat(on) - dt.timedelta(days=1)
                self.add(
                    "declarations",
                    mention_key=keys[role],
                    attribute="marital_status",
                    value=str(fact[f"{role}_status"]),
                    said_on=before.isoformat(),
                    is_withdrawn=False,
                    **record,
                )
        for role, partner in (("man", "woman"), ("woman", "man")):
            self.add(
                "events",
                mention_key=keys[role],
                partner_mention_key=keys[partner],
                **record,
                is_withdrawn=False,
                event_type=event_type,
                act_code=act_code,
                event_date=on,
                date_precision="day",
                certificate_no=self.certificate(case, fact.get("number")),
                refers_to_no=self.certificate(case, fact.get("refers_to")),
                office_district=str(fact.get("office", "510104")),
            )

    def certificate(self, case: Case, number: str | None) -> str | None:
        return None if number is None else f"{case.book}{case.number}-{number}"

    def write_households(self, case: Case, fact: dict[str, Any]) -> None:
        district = str(fact.get("district", "510104"))
        key = case.household(fact["no"], district)
        for month in months(fact["months"]):
            record = self.record("household")
            head = self.mention(
                case,
                fact["head"],
                record,
                "head",
                link=fact.get("link", "certain"),
                said_on=month,
                household_key=key,
                managing_district=district,
            )
            self.add(
                "household_months",
                household_key=key,
                household_month=month,
                managing_district=district,
                mention_key=head,
                benefit=fact.get("benefit", "dibao_urban"),
                mode=fact.get("mode", "whole_household"),
                insured_count=len(fact["members"]),
                **record,
            )
            for member in fact["members"]:
                who = member if isinstance(member, dict) else {"who": member}
                if "months" in who and month not in months(who["months"]):
                    continue
                row = self.record("member")
                mention = self.mention(
                    case, who["who"], row, "member", link=who.get("link", "certain"), said_on=month, household_key=key
                )
                self.add(
                    "household_members",
                    household_key=key,
                    household_month=month,
                    managing_district=district,
                    mention_key=mention,
                    relation=who.get("relation", "head" if who["who"] == fact["head"] else "other"),
                    is_insured=who.get("insured", True),
                    **row,
                )
                if "marital" in who:
                    self.add(
                        "declarations",
                        mention_key=mention,
                        attribute="marital_status",
                        value=str(who["marital"]),
                        said_on=month,
                        is_withdrawn=False,
                        **row,
                    )

    def write_payments(self, case: Case, fact: dict[str, Any]) -> None:
        covered = months(fact["for"])
        district = str(fact.get("district", "510104"))
        record = self.record("payment")
        key = case.household(fact.get("household"), district)
        mention = self.mention(
            case,
            fact["to"],
            record,
            "payee",
            link=fact.get("link", "certain"),
            household_key=key,
            managing_district=district,
            bank_account=fact.get("account"),
        )
        self.add(
            "payments",
            mention_key=mention,
            household_key=key,
            **record,
            managing_district=district,
            payment_no=f"{case.book}{case.number}-{fact.get('no', record['source_record_id'])}",
            benefit=fact["benefit"],
            period_from=covered[0],
            month_count=len(covered),
            amount_yuan=fact.get("yuan", 100 * len(covered)),
            paid_on=str(fact.get("paid_on", covered[-1])),
            is_failed=bool(fact.get("failed", False)),
            delivered_month=covered[-1],
        )

    def elder(self, case: Case, who: str, fact: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        record = self.record("elder")
        link = fact.get("link", "certain")
        return self.mention(
            case, who, record, "elder", link=link, is_withdrawn=bool(fact.get("withdrawn", False))
        ), record

    def write_registrations(self, case: Case, fact: dict[str, Any]) -> None:
        key, record = self.elder(case, fact["of"], fact)
        self.add(
            "care_registrations",
            mention_key=key,
            managing_district=str(fact.get("district", "510104")),
            is_key_target=bool(fact.get("key_target", True)),
            status=fact.get("status", "active"),
            is_withdrawn=bool(fact.get("withdrawn", False)),
            **record,
        )
        if fact.get("status") == "deceased":
            self.add(
                "declarations",
                mention_key=key,
                attribute="life_status_hint",
                value="deceased",
                is_withdrawn=False,
                **record,
            )

    def write_stays(self, case: Case, fact: dict[str, Any]) -> None:
        key, _ = self.elder(case, fact["of"], {"link": fact.get("link", "certain")})
        left = fact.get("out")
        institution = f"{case.book}{case.number}-{fact.get('institution', 'A')}"
        if institution not in {row["institution_id"] for row in self.rows.get("institutions", [])}:
            self.add("institutions", institution_id=institution, managing_district="510104", source_system=SYSTEM)
        self.add(
            "bed_stays",
            mention_key=key,
            institution_id=institution,
            checked_in_on=str(fact["in"]),
            checked_out_on=None if left is None else str(left),
            checkout_reason=fact.get("reason"),
            subsidy_month_yuan=fact.get("yuan"),
            is_withdrawn=bool(fact.get("withdrawn", False)),
            **self.record("bed_stay"),
        )

    def write_visits(self, case: Case, fact: dict[str, Any]) -> None:
        key, _ = self.elder(case, fact["of"], {"link": fact.get("link", "certain")})
        if "every_week" in fact:
            first, _, last = fact["every_week"].partition("..")
            at, days = dt.date.fromisoformat(first), []
            while at <= dt.date.fromisoformat(last):
                days.append(at)
                at += dt.timedelta(days=7)
            skipped = {str(day) for day in fact.get("except", [])}
            visited = [day.isoformat() for day in days if day.isoformat() not in skipped]
        else:
            visited = [str(fact["on"])]
        for day in visited:
            self.add(
                "care_visits",
                mention_key=key,
                visited_on=day,
                kind=fact.get("kind", "visit"),
                subsidy_yuan=fact.get("yuan"),
                entered_at=f"{fact.get('entered', day)} 12:00:00",
                is_withdrawn=bool(fact.get("withdrawn", False)),
                **self.record("care_visit"),
            )

    def write_earlier_lead(self, case: Case, lead: dict[str, Any]) -> None:
        citizen = case.citizen(lead["who"])
        self.history.append(
            {
                "finding_id": finding_id(case, lead),
                "rule": lead["rule"],
                "severity": "A",
                "citizen_id": citizen,
                "household_key": None,
                "period_from": str(lead["from"]),
                "period_to": str(lead["to"]),
                "amount_yuan": 1,
                "state": lead["state"],
                "state_reason": lead.get("reason"),
                "is_holding": lead["state"] != "closed",
                "decision_number": lead.get("decision_number"),
                "evidence": "[]",
                "first_seen_run": "run-1",
                "last_seen_run": "run-1",
            }
        )

    def write_decision(self, case: Case, decision: dict[str, Any]) -> None:
        """An entry of the ledger on the lead that began ``from``; entries are numbered as they stand."""
        self.decisions.append(
            {
                "decision_number": len(self.decisions) + 1,
                "finding_id": finding_id(case, decision),
                "state": decision["state"],
                "rule": decision["rule"],
                "citizen_id": case.citizen(decision["who"]),
                "period_from": str(decision["from"]),
                "period_to": str(decision["to"]),
            }
        )

    def write(self, path: Path) -> None:
        """The work file, as staging, identity and the last published snapshot leave it."""
        with duckdb.connect(str(path)) as connection:
            for schema in ("staging", "identity", "landing", "history"):
                connection.execute(f"create schema {schema}")
            for shape, columns in shapes().items():
                self.table(connection, f"staging.stg_{SYSTEM}__{shape}", columns, self.rows.get(shape, []))
            self.table(connection, "identity.mention_links", LINKS, self.links)
            self.table(connection, "identity.citizens", CITIZENS, self.citizens)
            self.table(connection, "identity.redirects", REDIRECTS, self.redirects)
            self.table(connection, "landing.deliveries", DELIVERIES, [DELIVERY])
            self.table(connection, "landing.quarantine", QUARANTINE, [])
            self.table(connection, "history.findings", HISTORY, self.history)
            self.table(connection, "history.deliveries", DELIVERIES, [DELIVERY])
            self.table(connection, "history.decisions", DECISIONS, self.decisions)

    def table(
        self, connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str], rows: list[dict[str, Any]]
    ) -> None:
        body = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        connection.execute(f"create table {name} ({body})")
        for row in rows:
            assert set(row) <= set(columns), f"{name}: {set(row) - set(columns)}"
        if rows:
            connection.executemany(
                f"insert into {name} values ({', '.join('?' for _ in columns)})",
                [[row.get(column) for column in columns] for row in rows],
            )


LINKS = {
    "mention_key": "varchar",
    "citizen_id": "varchar",
    "link_method": "varchar",
    "match_weight": "double",
    "is_certain": "boolean",
    "reason": "varchar",
}
CITIZENS = {"citizen_id": "varchar", "identity_confidence": "double", "id_no": "varchar", "first_run_id": "varchar"}
REDIRECTS = {
    "old_citizen_id": "varchar",
    "citizen_id": "varchar",
    "reason": "varchar",
    "run_id": "varchar",
    "happened_at": "timestamptz",
}
DELIVERIES = {
    "delivery_id": "varchar",
    "source_system": "varchar",
    "entity": "varchar",
    "district": "varchar",
    "delivered_month": "varchar",
    "version": "integer",
    "state": "varchar",
    "reason": "varchar",
    "rows_read": "bigint",
    "rows_accepted": "bigint",
    "rows_quarantined": "bigint",
    "rows_superseded": "bigint",
    "rows_duplicate": "bigint",
    "notices_count": "bigint",
    "control_rows": "bigint",
    "control_sum": "decimal(18,2)",
    "content_hash": "varchar",
    "received_at": "timestamptz",
    "load_id": "varchar",
}
DELIVERY = {
    "delivery_id": "delivery-1",
    "source_system": SYSTEM,
    "entity": "payment",
    "district": "510104",
    "delivered_month": "202203",
    "version": 1,
    "state": "accepted",
    "rows_read": 10,
    "rows_accepted": 7,
    "rows_quarantined": 3,
    "rows_superseded": 0,
    "rows_duplicate": 0,
    "notices_count": 0,
    "received_at": "2022-04-01 00:00:00+00",
    "load_id": "load-1",
}
QUARANTINE = {
    "source_system": "varchar",
    "entity": "varchar",
    "delivery_id": "varchar",
    "position": "varchar",
    "reason_code": "varchar",
    "message": "varchar",
    "row_json": "varchar",
    "first_seen_at": "timestamptz",
    "owner": "varchar",
}
HISTORY = {
    "finding_id": "varchar",
    "rule": "varchar",
    "severity": "varchar",
    "citizen_id": "varchar",
    "household_key": "varchar",
    "period_from": "date",
    "period_to": "date",
    "amount_yuan": "decimal(14,2)",
    "state": "varchar",
    "state_reason": "varchar",
    "is_holding": "boolean",
    "decision_number": "bigint",
    "evidence": "json",
    "first_seen_run": "varchar",
    "last_seen_run": "varchar",
}
DECISIONS = {
    "decision_number": "bigint",
    "finding_id": "varchar",
    "state": "varchar",
    "rule": "varchar",
    "citizen_id": "varchar",
    "household_key": "varchar",
    "period_from": "date",
    "period_to": "date",
}


def read_cases(folder: Path) -> list[Case]:
    """The cases of every book in a folder, in reading order."""
    cases: list[Case] = []
    for path in sorted(folder.glob("*.yml")):
        contents = yaml.load(path.read_text(encoding="utf-8"), PlainWords)
        for number, content in enumerate(contents, start=1):
            cases.append(Case(path.stem, number, content))
    return cases


def build(cases: list[Case], folder: Path, *, as_of: str = AS_OF, run_id: str = RUN) -> Path:
    """Write the work file of the cases into ``folder`` and build everything behind staging with dbt, tests included."""
    path = folder / "work.duckdb"
    work = WorkFile()
    for case in cases:
        work.write_case(case)
    work.write(path)
    build_with_dbt(path, folder, as_of=as_of, run_id=run_id)
    return path


BUILT_ROOMS = ("intermediate", "golden", "findings", "handovers")
BEHIND_STAGING = ("resource_type:seed", *(f"path:models/{room}" for room in BUILT_ROOMS))


def build_with_dbt(
    path: Path, folder: Path, *, as_of: str = AS_OF, run_id: str = RUN, select: tuple[str, ...] = BEHIND_STAGING
) -> None:
    """One dbt invocation over what ``select`` names: everything behind staging."""
    project = PROJECT / "dbt_project"
    environment = os.environ | {
        "RONGTONG_WORK_FILE": str(path),
        "RONGTONG_DBT_TARGET": str(folder / "target"),
        "RONGTONG_TEMP_FOLDER": str(folder / "temp"),
        "RONGTONG_HANDOVER_KEY_FOLDER": str(folder),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    arguments = [
        "build",
        "--select",
        *select,
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--log-path",
        str(folder / "logs"),
        "--vars",
        json.dumps({"as_of": as_of, "run_id": run_id}),
        "--indirect-selection",
        "buildable",
        "--quiet",
    ]
    program = "import sys; from dbt.cli.main import cli; cli(sys.argv[1:])"
    outcome = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-2000:]


def last_day(month: str) -> str:
    """``2022-03`` as the last day of the month."""
    year, number = map(int, month.split("-"))
    return f"{month}-{calendar.monthrange(year, number)[1]:02d}"
