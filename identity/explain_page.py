"""An explanation as one self-contained HTML page: no script, nothing from the net, readable in light and dark."""

from __future__ import annotations

from html import escape

from identity.explain import ONE, TWO, UNRESOLVED, Beside, Explanation, Near, Reason, Record, Waterfall
from identity.sentences import AGREEMENTS_IN_CHINESE, FIELDS_IN_CHINESE

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2127; --paper: #fff; --soft: #5b6570; --line: #d9dee4; --card: #f4f6f8;
        --for: #1a7f4b; --against: #c13438; --total: #2f5fb3; --mark: #8a6100; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --paper: #14181d; --soft: #9ba6b2; --line: #333b44; --card: #1d232a;
          --for: #4cc38a; --against: #f2777a; --total: #7aa7f0; --mark: #e0b04a; } }
body { font: 15px/1.55 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 2rem auto;
       max-width: 60rem; padding: 0 1rem; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.35rem; margin-bottom: .3rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
code { font-size: .9em; overflow-wrap: anywhere; } .zh, .soft { color: var(--soft); }
.verdict { display: inline-block; padding: .35rem .8rem; border-radius: .4rem; font-weight: 600;
           border: 2px solid currentColor; }
.one { color: var(--for); } .two { color: var(--against); } .unresolved { color: var(--mark); }
li { margin: .45rem 0; } li p { margin: 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem;
        border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th { background: var(--card); } td.field { white-space: nowrap; }
.same { color: var(--for); } .differs { color: var(--against); }
figure { margin: 1rem 0 2rem; overflow-x: auto; } figcaption { margin-bottom: .5rem; }
svg { display: block; min-width: 46rem; width: 100%; height: auto; font: 13px system-ui, "Noto Sans CJK SC",
      "Microsoft YaHei", sans-serif; }
svg text { fill: var(--ink); } svg .soft { fill: var(--soft); } svg .axis { stroke: var(--line); }
svg .for { fill: var(--for); } svg .against { fill: var(--against); } svg .total { fill: var(--total); }
svg .threshold { stroke: var(--mark); stroke-dasharray: 4 3; } svg .mark { fill: var(--mark); }
"""
_VERDICTS = {ONE: ("one", "One citizen 同一公民"), TWO: ("two", "Not one citizen 不是同一公民"),
             UNRESOLVED: ("unresolved", "Unresolved 未能归属")}  # fmt: skip
_COLOURS = {"same": "same", "differs": "differs"}
# Geometry of the drawing, in its own units.
_WIDTH, _ROW, _LABELS, _FIGURES, _TOP = 800, 26, 300, 70, 34


def render_page(found: Explanation) -> str:
    """The page: verdict, reasons, records, who stands beside, waterfalls, what was compared and not linked."""
    kind, words = _VERDICTS[found.verdict]
    citizens = ", ".join(f"<code>{escape(citizen)}</code>" for citizen in found.citizens)
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Who is who: {escape(found.asked)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Who is who, and why 身份关联说明</h1><p class='soft'>{found.kind} <code>{escape(found.asked)}</code></p>",
        f"<p><span class='verdict {kind}'>{words}</span> {citizens}</p>",
        "<h2>Why 原因</h2><ul>",
        *(_reason(reason) for reason in found.reasons),
        *(
            f"<li><p>Decision 人工判定 <code>{escape(name)}</code>: {escape(verdict)}"
            f"{f' (reopened 重新打开: {escape(trouble)})' if trouble else ''}</p></li>"
            for name, verdict, trouble in found.decisions
        ),
        "</ul>",
        _records(found),
        _beside(found.beside, is_pair=len(found.records) == 2),
    ]
    if found.waterfalls:
        parts.append("<h2>How it weighs 证据权重</h2>")
        parts += [draw_waterfall(each) for each in found.waterfalls]
        if found.waterfalls_left_out:
            parts.append(
                f"<p class='soft'>{found.waterfalls_left_out:,} stronger links are not drawn 其余较强关联未画</p>"
            )
    if found.near:
        parts += ["<h2>Compared and not linked 已比较而未关联</h2><ul>", *(_near(each) for each in found.near), "</ul>"]
    if not found.is_revealed:
        parts.append("<p class='soft'>Values of persons are masked 个人信息已遮蔽: --reveal</p>")
    return "\n".join([*parts, "</body></html>\n"])


def _reason(reason: Reason) -> str:
    about = f" <code class='soft'>{escape(reason.about)}</code>" if reason.about else ""
    count = f"<b>{reason.mentions:,} mentions 条提及</b>: " if reason.mentions > 1 else ""
    return (
        f"<li><p>{count}{escape(reason.sentence.english)}{about}</p>"
        f"<p class='zh' lang='zh'>{escape(reason.sentence.chinese)}</p></li>"
    )


def _records(found: Explanation) -> str:
    records, agreements = found.records, dict(found.agreements)
    head = "".join(f"<th><code>{escape(record.mention_key)}</code></th>" for record in records)
    rows = [
        f"<tr><td>citizen 公民</td>{''.join(f'<td>{_citizen(record)}</td>' for record in records)}"
        f"{'<td></td>' if agreements else ''}</tr>"
    ]
    for field in dict.fromkeys(name for record in records for name in record.values):
        cells = "".join(f"<td>{escape(record.values.get(field, ''))}</td>" for record in records)
        word = agreements.get(field, "")
        agreement = (
            f"<td class='{_COLOURS.get(word, 'soft')}'>{word} {AGREEMENTS_IN_CHINESE[word]}</td>"
            if word
            else "<td></td>" * bool(agreements)
        )
        rows.append(f"<tr><td class='field'>{field} {FIELDS_IN_CHINESE[field]}</td>{cells}{agreement}</tr>")
    title = "Records 记录" if len(records) > 1 else "The record 记录"
    return (
        f"<h2>{title}</h2><table><thead><tr><th>field 字段</th>{head}"
        f"{'<th>agreement 比较</th>' if agreements else ''}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _citizen(record: Record) -> str:
    same = f", {record.identical_mentions:,} mentions in one node 条提及合一" if record.identical_mentions > 1 else ""
    weight = "" if record.match_weight is None else f", {record.match_weight:.1f} bits"
    return f"<code>{escape(record.citizen_id or 'unresolved')}</code> ({escape(record.link_method)}{weight}{same})"


def _beside(beside: tuple[Beside, ...], *, is_pair: bool) -> str:
    if not beside:
        return ""
    sides = {"both": "both 两者", "left": "the left one 左", "right": "the right one 右"}
    rows = "".join(
        f"<tr><td><code>{escape(each.citizen_id)}</code></td><td>{escape(each.name)}</td>"
        f"<td>{escape(', '.join(each.roles))}</td>{f'<td>{sides[each.beside]}</td>' if is_pair else ''}</tr>"
        for each in beside
    )
    return (
        "<h2>On the same records and in the same households 同一记录和家庭中的人</h2><table><thead><tr>"
        f"<th>citizen 公民</th><th>name 姓名</th><th>role 角色</th>{'<th>beside 在谁旁边</th>' if is_pair else ''}"
        f"</tr></thead><tbody>{rows}</tbody></table>"
    )


def _near(near: Near) -> str:
    english = " ".join(escape(each.english) for each in near.reasons)
    chinese = "".join(escape(each.chinese) for each in near.reasons)
    return (
        f"<li><p><code>{escape(near.mention_key_l)}</code> | <code>{escape(near.mention_key_r)}</code>, "
        f"{near.match_weight:+.1f} bits: {english}</p><p class='zh' lang='zh'>{chinese}</p></li>"
    )


def draw_waterfall(pair: Waterfall) -> str:
    """One pair's weights as a figure: every bar begins where the one before it ends, the last one is the total."""
    steps = [("start", "proposed as a pair", "起始：成为候选对", pair.prior)]
    steps += [
        (bar.comparison, f"{bar.comparison}: {bar.level.replace('_', ' ')}",
         f"{bar.comparison_chinese}：{bar.level_chinese}", bar.bits)
        for bar in pair.bars if bar.level != "unknown"
    ]  # fmt: skip
    ends = [0.0]
    for *_, bits in steps:
        ends.append(ends[-1] + bits)
    low, high = min(*ends, pair.review, pair.needed) - 0.5, max(*ends, pair.review, pair.needed) + 0.5
    scale = (_WIDTH - _LABELS - _FIGURES) / (high - low)

    def place(bits: float) -> float:
        return round(_LABELS + (bits - low) * scale, 1)

    height = _TOP + _ROW * (len(steps) + 1) + 12
    lines = [f"<line class='axis' x1='{place(0)}' x2='{place(0)}' y1='{_TOP - 6}' y2='{height - 6}'/>"]
    # Where the two thresholds are near each other, their words go to different sides.
    for bits, words, anchor in (
        (pair.review, f"review 复核 {pair.review:g}", "end"),
        (pair.needed, f"link 关联 {pair.needed:g}", "start"),
    ):
        gap = -4 if anchor == "end" else 4
        lines.append(
            f"<line class='threshold' x1='{place(bits)}' x2='{place(bits)}' y1='{_TOP - 10}' y2='{height - 6}'/>"
            f"<text class='mark' x='{place(bits) + gap}' y='{_TOP - 14}' text-anchor='{anchor}'>{words}</text>"
        )
    for row, (_, english, chinese, bits) in enumerate(steps):
        kind = "for" if bits >= 0 else "against"
        lines.append(_bar(row, english, chinese, place(ends[row]), place(ends[row + 1]), bits, kind))
    lines.append(_bar(len(steps), "total", "合计", place(0), place(pair.total), pair.total, "total"))
    silent = [bar for bar in pair.bars if bar.level == "unknown"]
    nothing = ", ".join(f"{bar.comparison} {bar.comparison_chinese}" for bar in silent)
    label = f"match weight {pair.total:+.1f} bits, {pair.needed:g} needed for a link"
    return (
        f"<figure><figcaption><code>{escape(pair.mention_key_l)}</code> | <code>{escape(pair.mention_key_r)}</code><br>"
        f"<span class='soft'>blocking rules 分块规则: {escape(', '.join(pair.rules))}</span></figcaption>"
        f"<svg viewBox='0 0 {_WIDTH} {height}' role='img' aria-label='{label}'>{''.join(lines)}</svg>"
        + (f"<span class='soft'>nothing to compare 无可比较: {nothing}</span>" if silent else "")
        + "</figure>"
    )


def _bar(row: int, english: str, chinese: str, start: float, end: float, bits: float, kind: str) -> str:
    top = _TOP + row * _ROW
    left, width = min(start, end), max(abs(end - start), 1.5)
    return (
        f"<text x='0' y='{top + 16}'>{escape(english)} <tspan class='soft'>{escape(chinese)}</tspan></text>"
        f"<rect class='{kind}' x='{left}' y='{top + 4}' width='{round(width, 1)}' height='{_ROW - 9}' rx='2'/>"
        f"<text x='{_WIDTH}' y='{top + 16}' text-anchor='end'>{bits:+.1f}</text>"
    )
