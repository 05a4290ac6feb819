"""Toneless readings of names: Han by pypinyin, a surname's own reading where it differs, other scripts kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa

from warehouse.digest import text_digest

# Characters that read differently as a surname.
SURNAME_READINGS = {
    "曾": "zeng", "单": "shan", "解": "xie", "区": "ou", "仇": "qiu", "查": "zha", "盖": "ge", "任": "ren",
    "朴": "piao", "翟": "zhai", "覃": "qin", "尉": "wei", "员": "yun", "繁": "po", "黑": "he", "缪": "miao",
    "乐": "yue", "宁": "ning", "燕": "yan", "华": "hua", "纪": "ji", "应": "ying", "冼": "xian", "折": "she",
    "种": "chong", "秘": "bi", "召": "shao", "钻": "zuan", "訾": "zi", "逄": "pang", "郇": "huan", "牟": "mu",
    "葛": "ge", "万": "wan", "那": "na", "石": "shi", "长": "zhang", "曲": "qu", "卜": "bu", "适": "kuo",
    "哈": "ha", "撒": "sa", "洗": "xian", "晟": "cheng", "车": "che", "柏": "bai", "谌": "chen", "隗": "wei",
    "宓": "mi", "幺": "yao", "祭": "zhai", "过": "guo", "能": "nai", "尹": "yin",
}  # fmt: skip
COMPOUND_SURNAMES = frozenset(
    (
        "欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "长孙",
        "宇文", "令狐", "夏侯", "轩辕", "端木", "百里", "南宫", "司徒", "独孤",
    )
)  # fmt: skip


def read_names(names: list[str]) -> pa.Table:
    """Give every distinct name its sound: columns name, sound, surname_sound, given (characters), surname.

    Readings are joined without spaces and without tones; what is not Han is kept in lower case. A dotted or Latin
    name has its first segment in the place of the surname.
    """
    # Here, because its dictionaries take a quarter of a second that a command without linking need not wait.
    from pypinyin import Style, pinyin

    letters = sorted(set("".join(names)))
    reading = {
        letter: found[0].lower() if (found := pinyin(letter, style=Style.NORMAL, errors="default")[0]) else letter
        for letter in letters
    }
    readings = str.maketrans(reading)
    sounds, surname_sounds, surnames, givens = [], [], [], []
    for name in names:
        if "·" in name or name.isascii():
            width = len(name.replace("·", " ").split(" ", 1)[0])
        else:
            width = 2 if len(name) > 2 and name[:2] in COMPOUND_SURNAMES else 1
        first = SURNAME_READINGS.get(name[0]) or reading[name[0]]
        surname_sound = (first + name[1:width].translate(readings)) if width else ""
        sounds.append(first + name[1:].translate(readings))
        surname_sounds.append(surname_sound)
        surnames.append(name[:width])
        givens.append(name[width:])
    columns = {"name": names, "sound": sounds, "surname_sound": surname_sounds, "surname": surnames, "given": givens}
    return pa.table({column: pa.array(values, pa.string()) for column, values in columns.items()})


def create_sounds(
    connection: duckdb.DuckDBPyConnection, known: str | None = None, meanwhile: Callable[[], None] | None = None
) -> None:
    """Create table ``sounds``: one row per distinct name of ``mentions``; ``sound_number`` and ``surname_number`` are
    digests of both sounds, ``given_number`` of a given name of several characters.

    ``known`` is a relation of the same columns: names that it holds are not read again. ``meanwhile`` is done while the
    names are read, which keeps one processor busy: it may not ask for sounds.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE names_said AS SELECT DISTINCT name FROM mentions WHERE name IS NOT NULL"
    )
    unread = "names_said" if known is None else f"names_said ANTI JOIN {known} USING (name)"
    rows = connection.execute(f"SELECT name FROM {unread} ORDER BY name").fetchall()
    with ThreadPoolExecutor(1) as reader:
        found = reader.submit(read_names, [row[0] for row in rows])
        if meanwhile is not None:
            meanwhile()
        connection.register("sounds_found", found.result())
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE sounds AS
        SELECT *, {text_digest("sound")} AS sound_number, {text_digest("surname_sound")} AS surname_number,
               CASE WHEN length(given) > 1 THEN {text_digest("given")} END AS given_number
        FROM sounds_found
        """
    )
    connection.unregister("sounds_found")
    if known is not None:
        connection.execute(f"INSERT INTO sounds BY NAME SELECT * FROM {known} SEMI JOIN names_said USING (name)")
