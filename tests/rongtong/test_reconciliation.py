"""Payments by district and month are the control totals less what is named beside them, in a published run."""

from __future__ import annotations

from typing import Any


def ask(published: Any, rongtong: Any, sql: str) -> Any:
    ended = rongtong(published.home, "sql", sql, "--format", "json")
    assert ended.code == 0, ended.err
    return ended.json


def test_control_totals_are_explained_to_the_fen(published: Any, rongtong: Any) -> None:
    (told,) = ask(
        published,
        rongtong,
        "SELECT count(*) AS cells, sum(abs(difference_rows)) AS rows, sum(abs(difference_yuan)) AS yuan,"
        " sum(control_sum_yuan) AS control, min(least(rows_quarantined, rows_superseded, rows_failed)) >= 0 AS sound,"
        " sum(rows_quarantined) > 0 AND sum(rows_superseded) > 0 AND sum(rows_failed) > 0"
        " AND sum(rows_reported_twice) > 0 AS has_all, sum(counted_yuan) AS counted,"
        " (SELECT sum(amount_yuan) FROM benefit_months) AS published FROM payment_reconciliation",
    )
    assert told["cells"] > 100
    assert (float(told["rows"]), float(told["yuan"])) == (0, 0)
    assert float(told["control"]) > 0
    assert told["sound"] and told["has_all"]
    assert told["counted"] == told["published"]


def test_control_totals_are_those_of_the_deliveries(published: Any, rongtong: Any) -> None:
    apart = ask(
        published,
        rongtong,
        "SELECT managing_district, delivered_month FROM payment_reconciliation INNER JOIN ("
        " SELECT district AS managing_district, strptime(delivered_month || '01', '%Y%m%d')::DATE AS delivered_month,"
        " arg_max(control_sum, (version, received_at, delivery_id)) AS control_sum,"
        " arg_max(rows_read, (version, received_at, delivery_id)) AS rows_read"
        " FROM deliveries WHERE entity = 'payment' AND state = 'accepted' GROUP BY ALL"
        ") AS d USING (managing_district, delivered_month)"
        " WHERE control_sum_yuan IS DISTINCT FROM coalesce(d.control_sum, 0) OR control_rows <> d.rows_read",
    )
    assert apart == []
