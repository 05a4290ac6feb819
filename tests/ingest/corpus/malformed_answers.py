"""Malformed answers of an HTTP interface: the first page is as given here, and what must become of the landing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MOMENT = "2025-01-01T00:00:00+08:00"


def item(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A sound record with other members; ``...`` removes one."""
    sound = {
        "certId": f"F01-{number:06d}",
        "status": "valid",
        "deceased": {"name": "赵样例", "idNo": None},
        "greenBurial": False,
        "feeRelief": "1,160.00",
        "updatedAt": MOMENT,
    }
    return {name: value for name, value in (sound | changes).items() if value is not ...}


def page(*items: Any, following: Any = None, **more: Any) -> bytes:
    return json.dumps({"total": 9, "next": following, "items": list(items)} | more, ensure_ascii=False).encode()


@dataclass(frozen=True)
class AnswerCase:
    """``error``: words of the sentence that says why nothing was landed. Else: reason codes of the quarantined rows,
    and how many were accepted. ``repeat``: the same answer to every request, not only to the first.
    """

    claim: str
    body: bytes
    error: str | None = None
    breaches: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    accepted: int = 0
    duplicate: int = 0
    status: int = 200
    repeat: bool = True


NO_PAGE, NO_JSON, WRONG = "with status 200 lacks", "no JSON, or cut ones", "is of the wrong type"
ENVELOPES = [
    AnswerCase("an error envelope with status 200", b'{"code": 500, "message": "busy"}', NO_PAGE),
    AnswerCase("an error envelope with an empty list", b'{"code": 500, "items": []}', NO_PAGE),
    AnswerCase("a page without its cursor", b'{"items": []}', NO_PAGE),
    AnswerCase("a page without its items", b'{"next": null}', NO_PAGE),
    AnswerCase("a web page", b"<html><body>Login</body></html>", NO_JSON),
    AnswerCase("nothing", b"", NO_JSON),
    AnswerCase("a page cut in the middle", page(item())[:-20], NO_JSON),
    AnswerCase("a page with something behind it", page(item()) + b"}", NO_JSON),
    AnswerCase("a page that is no UTF-8", page(item()).decode().encode("gb18030"), NO_JSON),
    AnswerCase("a list instead of a page", b"[]", "no JSON object"),
    AnswerCase("a word instead of a page", b'"ok"', "no JSON object"),
    AnswerCase("null instead of a page", b"null", "no JSON object"),
    AnswerCase("items that are an object", page(items={"1": item()}), WRONG),
    AnswerCase("items that are null", page(items=None), WRONG),
    AnswerCase("items that are a text", page(items="none"), WRONG),
    AnswerCase("a cursor that is a number", page(item(), following=7), WRONG),
    AnswerCase("a cursor that is an object", page(item(), following={"c": 1}), WRONG),
    AnswerCase("a cursor that points to itself", page(item(), following="again"), "does not move on"),
    AnswerCase("a token refused", b"{}", "refuses the token", status=401),
    AnswerCase("a path that is not there", b"{}", "answers with status 404", status=404),
    AnswerCase("a service that fails again and again", b"oops", "answers with status 500", status=500),
    AnswerCase("a cursor that has expired before the first page", b"{}", "expires again and again", status=410),
]
ITEMS = [
    AnswerCase("an item without its identity", page(item(certId=...)), breaches=("missing",)),
    AnswerCase("an item whose identity is null", page(item(certId=None)), breaches=("missing",)),
    AnswerCase("an item without its required object", page(item(deceased=...)), breaches=("missing_part",)),
    AnswerCase("an item whose required object is null", page(item(deceased=None)), breaches=("missing_part",)),
    AnswerCase("an item without a status", page(item(status=...)), breaches=("missing",)),
    AnswerCase("an item of an unknown status", page(item(status="maybe")), breaches=("unknown_code",)),
    AnswerCase("an item changed at no time", page(item(updatedAt="yesterday")), breaches=("unreadable_timestamp",)),
    AnswerCase("an item without a time of change", page(item(updatedAt=None)), breaches=("missing",)),
    AnswerCase(
        "an item changed on the thirtieth of February",
        page(item(updatedAt="2025-02-30T00:00:00Z")),
        breaches=("unreadable_timestamp",),
    ),
    AnswerCase("a fee in words", page(item(feeRelief="免")), notices=("unreadable_number",), accepted=1),
    AnswerCase("a truth that is a word", page(item(greenBurial="perhaps")), notices=("unknown_code",), accepted=1),
    AnswerCase("a sound and a faulty item", page(item(1), item(2, status="?")), breaches=("unknown_code",), accepted=1),
    AnswerCase("the same item twice in a page", page(item(), item()), accepted=1, duplicate=1),
    AnswerCase("an item that is null", page(item(), None), breaches=("missing_part",), accepted=1),
    AnswerCase("an item that is a text", page(item(), "x"), breaches=("missing_part",), accepted=1),
]
CASES = [*ENVELOPES, *ITEMS]
