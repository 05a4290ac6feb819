"""The words of explanations, in English and Chinese: a sentence per reason, a name per comparison and level."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """A reason's code and what it means."""

    code: str
    english: str
    chinese: str


# Why a mention has the link it has. Codes come from claims.py, decisions.py and resolve.py.
_LINKS: dict[str, tuple[str, str]] = {
    "id": (
        "It carries a sound identity number under the name of the number's owner.",
        "身份证号有效，姓名与该号码持有人一致。",
    ),
    "id+same_sound": (
        "It carries a sound identity number; its name sounds like that of the number's owner.",
        "身份证号有效，姓名与号码持有人同音。",
    ),
    "id+one_char": (
        "It carries a sound identity number; its name differs from the owner's by one character.",
        "身份证号有效，姓名与号码持有人差一个字。",
    ),
    "id+unreadable_char": (
        "It carries a sound identity number; its name is the owner's with an unreadable character.",
        "身份证号有效，姓名中有一字无法辨认，其余与号码持有人一致。",
    ),
    "id+same_given": (
        "It carries a sound identity number; its given name is the owner's, the surname is not.",
        "身份证号有效，名与号码持有人相同，姓不同。",
    ),
    "id+surname_syllable": (
        "It carries a sound identity number; surname and one character of the given name are the owner's.",
        "身份证号有效，姓与名中一字和号码持有人相同。",
    ),
    "id+birth": (
        "It carries a sound identity number; one of the two characters of its name differs, but it states the number's"
        " birth date.",
        "身份证号有效，两字姓名差一字，但出生日期与号码相符。",
    ),
    "id+polite_form": (
        "It carries a sound identity number; it names the owner by surname and a polite form.",
        "身份证号有效，只写了持有人的姓和称呼。",
    ),
    "id+no_name": (
        "It carries a sound identity number and no name, and nothing contradicts the owner.",
        "身份证号有效，没有姓名，其他内容与持有人不矛盾。",
    ),
    "disowned:owner_on_record": (
        "The number it carries is not its own: the number's owner stands on the same record or in the same household.",
        "所填号码不是本人的：号码持有人就在同一记录或同一家庭中。",
    ),
    "disowned:kin_of_owner": (
        "The number it carries is not its own: the number's owner has kin of this name.",
        "所填号码不是本人的：号码持有人有同名亲属。",
    ),
    "disowned:birth_and_sex": (
        "The number it carries is not its own: birth date and sex both contradict it.",
        "所填号码不是本人的：出生日期和性别都与号码不符。",
    ),
    "conflict:placeholder": (
        "Its number stands beside many unrelated names: it is a placeholder and says nothing.",
        "该号码对应许多互不相关的姓名，是占位号码，不作依据。",
    ),
    "conflict:two_owners": (
        "Two names have equal claims to its number: nobody can tell whose it is.",
        "两个姓名对该号码的依据相当，无法判断归谁。",
    ),
    "conflict:no_owner": (
        "No record that stands gives its number an owner.",
        "没有有效记录能说明该号码的持有人。",
    ),
    "conflict:no_name": (
        "It has no name, and birth date or sex contradict the owner of its number.",
        "没有姓名，且出生日期或性别与号码持有人不符。",
    ),
    "conflict:name_and_birth": (
        "Name and birth date or sex both contradict the owner of the number it carries.",
        "姓名以及出生日期或性别都与号码持有人不符。",
    ),
    "conflict:name": (
        "Its name contradicts that of the owner of the number it carries.",
        "姓名与号码持有人不符。",
    ),
    "conflict:kin_of_owner": (
        "Its name is like its number's owner's, and is that of a relative with another number: nobody can tell.",
        "姓名与号码持有人相近，却正是其另有号码的亲属的姓名，无法判断是谁。",
    ),
    "conflict:decision": (
        "A person decided that it and another record with its number are two; the number stays with the other.",
        "经人工判定，它与另一条同号码记录不是同一人；号码归另一条。",
    ),
    "evidence of name and circumstances": (
        "Name and circumstances weigh enough together; the waterfall shows how.",
        "姓名与各项情况合计权重达到标准，见瀑布图。",
    ),
    "full name and birth date": (
        "It has a full name and a birth date, so it may stand for a person; records that say the very same are one.",
        "有完整姓名和出生日期，可独立成人；内容完全相同的记录合为一人。",
    ),
    "name and records of one household or account": (
        "Several records of one household or account bear this name, so it may stand for a person.",
        "同一家庭档案或账户的多条记录都是此姓名，可独立成人。",
    ),
    "document": (
        "It carries another identity document; records with that document and name are one person.",
        "持有其他身份证件；同一证件且同名的记录为一人。",
    ),
    "no person is named": ("It names nobody.", "没有写明任何人。"),
    "a withdrawn record founds nobody": (
        "Its record was withdrawn; a withdrawn record founds nobody and joins no one here.",
        "所在记录已撤销；撤销的记录不能独立成人，也未并入他人。",
    ),
    "too little to tell who this is": (
        "It says too little to tell who this is, and no candidate could be taken for certain.",
        "信息太少，无法判断是谁，也没有可以确定的候选人。",
    ),
    "decision of a person": ("A person decided this link.", "由人工判定。"),
}
# Why two mentions are not one person, though asked.
_APART: dict[str, tuple[str, str]] = {
    "two parties of one record": (
        "They are two parties of one record, and one person does not stand there twice.",
        "两者是同一记录中的两方，一人不会出现两次。",
    ),
    "two members of one household in one month": (
        "They are two members of one household in one month's file.",
        "两者是同一家庭同一月份的两名成员。",
    ),
    "the number belongs to another person": (
        "One carries the other's number wrongly: it was judged not to be its own.",
        "一方误填了另一方的号码，已判定不是本人的。",
    ),
    "a person decided that they are two": ("A person decided that they are two.", "经人工判定为两人。"),
    "two different sound identity numbers": (
        "They carry two different sound identity numbers of their own; only a person may join those.",
        "各自持有不同的有效身份证号，只有人工判定才能合并。",
    ),
    "citizens with two different numbers": (
        "The citizens that they belong to have two different sound identity numbers.",
        "两者所属公民的有效身份证号不同。",
    ),
    "birth dates far apart": (
        "Their birth dates, or those of their citizens, are too far apart for a slip or the lunar calendar.",
        "出生日期相差太大，不是笔误或农历所致。",
    ),
    "an act in person after the death": (
        "One, or its citizen, took part in a registration in person after the other's death.",
        "一方（或其所属公民）在另一方死亡之后仍亲自办理过登记。",
    ),
    "two partners are equally likely": (
        "Two partners are equally likely: a tie is never broken, it waits for a person.",
        "有两个可能性相当的对象，不自动选择，等待人工判定。",
    ),
    "twins, and either may be meant": (
        "Two people of one birthday may be twins, and what is left of a name fits either; it waits for a person.",
        "有两人出生日期相同，可能是双胞胎，残缺的姓名对两人都说得通，等待人工判定。",
    ),
    "the evidence does not suffice": (
        "The evidence does not suffice for a link; the pair waits for a person.",
        "证据不足以关联，等待人工判定。",
    ),
    "speaks against": ("The evidence speaks against it.", "证据表明不是同一人。"),
    "name needs support": (
        "The weight would do, but beside a name that agrees so far too little else does: such a name must be borne out"
        " by a thing of the very person, by the very birthday, or by the family.",
        "权重足够，但仅凭这样的姓名相符还不够，需要本人特有的信息、完全相同的生日或家庭信息来支持。",
    ),
    "taken elsewhere": (
        "The weight would do, but a stronger link took one of them to another citizen, whom a constraint keeps apart.",
        "权重足够，但其中一方已由更强的依据归入别的公民，两者受约束不能合并。",
    ),
    "waits for the next run": (
        "A decision of a person about them was reopened or is newer than the last run.",
        "有关的人工判定被重新打开，或晚于上次运行。",
    ),
    "never a candidate": (
        "They were never a candidate pair: they share nothing by which pairs are proposed, or only what many share.",
        "从未成为候选对：没有可据以提出候选的共同信息，或共同信息太常见。",
    ),
    "key too common": (
        "They were never a candidate pair: what they share is shared by too many others to propose pairs.",
        "从未成为候选对：它们共有的信息太常见，不用来提出候选。",
    ),
    "neither founds": (
        "Neither says enough to stand for a person, so neither may be joined to the other.",
        "两者的信息都不足以独立成人，因此不能互相合并。",
    ),
    "unresolved": ("One of them is no citizen: it could not be resolved.", "其中一方未能归属任何公民。"),
}
# Why two mentions are one person.
_TOGETHER: dict[str, tuple[str, str]] = {
    "one number": (
        "Both carry the same sound identity number under names that agree with its owner's.",
        "两者持有同一有效身份证号，姓名都与持有人相符。",
    ),
    "identical": (
        "Both say the very same (name, numbers, birth date, household or account), so they collapse into one.",
        "两者内容完全相同（姓名、号码、出生日期、家庭或账号），合为一条。",
    ),
    "one document": (
        "Both carry the same identity document of another kind, under names that sound alike.",
        "两者持有同一其他身份证件，姓名读音相同。",
    ),
    "one number in conflict": (
        "Both carry the same identity number, whose owner cannot be told, under names that sound alike.",
        "两者填写同一号码（无法确定归谁），姓名读音相同。",
    ),
    "scored": ("They were compared, and the evidence suffices.", "经比较，证据充分。"),
    "through others": (
        "They were not joined directly, but through the records between them; each step is shown.",
        "两者不是直接关联，而是经由中间的记录逐步关联。",
    ),
}
_ALL = _LINKS | _APART | _TOGETHER

COMPARISONS_IN_CHINESE = {
    "name": "姓名", "number": "身份证号", "certificate": "证书号码", "document": "其他证件", "birth": "出生日期",
    "sex": "性别", "phone": "电话", "address": "住址", "account": "银行账号", "household": "家庭", "kin": "亲属",
    "district": "区县",
}  # fmt: skip
LEVELS_IN_CHINESE = {
    "same_rare": "相同（罕见）", "same_uncommon": "相同（少见）", "same_common": "相同（常见）", "same_sound": "同音",
    "char_missing": "缺一字", "one_char": "差一字", "polite_form": "称呼", "same_given": "名同姓异",
    "one_char_of_two": "两字差一", "surname": "仅同姓", "different": "不同", "same": "相同", "one_edit": "差一位",
    "two_edits": "差两位", "first_14": "前14位相同", "near": "近似", "within_lunar_days": "农历误差内",
    "same_year": "同年", "same_kin": "同一亲属", "same_kin_name": "亲属同名", "unknown": "无可比较",
    "same_of_name": "相同（且姓名相同）", "same_kin_of_name": "同一亲属（且姓名相同）",
}  # fmt: skip
FIELDS_IN_CHINESE = {
    "name": "姓名", "id_no": "身份证号", "damaged_id_no": "受损号码", "other_document_no": "其他证件",
    "certificate_id_no": "证书号码", "birth_date": "出生日期", "sex": "性别", "phones": "电话", "address": "住址",
    "hukou_district": "户籍区", "managing_district": "管理区", "bank_account": "银行账号", "household_key": "家庭",
    "said_on": "记录日期",
}  # fmt: skip
AGREEMENTS_IN_CHINESE = {"same": "相同", "partly": "部分相同", "differs": "不同", "one is missing": "一方缺失"}


def sentence(code: str) -> Sentence:
    """The sentence of a reason's code. Raises ``KeyError`` for a code that has none."""
    return Sentence(code, *_ALL[code])


def link_sentences(reason: str) -> list[Sentence]:
    """The sentences of a link's reason, which may join several codes with ``; ``."""
    return [sentence(code) for code in reason.split("; ")]
