"""``rongtong explain``, ``evaluate``, ``resolve``: who is who and why, how right that is, where an old id has gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from identity import evaluate as scores
from identity import explain as reasons
from identity import sample
from identity.explain_page import render_page
from identity.interval import Interval
from identity.mention import MentionsUnusable
from identity.redirects import CitizenUnknown, Resolution, resolve_citizen
from identity.sentences import AGREEMENTS_IN_CHINESE, FIELDS_IN_CHINESE
from rongtong import steps
from rongtong.console import Reporter, complain
from warehouse.access_log import note_access
from warehouse.home import Home
from warehouse.lake import NothingPublished
from warehouse.writing import write_atomically

FAILED, WRONG_USE = 1, 2
BAR_CELLS = 26
DEFAULT_SEED = 1

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def _fail(sentence: str, code: int = FAILED) -> typer.Exit:
    complain(sentence)
    return typer.Exit(code)


def _last_run(home: Home) -> str:
    """The id of the newest run that says who is who."""
    record = steps.last_linked_run(home)
    if record is None:
        raise _fail("no run of this home has linked anything yet; make one: rongtong run.")
    return record.run_id


def resolve(
    citizen: Annotated[str, typer.Argument(metavar="OLD_ID", help="A citizen id, retired or living.")],
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="YYYY-MM-DD", help="As published by runs that speak of that day or earlier."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Today's id of an old citizen id, and every redirect that leads to it."""
    try:
        day = None if as_of is None else steps.parse_day(as_of)
    except ValueError:
        raise _fail(
            f"--as-of {as_of!r} is no day; write it as YYYY-MM-DD, for example 2026-01-20.", WRONG_USE
        ) from None
    try:
        found = resolve_citizen(Home.from_environment(), citizen, day)
    except (CitizenUnknown, NothingPublished) as unknown:
        raise _fail(str(unknown)) from None
    if as_json:
        print(json.dumps(found.as_dict(), ensure_ascii=False, default=str))
        return
    _print_resolution(found)


def _print_resolution(found: Resolution) -> None:
    console = Reporter().console
    for step in found.chain:
        console.print(
            f"[dim]{step.old_citizen_id} → {step.citizen_id}  {step.reason}, run {step.run_id},"
            f" {step.happened_at.astimezone(steps.CITY_TIME):%Y-%m-%d}[/]"
        )
    # The id alone on the last line, for scripts that take it from there.
    print(found.citizen_id)


def explain(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="MENTION|CITIZEN|PAIR",
            help="A mention (source/table/record/role), a citizen id, two of either with a comma between, or the id"
            " of a pair that review shows.",
        ),
    ],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also as a page for a browser.")] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show values. They are of persons; the look is noted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Why mentions are one citizen, why not, and how each piece of evidence weighs. Values are masked."""
    home = Home.from_environment()
    try:
        found = reasons.explain(home.work_file(_last_run(home)), subject, reveal=reveal)
    except reasons.SubjectUnknown as unknown:
        raise _fail(str(unknown), WRONG_USE) from None
    except MentionsUnusable as unusable:
        raise _fail(str(unusable)) from None
    if reveal:
        note_access(home, home.identity, "explain", [record.mention_key for record in found.records])
    if html is not None:
        try:
            write_atomically(html, render_page(found))
        except OSError as refused:
            raise _fail(f"cannot write {html}: {refused.strerror}; name a file that you may write.") from None
    if as_json:
        print(json.dumps(found.as_dict(), ensure_ascii=False, default=str))
        return
    print_explanation(Reporter().console, found)
    if html is not None:
        print(html)


_VERDICTS = {
    reasons.ONE: "[bold green]one citizen 同一公民[/]",
    reasons.TWO: "[bold red]not one citizen 不是同一公民[/]",
    reasons.UNRESOLVED: "[bold yellow]unresolved 未能归属[/]",
}


def print_explanation(console: Console, found: reasons.Explanation) -> None:
    """Say an explanation on a terminal: the verdict, each reason, both records, and the weights as bars."""
    console.print(f"{_VERDICTS[found.verdict]}  {' '.join(found.citizens)}")
    for reason in found.reasons:
        count = f"{reason.mentions:,} mentions 条提及: " if reason.mentions > 1 else ""
        console.print(f"• {count}{reason.sentence.english}", markup=False)
        console.print(f"  {reason.sentence.chinese}", markup=False)
        if reason.about:
            console.print(f"  [dim]{escape(reason.about)}[/]")
    for name, verdict, trouble in found.decisions:
        console.print(
            f"• decision 人工判定 {name}: {verdict}{f' (reopened: {trouble})' if trouble else ''}", markup=False
        )
    console.print(_records_table(found), soft_wrap=False)
    for each in found.beside:
        sides = {
            "both": "beside both 在两者旁",
            "left": "beside the left one 在左旁",
            "right": "beside the right one 在右旁",
        }
        side = sides[each.beside] if len(found.records) == 2 else "beside it 在旁"
        console.print(f"{side}: {each.citizen_id} {each.name} ({', '.join(each.roles)})", markup=False)
    for pair in found.waterfalls:
        console.print(_waterfall(pair), soft_wrap=False)
    if found.waterfalls_left_out:
        console.print(f"[dim]{found.waterfalls_left_out:,} stronger links are not shown[/]")
    for near in found.near:
        console.print(f"not linked 未关联 ({near.match_weight:+.1f} bits): {near.mention_key_l} | {near.mention_key_r}")
        for sentence in near.reasons:
            console.print(f"  {sentence.english} {sentence.chinese}", markup=False)
    if not found.is_revealed:
        console.print("[dim]values of persons are masked: add --reveal (the look is noted)[/]")


def _records_table(found: reasons.Explanation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("field 字段", no_wrap=True)
    for record in found.records:
        table.add_column(escape(record.mention_key), overflow="fold")
    agreements = dict(found.agreements)
    if agreements:
        table.add_column("agreement 比较")
    colours = {"same": "green", "differs": "red", "partly": "yellow"}
    methods = [
        f"{record.link_method}{'' if record.match_weight is None else f', {record.match_weight:.1f} bits'}"
        for record in found.records
    ]
    table.add_row("link 关联", *methods, *([""] if agreements else []))
    for field in dict.fromkeys(name for record in found.records for name in record.values):
        word = agreements.get(field, "")
        said = f"[{colours.get(word, 'dim')}]{word} {AGREEMENTS_IN_CHINESE[word]}[/]" if word else ""
        values = [escape(record.values.get(field, "")) for record in found.records]
        table.add_row(f"{field} {FIELDS_IN_CHINESE[field]}", *values, *([said] if agreements else []))
    return table


def _waterfall(pair: reasons.Waterfall) -> Group:
    """A bar per comparison, each beginning where the one before it ends; the marks are the two thresholds."""
    steps_down = [("proposed 成为候选对", pair.prior)]
    steps_down += [
        (f"{bar.comparison} {bar.comparison_chinese}: {bar.level.replace('_', ' ')}", bar.bits)
        for bar in pair.bars
        if bar.level != "unknown"
    ]
    ends = [0.0]
    for _, bits in steps_down:
        ends.append(ends[-1] + bits)
    low, high = min(*ends, pair.review, pair.needed), max(*ends, pair.review, pair.needed)

    def cell(bits: float) -> int:
        return round((bits - low) / (high - low) * BAR_CELLS)

    def bar(start: float, end: float, colour: str) -> Text:
        first, last = sorted((cell(start), cell(end)))
        text = Text()
        for at in range(BAR_CELLS + 1):
            if first <= at < max(last, first + 1):
                text.append("█", colour)
            else:
                text.append("┆" if at in (cell(pair.review), cell(pair.needed)) else " ", "yellow")
        return text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=40)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for place, (name, bits) in enumerate(steps_down):
        table.add_row(name, f"{bits:+.1f}", bar(ends[place], ends[place + 1], "green" if bits >= 0 else "red"))
    table.add_row("total 合计", f"{pair.total:+.1f}", bar(0.0, pair.total, "blue"))
    return Group(
        Text(f"\n{pair.mention_key_l} | {pair.mention_key_r}", "bold"),
        Text(f"weights in bits 权重; ┆ review 复核 at {pair.review:g}, link 关联 at {pair.needed:g}", "dim"),
        table,
    )


def evaluate(
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="Parquet or CSV: who each mention is (person_id), maybe damage."),
    ] = None,
    draw: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=1, help="Draw N pairs for labelling.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="With --sample: .xlsx or .csv; holds values of persons."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="With --sample: another seed, other pairs.")] = DEFAULT_SEED,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="A labelled sample, read back.")
    ] = None,
    as_json: Json = False,
) -> None:
    """How right the links of the last run are: against a truth, or by labels of a stratified sample."""
    home = Home.from_environment()
    if sum(asked is not None for asked in (truth, draw, labels)) != 1:
        raise _fail("evaluate: give one of --truth FILE, --sample N --out FILE, or --labels FILE.", WRONG_USE)
    try:
        if truth is not None:
            _evaluate_truth(scores.evaluate(home.work_file(_last_run(home)), truth), as_json)
        elif draw is not None:
            if out is None:
                raise _fail("evaluate: --sample needs --out FILE.xlsx or FILE.csv.", WRONG_USE)
            _draw_sample(home, draw, out, seed, as_json)
        elif labels is not None:
            _evaluate_labels(sample.estimate(labels, home), as_json)
    except (scores.TruthUnusable, sample.SampleRefused) as unusable:
        raise _fail(str(unusable)) from None
    except OSError as refused:
        raise _fail(f"evaluate: cannot write {out}: {refused.strerror}; name a file that you may write.") from None


def _evaluate_truth(found: scores.Evaluation, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.as_dict(), ensure_ascii=False))
        return
    console = Reporter().console
    counts = (
        ("mentions of the truth", found.mentions),
        ("… that the last run does not have", found.missing),
        ("… of somebody, left unresolved", found.unresolved),
        ("mentions that the truth does not name", found.unknown),
        ("mentions of nobody given a citizen", found.invented),
        ("persons / citizens", f"{found.persons:,} / {found.citizens:,}"),
        ("citizens with two sound numbers", found.two_numbers),
        ("citizens with mentions of two persons", found.mixed),
        ("… of one birthday and surname, as twins", found.mixed_twins),
        ("… who stand on one record, as spouses", found.mixed_beside),
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    for name, value in counts:
        table.add_row(name, f"{value:,}" if isinstance(value, int) else value)
    console.print(table, soft_wrap=False)
    titles = {scores.WITH_CITIZEN: "Mentions with a citizen", scores.ALL_MENTIONS: "All mentions (unresolved: lost)"}
    for question, groups in found.scores.items():
        console.print(_scores_table(titles[question], groups), soft_wrap=False)
    console.print(
        "[dim]P, R, F1 over pairs of mentions (a pair is of a group when either mention is), then B³: the average over"
        " the group's mentions.[/]",
        soft_wrap=False,
    )


def _scores_table(title: str, groups: tuple[scores.GroupScore, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("group", no_wrap=True)
    for column in ("mentions", "P", "R", "F1", "B³ P", "B³ R", "B³ F1"):
        table.add_column(column, justify="right", no_wrap=True)
    before = groups[0].grouping if groups else ""
    for each in groups:
        if each.grouping != before:
            table.add_section()
            before = each.grouping
        name = "everything" if each.grouping == "all" else f"{each.grouping} {each.group}"
        measures = [f"{value:.4f}" for m in (each.pairwise, each.b_cubed) for value in (m.precision, m.recall, m.f1)]
        table.add_row(escape(name), f"{each.mentions:,}", *measures)
    return table


def _draw_sample(home: Home, size: int, out: Path, seed: int, as_json: bool) -> None:
    run_id = _last_run(home)
    strata = sample.draw_sample(home.work_file(run_id), home, run_id, size, out, seed)
    note_access(home, home.identity, "evaluate sample", [f"run {run_id}, {size} pairs, seed {seed}"])
    if as_json:
        said = {name: {"pairs": pairs, "drawn": drawn} for name, (pairs, drawn) in strata.items()}
        print(json.dumps({"file": str(out), "strata": said}, ensure_ascii=False))
        return
    table = _strata_table("drawn")
    for name, (pairs, drawn) in strata.items():
        table.add_row(name, f"{pairs:,}", f"{drawn:,}")
    console = Reporter().console
    console.print(table, soft_wrap=False)
    console.print(f"{out}: write link, non-link or undecided per pair, then rongtong evaluate --labels FILE")


def _strata_table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("stratum", no_wrap=True)
    for column in ("pairs", *columns):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _evaluate_labels(found: sample.Estimate, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.as_dict(), ensure_ascii=False))
        return
    table = _strata_table("labelled", "link")
    for side, strata in ((sample.LINKED, found.linked), (sample.NEAR, found.near)):
        for each in strata:
            table.add_row(f"{side}: {each.name}", f"{each.size:,}", f"{each.labelled:,}", f"{each.positive:,}")
    console = Reporter().console
    console.print(table, soft_wrap=False)
    console.print(f"precision of linked pairs 准确率  {_interval(found.precision)}")
    console.print(f"recall among proposed pairs 召回率  {_interval(found.recall)}")
    console.print(
        f"[dim]run {found.run_id}: {found.labelled:,} labelled, {found.undecided:,} undecided, "
        f"{found.unlabelled:,} without a label; 95 % limits, stratified Wilson (MOVER)[/]"
    )


def _interval(found: Interval) -> str:
    return f"{found.estimate:.4f}  ({found.low:.4f} to {found.high:.4f})"
