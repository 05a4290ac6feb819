"""Leads in the words of a caseworker: rules, states, and which silo says what."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from ingest.registry import contracts
from warehouse.rooms import PUBLISHED, SCHEMA
from warehouse.worklist import State

RULE_WORDS = {
    "benefit_after_death": "死亡后仍领取待遇",
    "dead_member_insured": "已故家庭成员仍计为保障对象",
    "bed_subsidy_after_death": "死亡后仍有床位补贴",
    "care_after_death": "死亡后仍有上门服务",
    "act_after_death": "死亡后仍办理婚姻登记",
    "same_benefit_two_districts": "同一待遇在两个区（市）县重复领取",
    "exclusive_benefits": "同月领取互斥待遇",
    "undeclared_marriage": "单人户低保未申报婚姻",
    "two_open_marriages": "两段婚姻同时存续",
    "underage_allowance": "未满80周岁领取高龄津贴",
    "home_care_in_institution": "入住机构期间仍有补贴的居家服务",
    "bed_in_two_institutions": "同时入住两家机构",
    "weekly_visit_missed": "重点对象整周无探访",
    "allowance_not_claimed": "满80周岁未领取高龄津贴",
    "marital_status_differs": "申报婚姻状况与登记不一致",
    "one_number_two_people": "一个证件号码对应两人",
    "one_person_two_numbers": "一人两个证件号码",
}
STATE_WORDS = {
    State.CANDIDATE: "待核查",
    State.NEEDS_IDENTITY_REVIEW: "须先核实身份",
    State.DISPATCHED: "已派发",
    State.CONFIRMED: "属实",
    State.REJECTED: "不属实",
    State.UNDETERMINED: "无法核实",
    State.HANDLED: "已处理",
    State.CLOSED: "已关闭",
}
SEVERITY_WORDS = {"A": "A 高", "B": "B 中", "C": "C 低"}
BENEFIT_WORDS = {
    "dibao_urban": "城市低保",
    "dibao_rural": "农村低保",
    "tekun": "特困供养",
    "old_age_allowance": "高龄津贴",
    "disability_living": "困难残疾人生活补贴",
    "disability_nursing": "重度残疾人护理补贴",
    "temporary_aid": "临时救助",
    "tekun_funeral": "特困丧葬费",
    "price_subsidy": "价格临时补贴",
}
EVENT_WORDS = {
    "marriage": "结婚登记",
    "divorce": "离婚登记",
    "annulment": "撤销婚姻",
    "certificate_reissue": "补领婚姻证件",
    "death": "死亡",
    "cremation": "火化",
}
MODE_WORDS = {"whole_household": "整户保", "single_person": "单人保"}
# GB/T 2261.2.
MARITAL_WORDS = {
    "10": "未婚", "20": "已婚", "21": "初婚", "22": "再婚", "23": "复婚", "30": "丧偶", "40": "离婚", "90": "未说明",
}  # fmt: skip
# What a record is, where nothing of what it says is published.
RECORD_WORDS = {
    "elder": "养老服务登记", "ability_assessment": "能力评估", "registration": "婚姻登记档案", "cremations": "火化记录",
    "household": "救助家庭档案", "member": "救助家庭成员档案",
    "payment": "发放记录", "care_visit": "上门服务记录", "bed_stay": "入住记录",
}  # fmt: skip
# The years, months and days of a date that is exact to them.
PRECISION_SIGNS = {"day": 10, "month": 7, "year": 4}


@dataclass(frozen=True)
class EvidenceLine:
    """One source record that a lead rests on, and what it says (empty where nothing of it is published)."""

    silo: str
    source_system: str
    source_table: str
    source_record_id: str
    says: str
    first_day: date | None = None

    @property
    def text(self) -> str:
        """The line for a person."""
        said = f"：{self.says}" if self.says else ""
        return f"{self.silo}{said}（{self.record}）"

    @property
    def record(self) -> str:
        """Where the record is found in its silo."""
        return f"{self.source_table} {self.source_record_id}"


def source_words() -> dict[str, str]:
    """Each source's name in Chinese, as its contract's title has it in brackets; else the title."""
    words = {}
    for contract in contracts():
        bracketed = re.search(r"\(([^()]*[\u4e00-\u9fff][^()]*)\)", contract.title)
        words[contract.source] = bracketed.group(1) if bracketed else contract.title
    return words


def describe_evidence(
    connection: duckdb.DuckDBPyConnection, finding_ids: Sequence[str]
) -> dict[str, list[EvidenceLine]]:
    """The evidence of leads of ``open_leads`` in words, from the same published snapshot; by finding id."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE chosen AS SELECT unnest(?::VARCHAR[]) AS finding_id", [finding_ids]
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE records AS
        SELECT finding_id, unnest(from_json(evidence,
            '[{"source_system": "VARCHAR", "source_table": "VARCHAR", "source_record_id": "VARCHAR"}]'),
            max_depth := 2)
        FROM leads SEMI JOIN chosen USING (finding_id)
        """
    )
    facts: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    days: dict[tuple[str, str, str], date | None] = {}
    for system, table, record, kind, word, first, last, precision, yuan in connection.execute(_FACTS).fetchall():
        facts[system, table, record].append(_say(kind, word, first, last, precision, yuan))
        days.setdefault((system, table, record), first)
    lines = defaultdict(list)
    silos = source_words()
    for finding_id, system, table, record in connection.execute("SELECT * FROM records ORDER BY ALL").fetchall():
        key = (system, table, record)
        says = "；".join(facts.get(key, [])) or RECORD_WORDS.get(table, "")
        lines[finding_id].append(EvidenceLine(silos.get(system, system), *key, says, days.get(key)))
    return {finding_id: _in_order(told) for finding_id, told in lines.items()}


def _in_order(lines: list[EvidenceLine]) -> list[EvidenceLine]:
    """By table, those that say least often something first; within a table by day."""
    sizes = Counter((line.source_system, line.source_table) for line in lines)
    return sorted(
        lines,
        key=lambda line: (
            sizes[line.source_system, line.source_table],
            line.source_system,
            line.source_table,
            line.first_day or date.max,
            line.source_record_id,
        ),
    )


def shortened(lines: Sequence[EvidenceLine], limit: int) -> list[str]:
    """About ``limit`` lines of text at most, in which every table of every silo has a say: the first of its records,
    the last one, and how many there are.
    """
    tables: dict[tuple[str, str], list[EvidenceLine]] = defaultdict(list)
    for line in lines:
        tables[line.source_system, line.source_table].append(line)
    text: list[str] = []
    for place, told in enumerate(tables.values()):
        # Tables come with the smallest first, and leave what they do not need to the others.
        room = max((limit - len(text)) // (len(tables) - place), 2)
        if len(told) <= room:
            text += [line.text for line in told]
        else:
            text += [line.text for line in told[: room - 2]]
            text.append(f"{told[-1].text}，{told[0].silo} {told[0].source_table} 共 {len(told)} 条记录，此为最后一条")
    return text


def words_beside_records(lead: dict[str, Any]) -> str | None:
    """What a lead's records cannot say by themselves: that something is missing, or where it stands."""
    first = lead["period_from"]
    return {
        "weekly_visit_missed": f"{period_words(lead)} 各整周均无上门服务记录",
        "allowance_not_claimed": f"{first:%Y-%m} 满80周岁，其后无高龄津贴发放；所列为出生日期、户籍所据记录",
        "marital_status_differs": f"{period_words(lead)} 申报的婚姻状况与登记事件不一致",
    }.get(lead["rule"])


def declared_words(silo: str, value: str, said_on: date | None, records: int) -> str:
    """What somebody declared as marital status to a silo, in Chinese."""
    until = "" if said_on is None else f"，最近 {said_on:%Y-%m}"
    return f"{silo}：申报婚姻状况 {MARITAL_WORDS.get(value, value)}（{records} 条记录{until}）"


_FACTS = f"""
WITH wanted AS (SELECT DISTINCT source_system, source_table, source_record_id FROM records)
SELECT DISTINCT w.source_system, w.source_table, w.source_record_id, 'event' AS kind, event_type AS word,
    event_date AS first_day, event_date AS last_day, date_precision, NULL::DECIMAL(14, 2) AS yuan
FROM wanted AS w INNER JOIN {PUBLISHED}.{SCHEMA}.citizen_events USING (source_system, source_record_id)
WHERE list_contains({list(EVENT_WORDS)}, event_type)
UNION ALL
SELECT w.source_system, w.source_table, w.source_record_id, 'benefit', benefit, min(benefit_month), max(benefit_month),
    'month', sum(amount_yuan)
FROM wanted AS w INNER JOIN {PUBLISHED}.{SCHEMA}.benefit_months USING (source_system, source_record_id)
GROUP BY ALL
UNION ALL
SELECT w.source_system, w.source_table, w.source_record_id, 'stay', institution_id, checked_in_on, checked_out_on,
    'day', subsidy_month_yuan
FROM wanted AS w INNER JOIN {PUBLISHED}.{SCHEMA}.bed_stays USING (source_system, source_record_id)
WHERE w.source_table = 'bed_stay'
UNION ALL
SELECT w.source_system, w.source_table, w.source_record_id, 'visit', kind, visited_on, visited_on, 'day', subsidy_yuan
FROM wanted AS w INNER JOIN {PUBLISHED}.{SCHEMA}.care_visits USING (source_system, source_record_id)
WHERE w.source_table = 'care_visit'
UNION ALL
SELECT w.source_system, w.source_table, w.source_record_id, 'member', is_insured::VARCHAR, household_month,
    household_month, 'month', NULL
FROM wanted AS w INNER JOIN {PUBLISHED}.{SCHEMA}.household_members USING (source_system, source_record_id)
UNION ALL
SELECT w.source_system, w.source_table, w.source_record_id, 'household', concat_ws('/', benefit, mode), household_month,
    household_month, 'month', insured_count
FROM wanted AS w INNER JOIN {PUBLISHED}.{SCHEMA}.households USING (source_system, source_record_id)
WHERE w.source_table = 'household'
ORDER BY ALL
"""


def _say(
    kind: str, word: str, first: date | None, last: date | None, precision: str | None, yuan: Decimal | None
) -> str:
    """One fact of one record in Chinese."""
    start, end = _day(first, precision), _day(last, precision)
    if kind == "event":
        return f"{EVENT_WORDS[word]} {start}"
    if kind == "benefit":
        months = start if start == end else f"{start} 至 {end}"
        return f"{BENEFIT_WORDS.get(word, word)} {months}，{yuan:,.2f} 元"
    if kind == "stay":
        subsidy = f"，每月补贴 {yuan:,.2f} 元" if yuan else ""
        return f"入住机构 {word}，{start} 至 {end or '今'}{subsidy}"
    if kind == "visit":
        subsidy = f"，补贴 {yuan:,.2f} 元" if yuan else ""
        return f"上门服务 {start}{subsidy}"
    if kind == "household":
        benefit, _, mode = word.partition("/")
        insured = "" if yuan is None else f"，保障 {yuan:.0f} 人"
        return f"{start} 家庭 {BENEFIT_WORDS.get(benefit, benefit)} {MODE_WORDS.get(mode, mode)}{insured}"
    assert kind == "member", kind
    return f"{start} 家庭成员，{'计为保障对象' if word == 'true' else '不计为保障对象'}"


def _day(day: date | None, precision: str | None) -> str:
    return "" if day is None else day.isoformat()[: PRECISION_SIGNS.get(precision or "day", 10)]


def period_words(lead: dict[str, Any]) -> str:
    """A lead's period for a person."""
    first, last = lead["period_from"], lead["period_to"]
    return f"{first} 至 {last if last is not None else '今'}"
