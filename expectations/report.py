"""The verdict for people: lines for a terminal, and one HTML page that needs no network."""

from __future__ import annotations

from html import escape
from pathlib import Path

from warehouse.home import Home
from warehouse.verdict import CheckResult, Outcome, Verdict
from warehouse.writing import write_atomically

REPORT_FILE = "report.html"

_STYLE = """
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 2rem auto; max-width: 72rem;
       padding: 0 1rem; color: #1c2127; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { padding: .6rem 1rem; border-radius: .4rem; font-weight: 600; }
.passed { background: #e3f5e8; color: #135a2b; } .refused { background: #fde7e7; color: #8d1616; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .6rem;
       border-bottom: 1px solid #d9dee4; vertical-align: top; }
th { background: #f4f6f8; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font-size: .9em; overflow-wrap: anywhere; } tr.blocks td:first-child { border-left: .25rem solid #c62828; }
tr.told td:first-child { border-left: .25rem solid #e0a100; } summary { cursor: pointer; margin-top: 2rem; }
"""

_WORDS = {
    "critical": "critical 严重",
    "warning": "warning 警告",
    "info": "info 提示",
    Outcome.PASS: "pass 通过",
    Outcome.FAIL: "fail 未通过",
    Outcome.ERROR: "not computed 未能计算",
}


def render_text(verdict: Verdict) -> str:
    """The verdict as lines: a summary, then one per check that did not pass, with its count and some keys."""
    lines = [f"verdict {verdict.summary}"]
    for result in verdict.breaches:
        mark = "✗" if result.blocks else "!"
        what = "not computed" if result.outcome is Outcome.ERROR else _counted(result)
        keys = f"; for example {' | '.join(result.examples)}" if result.examples else ""
        lines.append(f"{mark} {result.severity:<8} {result.check_id}: {what}{keys}")
        lines.append(f"    {result.message}")
    return "\n".join(lines)


def _counted(result: CheckResult) -> str:
    return "fails" if result.observed is None else f"{result.observed:,}"


def write_report(home: Home, verdict: Verdict) -> Path:
    """Write the page into the run's folder and return its file."""
    path = home.run_folder(verdict.run_id) / REPORT_FILE
    write_atomically(path, render_html(verdict))
    return path


def render_html(verdict: Verdict) -> str:
    """The verdict as one self-contained page: what blocks, what is told, then every check."""
    kind, word = (
        ("passed", "Passed 通过") if verdict.passed else ("refused", "Refused: nothing was published 未通过，未发布")
    )
    blocking = [result for result in verdict.breaches if result.blocks]
    told = [result for result in verdict.breaches if not result.blocks]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Verdict {escape(verdict.run_id)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Verdict on run 裁定 <code>{escape(verdict.run_id)}</code></h1>",
        f"<p class='verdict {kind}'>{word}</p><p>{escape(verdict.summary)}</p>",
        f"<p>Fingerprint of the candidate 候选版本指纹 <code>{escape(verdict.fingerprint)}</code></p>",
        "<h2>Blocks publication 阻止发布</h2>",
        _table(blocking, "Nothing blocks. 无"),
        "<h2>Told, not blocking 提示，不阻止发布</h2>",
        _table(told, "Nothing to tell. 无"),
        f"<details><summary>All {len(verdict.results)} checks 全部检查</summary>",
        _table(list(verdict.results), ""),
        "</details></body></html>\n",
    ]
    return "\n".join(parts)


def _table(results: list[CheckResult], nothing: str) -> str:
    if not results:
        return f"<p>{nothing}</p>"
    headings = ("Check 检查", "Severity 级别", "Outcome 结果", "Count 数量", "Example keys 示例键", "Meaning 含义")
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(_row(result) for result in results)}</tbody></table>"


def _row(result: CheckResult) -> str:
    kind = "blocks" if result.blocks else "" if result.outcome is Outcome.PASS else "told"
    observed = "" if result.observed is None else f"{result.observed:,}"
    examples = "<br>".join(f"<code>{escape(example)}</code>" for example in result.examples)
    return (
        f"<tr class='{kind}'><td><code>{escape(result.check_id)}</code></td><td>{_WORDS[result.severity]}</td>"
        f"<td>{_WORDS[result.outcome]}</td><td class='number'>{observed}</td><td>{examples}</td>"
        f"<td>{escape(result.message)}</td></tr>"
    )
