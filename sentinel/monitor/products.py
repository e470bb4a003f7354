"""What a product in a feed must be: the attributes of Google Merchant's product data.

Each rule is one stable code; a row has any number of them. The rules are those of Google's
product data specification (support.google.com/merchants, answers 6324405 to 6324507, 7052112),
as far as a row alone can show them: what needs the shop's pages is not looked at here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

REQUIRED = ("id", "title", "description", "link", "image_link", "availability", "price")
AVAILABILITY = frozenset({"in_stock", "out_of_stock", "preorder", "backorder"})
CONDITION = frozenset({"new", "refurbished", "used"})
GTIN_LENGTHS = frozenset({8, 12, 13, 14})
RESTRICTED = ("2", "02", "04", "05", "99", "981", "982", "983", "984")
"""GTIN prefixes for use inside a company and for coupons (answers 7000684, 6286302)."""

MOST = {"id": 50, "title": 150, "link": 2000, "image_link": 2000}
"""Characters of an attribute."""

_CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP "
    "BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
    "GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR "
    "KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
    "MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR "
    "SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS "
    "UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG"
)
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
DECIMALS: Mapping[str, int] = {
    **dict.fromkeys(_CODES.split(), 2),
    **dict.fromkeys(_WHOLE.split(), 0),
    **dict.fromkeys(_THOUSANDTHS.split(), 3),
}
"""ISO 4217's currencies and how many decimals each has."""

_PRICE = re.compile(r"(-?\d{1,12})(?:\.(\d{1,4}))?\s*([A-Z]{3})\Z")
_URL = re.compile(r"(?i:https?)://(?:[^/?#\s@]*@)?[^/?#\s@:]+(?::\d{1,5})?(?:[/?#]\S*)?\Z")
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+\Z")
_PLACEHOLDERS = frozenset({0.01, 9999.0, 9999.99, 99999.0, 99999.99})


@dataclass(frozen=True, slots=True)
class Price:
    """An amount in a currency's main unit, as written: ``15.00 USD``."""

    amount: float
    currency: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What rows are held against. `required` are names that must have text; with `google` all the
    rules of this module hold; `currencies` are the allowed ones (empty: any of ISO 4217)."""

    required: tuple[str, ...] = ()
    currencies: frozenset[str] = frozenset()
    google: bool = False


NOTICES = frozenset({"price_placeholder", "description_long", "sale_window_past"})
"""Codes that are worth knowing and do not make a row invalid."""


@lru_cache(maxsize=4096)  # a shop has far fewer prices than products
def price_of(text: str) -> Price | None:
    """A price as Google wants it, number and ISO 4217 code; None for anything else."""
    found = _PRICE.match(text.strip())
    if found is None:
        return None
    whole, part, currency = found.groups()
    return Price(float(f"{whole}.{part or 0}"), currency, len(part or ""))


def problems(fields: Mapping[str, str], profile: Profile, now: datetime) -> list[str]:
    """The codes of everything that is wrong with a row, in a fixed order."""
    found = [f"missing_{name}" for name in profile.required if not fields.get(name)]
    if profile.google:
        found += [f"{name}_long" for name, most in MOST.items() if len(fields.get(name, "")) > most]
        found += _words(fields)
        found += _links(fields)
        found += _stock(fields, now)
        found += _gtin(fields.get("gtin", ""))
    if profile.google or "price" in fields:
        found += _prices(fields, profile, now)
    return found


def _words(fields: Mapping[str, str]) -> Iterator[str]:
    if len(fields.get("description", "")) > 5000:
        yield "description_long"
    condition = fields.get("condition", "").lower()
    if condition and condition not in CONDITION:
        yield "condition_unknown"


def _links(fields: Mapping[str, str]) -> Iterator[str]:
    for name in ("link", "image_link"):
        url = fields.get(name, "")
        if url and not _URL.match(url):
            yield f"{name}_invalid"
    if not fields.get("image_link", "").isascii():
        yield "image_link_invalid"


def _stock(fields: Mapping[str, str], now: datetime) -> Iterator[str]:
    availability = "_".join(fields.get("availability", "").lower().split())
    if availability and availability not in AVAILABILITY:
        yield "availability_unknown"
    date = fields.get("availability_date", "")
    if availability in ("preorder", "backorder") and not date:
        yield "availability_date_missing"
    if date:
        at = instant_of(date)
        if at is None or at > now + timedelta(days=366):
            yield "availability_date_invalid"
    expires = fields.get("expiration_date", "")
    if expires:
        at = instant_of(expires)
        if at is None:
            yield "expiration_date_invalid"
        elif at < now:
            yield "expired"


def instant_of(text: str) -> datetime | None:
    """An ISO 8601 instant; without a zone it is UTC, without a time midnight; None for no date."""
    try:
        at = datetime.fromisoformat(text.strip())
        return at if at.tzinfo else datetime.fromisoformat(f"{at.isoformat()}+00:00")
    except (ValueError, OverflowError):
        return None


def _prices(fields: Mapping[str, str], profile: Profile, now: datetime) -> Iterator[str]:
    text = fields.get("price", "")
    price = price_of(text)
    if price is None:
        if text:
            yield "price_invalid"
        return
    yield from _amount(price, profile)
    if sale_text := fields.get("sale_price", ""):
        sale = price_of(sale_text)
        if sale is None or sale.currency != price.currency:
            yield "sale_price_invalid"
        elif sale.amount >= price.amount:
            yield "sale_price_not_lower"
        elif sale.amount <= 0:
            yield "sale_price_zero"
    if window := fields.get("sale_price_effective_date", ""):
        yield from _window(window, now)


def _amount(price: Price, profile: Profile) -> Iterator[str]:
    if price.currency not in DECIMALS:
        yield "currency_unknown"
    elif profile.currencies and price.currency not in profile.currencies:
        yield "currency_not_allowed"
    elif price.decimals > DECIMALS[price.currency]:
        yield "price_decimals"
    if price.amount <= 0:
        yield "price_zero"
    elif price.amount in _PLACEHOLDERS:
        yield "price_placeholder"


def _window(window: str, now: datetime) -> Iterator[str]:
    start_text, _, end_text = window.partition("/")
    start, end = instant_of(start_text), instant_of(end_text)
    if start is None or end is None or end <= start:
        yield "sale_window_invalid"
    elif end < now:
        yield "sale_window_past"


def _gtin(text: str) -> Iterator[str]:
    """One code at most. Several values may be given, separated by commas; the first is looked at."""
    digits = text.split(",")[0].replace(" ", "").replace("-", "")
    if not digits:
        return
    if not digits.isdecimal() or not digits.isascii():
        yield "gtin_scientific" if _SCIENTIFIC.match(digits) else "gtin_invalid"
    elif len(digits) not in GTIN_LENGTHS:
        lost = len(digits) in (11, 7) and checks(digits.zfill(len(digits) + 1))
        yield "gtin_zero_lost" if lost else "gtin_length"
    elif not checks(digits):
        yield "gtin_checksum"
    elif digits.lstrip("0") == "" or _restricted(digits):
        yield "gtin_restricted"


def checks(digits: str) -> bool:
    """GS1's check digit: weights 3 and 1 in turn from the right, before the last digit."""
    body = digits[-2::-1]
    total = sum(map(int, body[::2])) * 3 + sum(map(int, body[1::2]))
    return (10 - total % 10) % 10 == int(digits[-1])


def _restricted(digits: str) -> bool:
    """Prefixes are those of 13 digits; 12 and 14 are brought to that length, 8 has none of them."""
    if len(digits) == 8:
        return digits.startswith("2")
    return digits.zfill(14)[1:].startswith(RESTRICTED)
