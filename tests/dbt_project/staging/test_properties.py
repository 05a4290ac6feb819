"""What must hold for every text, not only for the cases somebody thought of."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# One example is a batch of forms: standardising a hundred costs as much as standardising one.
BATCHES = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

born_in_the_19_hundreds = st.dates(date(1900, 1, 1), date(1999, 12, 31))
areas = st.integers(110000, 659999).map(str)
sequences = st.integers(1, 999).map(lambda number: f"{number:03d}")


def closed(seventeen: str) -> str:
    """The number of 18 characters whose first 17 are given."""
    total = sum(int(digit) * weight for digit, weight in zip(seventeen, WEIGHTS, strict=True))
    return seventeen + "10X98765432"[total % 11]


seventeens = st.builds(
    lambda area, born, sequence: f"{area}{born:%Y%m%d}{sequence}", areas, born_in_the_19_hundreds, sequences
)
typed_characters = st.one_of(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E),
    st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5),
    st.sampled_from("　\u00a0\u200b・•．‧∙⋅﹒.·\ue863\ue000\uf9d1①㈠ＡＢ１２ｱﾞé\u0301\r\n\t'"),
)
typed_texts = st.text(typed_characters, max_size=20)


@BATCHES
@given(numbers=st.lists(seventeens.map(closed), min_size=1, max_size=100))
def test_every_number_with_a_right_check_and_a_possible_day_is_sound(standardise: Any, numbers: list[str]) -> None:
    found = standardise([{"id_no": number} for number in numbers])
    assert [mention["id_no"] for mention in found] == numbers


@BATCHES
@given(number=seventeens.map(closed))
def test_every_error_of_one_character_is_noticed(standardise: Any, number: str) -> None:
    wrong = [
        number[:place] + other + number[place + 1 :]
        for place in range(18)
        for other in ("0123456789X" if place == 17 else "0123456789")
        if other != number[place]
    ]
    found = standardise([{"id_no": text} for text in wrong])
    assert [mention["id_no"] for mention in found] == [None] * len(wrong)


@BATCHES
@given(number=seventeens.map(closed))
def test_every_swap_of_two_neighbours_is_noticed(standardise: Any, number: str) -> None:
    swapped = [
        number[:place] + number[place + 1] + number[place] + number[place + 2 :]
        for place in range(17)
        if number[place] != number[place + 1]
    ]
    found = standardise([{"id_no": text} for text in swapped])
    assert [mention["id_no"] for mention in found] == [None] * len(swapped)


@BATCHES
@given(numbers=st.lists(seventeens.map(closed), min_size=1, max_size=100))
def test_the_short_form_of_a_number_is_that_number(standardise: Any, numbers: list[str]) -> None:
    nineteen_hundreds = [number for number in numbers if number[6:8] == "19"]
    found = standardise([{"id_no": number[:6] + number[8:17]} for number in nineteen_hundreds])
    assert [mention["id_no"] for mention in found] == nineteen_hundreds
    assert {mention["id_no_status"] for mention in found} <= {"valid_15"}


@BATCHES
@given(names=st.lists(typed_texts, min_size=1, max_size=100))
def test_a_standardised_name_standardises_to_itself(standardise: Any, names: list[str]) -> None:
    once = [mention["name"] for mention in standardise([{"name": name} for name in names])]
    twice = [mention["name"] for mention in standardise([{"name": name} for name in once])]
    assert twice == once


@BATCHES
@given(texts=st.lists(typed_texts, min_size=1, max_size=100))
def test_addresses_accounts_and_documents_standardise_to_themselves(standardise: Any, texts: list[str]) -> None:
    columns = {"address": "address", "account": "bank_account", "id_no": "damaged_id_no"}
    for field, column in columns.items():
        once = [mention[column] for mention in standardise([{field: text} for text in texts])]
        twice = [mention[column] for mention in standardise([{field: text} for text in once])]
        assert twice == once, field


@BATCHES
@given(phones=st.lists(st.text("0123456789 -/、,+()", max_size=30), min_size=1, max_size=100))
def test_a_list_of_phones_reads_back_as_itself(standardise: Any, phones: list[str]) -> None:
    once = [mention["phones"] for mention in standardise([{"phone": phone} for phone in phones])]
    twice = [m["phones"] for m in standardise([{"phone": "/".join(found) if found else None} for found in once])]
    assert twice == once


@BATCHES
@given(texts=st.lists(typed_texts, min_size=1, max_size=100), order=st.randoms(use_true_random=False))
def test_what_a_text_means_does_not_depend_on_its_neighbours(standardise: Any, texts: list[str], order: Any) -> None:
    shuffled = list(range(len(texts)))
    order.shuffle(shuffled)
    straight = standardise([{"name": text, "phone": text, "birth": text, "id_no": text} for text in texts])
    mixed = standardise([{"name": texts[i], "phone": texts[i], "birth": texts[i], "id_no": texts[i]} for i in shuffled])
    columns = ("name", "phones", "birth_date", "id_no", "id_no_status")
    assert [tuple(mixed[shuffled.index(i)][c] for c in columns) for i in range(len(texts))] == [
        tuple(mention[c] for c in columns) for mention in straight
    ]


def test_every_way_to_write_a_day_gives_that_day(standardise: Any) -> None:
    days = [date(1900, 1, 1) + timedelta(days=401 * step) for step in range(110)]
    ways = (
        "{0:%Y-%m-%d}",
        "{0:%Y%m%d}",
        "{0.year}/{0.month}/{0.day}",
        "{0.year}年{0.month}月{0.day}日",
        "{0.year}.{0.month}.{0.day}",
    )
    forms = [{"birth": way.format(day)} for way in ways for day in days]
    found = standardise(forms)
    assert [mention["birth_date"] for mention in found] == days * len(ways)
    assert {mention["birth_date_precision"] for mention in found} == {"day"}


def test_compatibility_forms_are_those_of_unicode(standardise: Any) -> None:
    # Spaces, dots and signs at the ends of a name have rules of their own: so the character stands between two others.
    dots_and_ends = set("・•.‧∙⋅﹒·●᛫⸱,、;: \u0387\uff65\uff61")
    characters = [
        chr(point)
        for point in (*range(0xA1, 0x2000), *range(0x2100, 0x3400), *range(0xF900, 0x10000), *range(0x2F800, 0x2FA1E))
        if unicodedata.category(chr(point)) in ("Lu", "Ll", "Lo", "Lm", "Nl", "No", "So")
        and not set(unicodedata.normalize("NFKC", chr(point))) & dots_and_ends
        and chr(point) not in dots_and_ends
    ]
    found = standardise([{"name": f"张{character}三"} for character in characters])
    expected = [unicodedata.normalize("NFKC", f"张{character}三").upper() for character in characters]
    wrong = [
        (f"U+{ord(c):04X}", mention["name"], name)
        for c, mention, name in zip(characters, found, expected, strict=True)
        if mention["name"] is None or mention["name"].casefold() != name.casefold()
    ]
    assert wrong == []
