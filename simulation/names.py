"""Names of invented people: frequencies like China's, so that strangers share names as often as they really do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Text = npt.NDArray[np.object_]
Numbers = npt.NDArray[np.int64]


def words(text: str) -> list[str]:
    """The words of a text: a list that stays readable in the source."""
    return text.split()


# Share of the population in per mille, rounded; the tail is flat.
_SURNAMES = (
    "王 72 李 71 张 67 刘 54 陈 45 杨 31 赵 20 黄 22 周 21 吴 20 徐 15 孙 15 马 13 朱 13 胡 13 林 11 "
    "郭 11 何 12 高 10 罗 10 郑 9 梁 8 谢 8 宋 7 唐 8 许 7 邓 8 韩 7 冯 7 曹 6 彭 7 曾 6 肖 6 田 5 董 5 "
    "潘 5 袁 5 蔡 5 蒋 6 余 6 于 5 杜 5 叶 5 程 5 魏 4 苏 4 吕 4 丁 4 任 4 卢 4 姚 4 沈 4 钟 4 姜 4 "
    "崔 3 谭 4 陆 3 范 3 汪 3 廖 4 石 3 金 3 韦 3 贾 3 夏 3 付 4 方 3 邹 3 熊 3 白 3 孟 2 秦 3 邱 3 "
    "侯 2 江 3 尹 2 薛 2 闫 2 段 2 雷 3 龙 3 黎 2 史 2 陶 2 贺 2 毛 2 郝 2 顾 2 龚 2 邵 2 万 2 覃 2 "
    "武 2 钱 2 戴 2 严 2 莫 2 孔 2 向 2 常 2 汤 2 单 1 解 1 区 1 仇 1 查 1 盖 1 宁 1 甯 1 冉 1 税 1 "
    "欧阳 1 司马 1 上官 1 诸葛 1"
)
# Characters of given names by sex and generation, most frequent first (weights fall like 1/rank^0.7).
_GIVEN = {
    (1, 0): "明国华文德志建玉成福忠林清光生永春云荣世义金贵元兴祥富安仁全新学海培正朝胜昌良友松有才达礼东洪炳少长"
    "庆万廷泽树汉",
    (2, 0): "秀英玉兰桂珍芳淑素琼华清凤莲群碧惠芬珠琴贞香蓉仙菊翠美云春月金翠娥银群容淑先蓉会莲瑞书明国文光",
    (1, 1): "伟建军勇国强平明志华刚林斌辉波涛东小文杰峰海洪德超成健永春俊龙兵祥清泉云贵忠新民川庆学跃全富宏良友彬",
    (2, 1): "丽红英燕梅萍芳敏艳霞玲娟琼静华蓉秀平莉群玉琴慧蕾洁英琳凤兰娜秋云春香美晓雪佳利先珍素碧",
    (1, 2): "宇浩轩子涵杰俊豪宸泽鑫博文昊天睿明旭航佳一翔凯鹏磊诗瑞思嘉铭星辰霖晨梓皓然逸飞洋阳志远承恩喆哲",
    (2, 2): "欣怡梓涵诗雨思佳雅婷雪琪悦瑶馨玥萱依可心语彤晨曦子若汐嘉静颖璐莹梦洁妍丹丽艺芮乐琳媛星一菲昕",
}
# Whole given names that everybody knows; a share of each generation bears one of them.
_FAVOURITES = {
    (1, 0): "建国 国华 志明 文华 德明 玉林 光明 明 国清 成林 福生 永福",
    (2, 0): "秀英 桂英 玉兰 秀兰 桂兰 玉珍 淑华 素芳 淑珍 秀珍 玉芳 桂芳 素华 玉英",
    (1, 1): "伟 勇 军 强 平 建军 刚 建华 斌 波 志强 杰 涛 辉 林 明",
    (2, 1): "丽 燕 敏 芳 静 英 红 梅 艳 霞 萍 玲 玫 娟 丽华 红梅 晓红",
    (1, 2): "浩宇 子轩 宇轩 浩然 俊杰 子涵 博文 宇航 一鸣 杰 鑫 磊 鹏 凯",
    (2, 2): "欣怡 梓涵 诗涵 雨涵 佳怡 雨欣 思怡 可馨 语嫣 婷 雪 悦 瑶 颖",
}
RARE_CHARACTERS = "䶮䜣喆祎璟堃垚犇甡"
_MINORITY_FIRST = words(
    "阿依古丽 吉克阿依 阿木 迪丽热巴 古丽娜尔 买买提 艾力 阿卜杜拉 阿孜古丽 热依汗 吉尔拉火 沙马尔洛"
)
_MINORITY_LAST = words("买买提 艾合买提 吐尔逊 阿不力孜 木乃 吉克 日史 依火 库尔班 玉素甫")
_TIBETAN = words("扎西卓玛 次仁 旺姆 丹增 央金 格桑 尼玛次仁 白玛 洛桑 德吉")
_LATIN_FIRST = {
    1: words("James MICHAEL John Robert David Daniel Thomas Pierre Nguyen Kenji Ivan Ahmed Marco"),
    2: words("Mary ANNA Linda Sarah Emily Sophie Thi Yuki Olga Fatima Maria Claire"),
}
_LATIN_LAST = words("Smith JOHNSON Brown Miller Tanaka Ivanov Dubois Hassan Rossi Garcia O'Neill Van-Minh Lee")


def _weights(count: int, power: float) -> npt.NDArray[np.float64]:
    weights = 1.0 / np.arange(2, count + 2) ** power
    return np.asarray(weights / weights.sum())


def _strings(values: list[str]) -> Text:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _surname_table() -> tuple[Text, npt.NDArray[np.float64]]:
    parts = _SURNAMES.split()
    weights = np.array(parts[1::2], dtype=float)
    return _strings(parts[0::2]), weights / weights.sum()


def draw_surnames(rng: np.random.Generator, count: int) -> Text:
    """Surnames of ``count`` unrelated people."""
    surnames, weights = _surname_table()
    return np.asarray(rng.choice(surnames, count, p=weights), dtype=object)


def generation_of(birth_year: Numbers) -> Numbers:
    """0 for births before 1958, 1 before 1986, 2 later: names go with the times."""
    return np.digitize(birth_year, [1958, 1986]).astype(np.int64)


def draw_given(rng: np.random.Generator, sex: Numbers, birth_year: Numbers) -> Text:
    """Given names by sex (1, 2) and year of birth; about one in 300 holds a rare character."""
    given = np.empty(len(sex), dtype=object)
    generation = generation_of(birth_year)
    for (group_sex, group), letters in _GIVEN.items():
        rows = np.flatnonzero((sex == group_sex) & (generation == group))
        if not len(rows):
            continue
        characters = _strings(list(dict.fromkeys(letters)))
        weights = _weights(len(characters), 0.7)
        first = rng.choice(characters, len(rows), p=weights)
        second = rng.choice(characters, len(rows), p=weights)
        single = rng.random(len(rows)) < (0.16, 0.34, 0.14)[group]
        names = np.where(single, first, first + second)
        favourites = _strings(_FAVOURITES[group_sex, group].split())
        chosen = rng.random(len(rows)) < 0.22
        names = np.where(chosen, rng.choice(favourites, len(rows), p=_weights(len(favourites), 0.8)), names)
        given[rows] = names
    rare = np.flatnonzero(rng.random(len(sex)) < 0.0035)
    if len(rare):
        letter = rng.choice(_strings(list(RARE_CHARACTERS)), len(rare))
        given[rare] = np.where(rng.random(len(rare)) < 0.5, letter, _strings([g[0] for g in given[rare]]) + letter)
    return given


def draw_minority(rng: np.random.Generator, count: int) -> Text:
    """Names of minorities: dotted (U+00B7), now and then Tibetan without a dot."""
    first = rng.choice(_strings(_MINORITY_FIRST), count)
    last = rng.choice(_strings(_MINORITY_LAST), count)
    return np.where(rng.random(count) < 0.7, first + "·" + last, rng.choice(_strings(_TIBETAN), count))


def draw_latin(rng: np.random.Generator, sex: Numbers) -> Text:
    """Names of foreigners as a passport writes them."""
    names = np.empty(len(sex), dtype=object)
    for group_sex, firsts in _LATIN_FIRST.items():
        rows = np.flatnonzero(sex == group_sex)
        first = rng.choice(_strings(firsts), len(rows))
        middle = rng.choice(_strings(["", " A", " MARIE", " Van", " J"]), len(rows), p=[0.6, 0.1, 0.1, 0.1, 0.1])
        names[rows] = first + middle + " " + rng.choice(_strings(_LATIN_LAST), len(rows))
    return names
