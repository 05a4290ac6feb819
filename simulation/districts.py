"""The city's divisions: statutory districts, functional zones, retired area codes, invented addresses."""

from __future__ import annotations

import numpy as np

from simulation.names import Numbers, Text, words

CITY = "510100"
# Code, name, residents in ten thousands (rounded): the weight with which invented families live there.
_STATUTORY = words(
    "510104 锦江区 60 510105 青羊区 60 510106 金牛区 80 510107 武侯区 75 510108 成华区 80 510112 "
    "龙泉驿区 75 510113 青白江区 30 510114 新都区 90 510115 温江区 55 510116 双流区 85 510117 郫都区 "
    "80 510118 新津区 22 510121 金堂县 45 510129 大邑县 28 510131 蒲江县 14 510181 都江堰市 42 510182 "
    "彭州市 45 510183 邛崃市 35 510184 崇州市 43 510185 简阳市 50"
)
_ZONES = words("510109 高新区 70 510171 四川天府新区 60 510173 东部新区 25")
STATUTORY = tuple(_STATUTORY[0::3])
ZONES = tuple(_ZONES[0::3])
MANAGING = STATUTORY + ZONES
NAMES = dict(zip(_STATUTORY[0::3] + _ZONES[0::3], _STATUTORY[1::3] + _ZONES[1::3], strict=True))
# The statutory districts in which a zone's land lies.
ZONE_LANDS = {
    "510109": ("510107", "510116", "510117"),
    "510171": ("510116",),
    "510173": ("510185", "510112"),
}
RETIRED = {
    "510116": ("510122",),
    "510117": ("510124",),
    "510118": ("510132",),
    "510115": ("510123",),
    "510114": ("510125", "519010"),
    "510185": ("512424", "511027", "519011", "511082", "513902", "512081"),
    "510181": ("519003",),
    "510182": ("519012",),
    "510183": ("519013",),
}
RURAL = frozenset(words("510121 510129 510131 510181 510182 510183 510184 510185 510118 510173"))
ELSEWHERE = tuple(
    words(
        "510322 510402 510503 510623 510704 510722 510821 510922 511024 511028 511102 511302 511322 "
        "511402 511502 511521 511602 511702 511725 511802 511902 512021 500101 500112 500233 520102 "
        "520302 530102 610102 610302 420102 420503 430102 430304 410102 410325 370102 320106 330106 "
        "350102 360102 440103 450102 620102 650102 540102 513221 513401"
    )
)
_ROADS = words(
    "春熙路 人民南路 蜀汉路 抚琴西路 建设北路 双桂路 牛市口路 一环路西 二环路北 玉林东路 沙河街 "
    "东光街 石羊街 高升桥路 青羊大道 川师路 红星街 白果林巷 草市街 锦华路 万象街 望江路 清水河路 "
    "静居寺路 文殊巷 铁佛路 蓉都大道 学府路 柳城大道 光华街"
)
_TOWNS = words("青龙 三河 石板 永兴 福田 平乐 云顶 安仁 太平 白鹤 双河 万安 宝林 竹篙 天台")


def weights() -> np.ndarray:
    """Share of the city's families per managing district, in the order of ``MANAGING``."""
    shares = np.array(_STATUTORY[2::3] + _ZONES[2::3], dtype=float)
    return np.asarray(shares / shares.sum())


def hukou_of(rng: np.random.Generator, managing: Numbers) -> Numbers:
    """The statutory district (index) of a household register for each managing district (index)."""
    hukou = managing.copy()
    for zone, lands in ZONE_LANDS.items():
        rows = np.flatnonzero(managing == MANAGING.index(zone))
        hukou[rows] = rng.choice([STATUTORY.index(land) for land in lands], len(rows))
    return hukou


def draw_addresses(rng: np.random.Generator, managing: Numbers) -> Text:
    """One invented address per row: town flats, or a village group in the counties."""
    count = len(managing)
    codes = np.array(MANAGING, dtype=object)
    names = np.array([NAMES[code] for code in MANAGING], dtype=object)[managing]
    rural = np.array([code in RURAL for code in codes])[managing] & (rng.random(count) < 0.6)
    digits = np.array([str(number) for number in range(1000)], dtype=object)
    road = np.array(_ROADS, dtype=object)[rng.integers(0, len(_ROADS), count)]
    flat = (
        road
        + digits[rng.integers(1, 300, count)]
        + "号"
        + digits[rng.integers(1, 12, count)]
        + "栋"
        + digits[rng.integers(1, 5, count)]
        + "单元"
        + digits[rng.integers(101, 999, count)]
        + "号"
    )
    town = np.array(_TOWNS, dtype=object)
    farm = (
        town[rng.integers(0, len(_TOWNS), count)]
        + "镇"
        + town[rng.integers(0, len(_TOWNS), count)]
        + "村"
        + digits[rng.integers(1, 20, count)]
        + "组"
        + digits[rng.integers(1, 120, count)]
        + "号"
    )
    prefix = np.where(rng.random(count) < 0.5, "成都市", "四川省成都市")
    return np.asarray(prefix + names + np.where(rural, farm, flat), dtype=object)
