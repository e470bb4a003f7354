"""Gatus' conditions as expressions: ``[BODY].status == UP`` is ``json.status == "UP"``."""

import json
import re
from collections.abc import Mapping, Sequence

from sentinel.library.importing.plain import span_s

_CONDITION = re.compile(r"(?P<left>.+?)\s*(?P<sign>==|!=|<=|>=|<|>)\s*(?P<right>.+)\Z")
_CALL = re.compile(r"(?P<name>len|has|pat|any)\((?P<inner>.*)\)\Z", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]+)\]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?\Z")
_ORDER = frozenset({"<", "<=", ">", ">="})
_RESERVED = frozenset({"in", "true", "false", "null"})
_BODIES = {"http": "body", "websocket": "message"}
"""Kinds with something that Gatus calls `[BODY]`, and what it is called here."""
_TEXTS = frozenset({*_BODIES.values(), "address"})


def expectation(condition: str, kind: str) -> str | None:
    """The expression for a probe of this kind, empty when it needs none; None when there is no
    telling it in ours."""
    match = _CONDITION.match(condition.strip())
    if match is None:
        return None
    left, sign, right = match["left"].strip(), match["sign"], match["right"].strip()
    if left == "[CONNECTED]":
        return "" if (sign, right) in (("==", "true"), ("!=", "false")) else None
    if left == "[RESPONSE_TIME]":
        return _timed("timing.total_s", sign, right, unit_s=1.0)
    if left == "[CERTIFICATE_EXPIRATION]":
        return _timed("certificate.days_left", sign, right, unit_s=86400.0)
    if left == "[STATUS]":
        return _compared("status", sign, right, numeric=True) if kind == "http" else None
    if left == "[IP]":
        return _compared("address", sign, right)
    if left == "[DNS_RCODE]":
        return _compared("rcode", sign, right) if kind == "dns" else None
    if kind == "dns" and left == "[BODY]":
        return _answered(sign, right)
    call = _CALL.match(left)
    if call is not None:
        return _called(call["name"], call["inner"].strip(), sign, right, kind)
    value = _value(left, kind)
    return _compared(value, sign, right) if value is not None else None


def registered_left(compared: str) -> str | None:
    """The expression of kind ``domain`` for what stands after ``[DOMAIN_EXPIRATION]``."""
    match = _CONDITION.match(f"_{compared}")
    return match and _timed("days_left", match["sign"], match["right"].strip(), unit_s=86400.0)


def _timed(name: str, sign: str, right: str, *, unit_s: float) -> str | None:
    """A span compared; a number without a unit is milliseconds."""
    right_s = float(right) / 1000 if _NUMBER.match(right) else span_s(right, -1.0)
    return f"{name} {sign} {right_s / unit_s!r}" if right_s >= 0 else None


def _called(name: str, inner: str, sign: str, right: str, kind: str) -> str | None:
    value = _value(inner, kind)
    if value is None:
        return None
    if name == "len" and _NUMBER.match(right):
        return f"size({value}) {sign} {right}"
    if (
        name == "has"
        and right in ("true", "false")
        and sign in ("==", "!=")
        and value not in _TEXTS
    ):
        wanted = (right == "true") == (sign == "==")
        there = f"has({value})" if not value.endswith("]") else f"{value} != null"
        return there if wanted else f"!{there}" if there.startswith("has") else f"{value} == null"
    return None


def _value(text: str, kind: str) -> str | None:
    """``[BODY]`` and what is below it."""
    if not text.startswith("[BODY]") or kind not in _BODIES:
        return None
    below = text.removeprefix("[BODY]")
    if not below:
        return _BODIES[kind]
    if kind != "http":
        return None  # only there is JSON read
    steps = list(_STEP.finditer(below))
    if "".join(each.group() for each in steps) != below:
        return None
    value = "json"
    for each in steps:
        name, index = each.groups()
        if index is not None:
            value += f"[{index}]"
        else:
            plain = _NAME.match(name) and name not in _RESERVED
            value += f".{name}" if plain else f"[{json.dumps(name, ensure_ascii=False)}]"
    return value


def _compared(value: str, sign: str, right: str, *, numeric: bool = False) -> str | None:
    """The comparison. Gatus compares texts; what looks like a number, true or false is one in JSON."""
    call = _CALL.match(right)
    if call is None:
        if sign in _ORDER and not _NUMBER.match(right):
            return None
        return f"{value} {sign} {_literal(right, value, numeric=numeric)}"
    if sign not in ("==", "!="):
        return None
    no = "!" if sign == "!=" else ""
    if call["name"] == "any":
        there = f"{value} in [{', '.join(_listed(call['inner'], value, numeric=numeric))}]"
        return f"!({there})" if no else there
    if call["name"] == "pat":
        text = value if value in _TEXTS else f"string({value})"
        return f"{no}{text}.matches({json.dumps(_pattern(call['inner']), ensure_ascii=False)})"
    return None


def _listed(inner: str, value: str, *, numeric: bool) -> Sequence[str]:
    return [_literal(each.strip(), value, numeric=numeric) for each in inner.split(",")]


_WORDS: Mapping[str, str] = {"true": "true", "false": "false", "null": "null"}


def _literal(text: str, value: str, *, numeric: bool = False) -> str:
    if numeric or value.startswith("json"):
        if _NUMBER.match(text):
            return text
        if text in _WORDS:
            return _WORDS[text]
    return json.dumps(text.strip("\"'"), ensure_ascii=False)


def _pattern(glob: str) -> str:
    """Gatus' patterns, where only ``*`` means something, as RE2 for the whole text."""
    return "^(?s:" + ".*".join(map(re.escape, glob.split("*"))) + ")$"


def _answered(sign: str, right: str) -> str | None:
    """Of a DNS answer: that it holds this."""
    call = _CALL.match(right)
    if call is not None and call["name"] == "any":
        wanted = [json.dumps(each.strip()) for each in call["inner"].split(",")]
        there = f"answers.exists(a, a in [{', '.join(wanted)}])"
    elif call is not None and call["name"] == "pat":
        there = f"answers.exists(a, a.matches({json.dumps(_pattern(call['inner']))}))"
    else:
        there = f"{json.dumps(right)} in answers"
    return {"==": there, "!=": f"!({there})"}.get(sign)
