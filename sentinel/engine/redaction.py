"""What may not be stored is taken out before it is: secrets, sessions, tokens, cards, addresses.

Evidence shows what a target said, and targets say things about people. Replaced by ``***`` with a
word for what it was: the values of headers that carry sessions or keys, tokens in query strings
and in JSON or form fields named so, passwords in URLs, bearer and JSON web tokens, e-mail
addresses, card numbers (13 to 19 digits that pass Luhn's check, ISO/IEC 7812-1), and every
configured secret, also where it appears URL-quoted, JSON- or HTML-escaped or base64-encoded at any
of the three alignments. Redaction errs on the side of taking out.

Probers cut long texts before they come here, and may cut a secret in two. So what is cut ends in
``…`` (``words.shortened``), and what could be the beginning of a secret is taken out before that
mark; of a known secret also at the end of any text of `LONG` characters or more, since other
people's kinds cut as they like.
"""

import base64
import dataclasses
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from msgspec.structs import replace

from sentinel.errors import SecretMissing
from sentinel.kinds import Secrets
from sentinel.monitor.probe import CheckResult, Judged, Sample
from sentinel.words import CUT, Secret

SHORTEST_SECRET = 4
"""A secret of fewer characters would take out half of every page."""

LONG = 64
"""Characters from which on a text may have been cut though it does not say so."""

_SENSITIVE = (
    r"(?:access|refresh|id|auth|api|csrf|xsrf|session|secret|client)?[_-]?"
    r"(?:token|secret|passw(?:or)?d|pwd|apikey|api_key|key|signature|sig|session(?:id)?|sid|code|"
    r"credential|authorization|cvc|cvv|iban)"
)
_HEADER = re.compile(
    r"(?im)^(\s*(?:proxy-)?authorization|\s*cookie|\s*x-[a-z-]*(?:key|token|secret|auth)[a-z-]*)"
    r"(\s*:[ \t]*).*$"
)
_SET_COOKIE = re.compile(r"(?im)^(\s*set-cookie\s*:[ \t]*[^=;\s]*=)[^;\r\n]*")
_QUERY = re.compile(rf"(?i)([?&;]{_SENSITIVE}=)[^&\s\"'<>;]+")
_FORM = re.compile(rf"(?im)((?:^|&){_SENSITIVE}=)[^&\s\"'<>;]+")
_FIELD = re.compile(rf'(?i)("{_SENSITIVE}"\s*:\s*)("(?:[^"\\]|\\.)*+"?|-?[\d.]+)')
_USERINFO = re.compile(
    r"(?i)(\b[a-z][a-z0-9+.-]{1,15}://[^/\s:@\"'<>]{0,128}:)[^/\s@\"'<>]{1,256}@"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*")
_EMAIL = re.compile(r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}\b")
_DIGITS = re.compile(r"(?<!\d)(?<!\d\.)\d(?:[ -]?\d){12,18}(?!\.?\d)")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
"""A digest or a serial number, in which some digits may look like a card's."""
_BEGUN = (
    (
        re.compile(
            r"(?i)(\b[a-z][a-z0-9+.-]{1,15}://[^/\s:@\"'<>\[\]]{0,128}:)"
            rf"(?!\d{{1,5}}(?![^\W_]))[^/?#\s@\"'<>{CUT}]{{1,256}}(?={CUT})"
        ),
        r"\1***",
    ),
    (re.compile(rf"\beyJ[A-Za-z0-9_-]{{5,}}(?:\.[A-Za-z0-9_-]*)?(?={CUT})"), "***token***"),
    (re.compile(rf"\b[A-Za-z0-9._%+-]{{1,64}}@[A-Za-z0-9.-]{{0,255}}(?={CUT})"), "***email***"),
    (re.compile(rf"(?<![\dA-Fa-f])(?<!\d\.)\d(?:[ -]?\d){{7,18}}(?=[ -]?{CUT})"), "***card***"),
)
"""What is taken out whole above, as it looks when the mark of a cut follows its beginning."""
_REFERENCE = re.compile(r"(?:env|file):[^{}\s]+")
_INSIDE = re.compile(r"\{((?:env|file):[^{}\s]+)\}")


class Redactor:
    """Takes out of text what may not be stored; knows this site's secrets by value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: frozenset[str] = frozenset()
        self._secrets: re.Pattern[str] | None = None
        self._starts: dict[str, list[str]] = {}
        """The forms by their first `SHORTEST_SECRET` characters."""
        self._begun: re.Pattern[str] | None = None
        self._longest = 0
        self._told: list[Callable[[], None]] = []
        self.short = lru_cache(maxsize=4096)(self.text)
        """`text`, remembered: for the short values that results keep, which seldom change."""
        self.know(secrets)

    def know(self, secrets: Iterable[str]) -> None:
        """Take these out too from now on. What was once a secret stays one."""
        forms = self._forms.union(*(derived_forms(secret) for secret in secrets))
        if forms != self._forms:
            self._forms = forms
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            self._secrets = re.compile("|".join(map(re.escape, longest_first)))
            self._starts = {}
            for form in longest_first:
                self._starts.setdefault(form[:SHORTEST_SECRET], []).append(form)
            starts = "|".join(map(re.escape, sorted(self._starts)))
            self._begun = re.compile(f"(?=({starts}))")
            self._longest = len(longest_first[0])
            self.short.cache_clear()
            for tell in self._told:
                tell()

    def when_learnt(self, tell: Callable[[], None]) -> None:
        """Call this whenever there is more to take out: what was let pass before may hold it."""
        self._told.append(tell)

    def text(self, text: str) -> str:
        """The text without what may not be stored. Text that holds none comes back as it was."""
        text = self._without_secrets(text)
        text = _HEADER.sub(r"\1\2***", text)
        text = _SET_COOKIE.sub(r"\1***", text)
        text = _QUERY.sub(r"\1***", text)
        text = _FORM.sub(r"\1***", text)
        text = _FIELD.sub(r'\1"***"', text)
        text = _USERINFO.sub(r"\1***@", text)
        text = _BEARER.sub(r"\1 ***", text)
        text = _JWT.sub("***token***", text)
        text = _EMAIL.sub("***email***", text)
        text = _DIGITS.sub(_card, text)
        if CUT in text:
            for begun, instead in _BEGUN:
                text = begun.sub(instead, text)
        return text

    def content(self, content: bytes) -> bytes:
        """Bytes that are no text without the secrets that are known, as they stand or encoded."""
        return self._without_secrets(content.decode("latin-1")).encode("latin-1", "replace")

    def _without_secrets(self, text: str) -> str:
        """Without the secrets that are known, whole ones and those that a cut left the beginning of."""
        if self._secrets is None:
            return text
        text = self._secrets.sub("***", text)
        if len(text) < LONG and CUT not in text:
            return text
        *cut, rest = text.split(CUT)
        pieces = [self._without_begun(each) for each in cut]
        pieces.append(self._without_begun(rest) if len(text) >= LONG else rest)
        return CUT.join(pieces)

    def _without_begun(self, text: str) -> str:
        """Without what may be the beginning of a secret at the end of the text."""
        assert self._begun is not None
        end = len(text.rstrip("\ufffd"))  # what is left of a character cut in two
        for found in self._begun.finditer(text, max(0, end - self._longest), end):
            rest = text[found.start() : end]
            if any(form.startswith(rest) for form in self._starts[found[1]]):
                return f"{text[: found.start()]}***"
        return text

    def known(self, value: Any) -> Any:
        """A JSON-able value without the secrets that are known, in text at any depth."""
        match value:
            case str():
                return self._without_secrets(value)
            case Mapping():
                return {self._without_secrets(str(key)): self.known(value[key]) for key in value}
            case list() | tuple():
                return [self.known(each) for each in value]
            case _:
                return value

    def value(self, value: Any) -> Any:
        """The same as `text` for JSON-able values: text within lists and mappings, and under a key with a
        sensitive name everything."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {
                    self.text(str(key)): "***" if _is_sensitive(str(key)) else self.value(each)
                    for key, each in value.items()
                }
            case list() | tuple():
                return [self.value(each) for each in value]
            case _:
                return value


def clean_result(result: CheckResult, redactor: Redactor) -> CheckResult:
    """The result without what may not be stored: in its text, in the values it keeps, and in the
    names of its measurements, some of which a target gives."""
    short = redactor.short
    text = short(result.text)
    if text != result.text:
        result = replace(result, text=text)
    for sample in result.samples:
        if short(sample.name) != sample.name:
            result = replace(result, samples=_clean_samples(result.samples, redactor))
            break
    for each in result.judged:
        for value in each.actual.values():
            if type(value) is str and short(value) != value:
                return replace(result, judged=_clean_judged(result.judged, redactor))
    return result


def _clean_judged(judged: Iterable[Judged], redactor: Redactor) -> tuple[Judged, ...]:
    return tuple(
        Judged(each.source, each.outcome, each.reason, _clean_values(each.actual, redactor))
        for each in judged
    )


def _clean_values(actual: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    return {
        name: redactor.short(value) if type(value) is str else value
        for name, value in actual.items()
    }


def _clean_samples(samples: Iterable[Sample], redactor: Redactor) -> tuple[Sample, ...]:
    """Under their names without what may not be stored; of two that are alike then, the first."""
    cleaned: dict[str, Sample] = {}
    for each in samples:
        name = redactor.short(each.name)
        cleaned.setdefault(name, Sample(name, each.value, each.unit))
    return tuple(cleaned.values())


def derived_forms(secret: str) -> frozenset[str]:
    """The secret and how it looks in URLs, JSON, HTML and base64, and to who takes its bytes for
    ISO 8859-1; nothing for a very short one."""
    if len(secret.strip()) < SHORTEST_SECRET:
        return frozenset()
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    forms.add(json.dumps(secret)[1:-1])
    forms.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    forms.update((html.escape(secret), html.escape(secret, quote=False)))
    forms.add(secret.encode().decode("latin-1"))
    for encoded in _base64_forms(secret.encode()):
        forms.update((encoded, encoded.replace("+", "-").replace("/", "_")))
    return frozenset(form for form in forms if len(form) >= SHORTEST_SECRET)


def _base64_forms(secret: bytes) -> Iterator[str]:
    """What base64 makes of the secret wherever it stands in a longer text: the characters that
    depend on the secret alone, at each of the three alignments."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
        first = (before * 8 + 5) // 6
        last = (before + len(secret)) * 8 // 6
        if last - first >= SHORTEST_SECRET:
            yield encoded[first:last]


def secret_values(values: Iterable[Any], secrets: Secrets) -> frozenset[str]:
    """The values of all secrets referred to anywhere in these documents, for a `Redactor`. A
    source that is not there has no value to leak, and is told where it is used."""
    found = {reference for value in values for reference in references_in(value)}
    revealed = set()
    for reference in found:
        try:
            revealed.add(secrets.reveal(Secret(reference)).strip())
        except SecretMissing:
            continue
    return frozenset(revealed)


def references_in(value: Any) -> Iterator[str]:
    """Of secrets, and of texts that hold them in braces, as URLs do."""
    if isinstance(value, Secret):
        yield from _REFERENCE.findall(value.template)
    elif isinstance(value, str):
        yield from _INSIDE.findall(value)
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from references_in(getattr(value, each.name, None))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from references_in(each)
    elif isinstance(value, tuple | list | frozenset | set):
        for each in value:
            yield from references_in(each)


def _is_sensitive(key: str) -> bool:
    return re.fullmatch(rf"(?i){_SENSITIVE}|cookie|set-cookie|authorization", key) is not None


def _card(found: re.Match[str]) -> str:
    if _in_digest(found):
        return found.group()
    digits = [int(c) for c in found.group() if c.isdigit()]
    doubled = sum(sum(divmod(digit * 2, 10)) for digit in digits[-2::-2])
    valid = (sum(digits[-1::-2]) + doubled) % 10 == 0 and len(set(digits)) > 1
    return "***card***" if valid else found.group()


def _in_digest(found: re.Match[str]) -> bool:
    """Whether these are digits of a longer hexadecimal number."""
    start, end = found.span()
    around = _HEX.finditer(found.string, max(0, start - 64), end + 64)
    return any(run.start() <= start and end <= run.end() for run in around)
