"""Nobody's number is another's: two sound numbers are two nodes, whatever their form."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from identity.content_id import anchor_id, content_id
from warehouse.duck import connect

NUMBER = st.from_regex(r"[0-9]{17}[0-9X]", fullmatch=True)


@given(numbers=st.lists(NUMBER | st.text(max_size=20), min_size=1, max_size=200, unique=True))
@settings(max_examples=50, deadline=None)
def test_two_numbers_never_share_a_node(numbers: list[str]) -> None:
    numbers = [number.replace("\x00", "") for number in numbers]
    with connect() as connection:
        row = connection.execute(
            "SELECT count(DISTINCT n), count(DISTINCT node), count(node), min(node)"
            f" FROM (SELECT n, {anchor_id('n')} AS node FROM (SELECT unnest(?::VARCHAR[]) AS n))",
            [numbers],
        ).fetchone()
    assert row is not None
    distinct, nodes, told, least = row
    assert (nodes, told) == (distinct, len(numbers))
    assert least >= 0


def test_neighbouring_numbers_and_every_check_digit_are_apart() -> None:
    numbers = [f"5101041949123100{n:01d}{check}" for n in range(10) for check in "0123456789X"]
    with connect() as connection:
        connection.execute("CREATE TABLE numbers AS SELECT unnest(?) AS n", [numbers])
        assert connection.execute(f"SELECT count(DISTINCT {anchor_id('n')}) FROM numbers").fetchone() == (110,)
        # Without a number there is no node; what is no number of this form has a node all the same.
        others = f"SELECT {anchor_id('NULL::VARCHAR')}, {anchor_id(chr(39) + '12345' + chr(39))} = {content_id('$1')}"
        assert connection.execute(others, ["anchor|12345"]).fetchone() == (None, True)
