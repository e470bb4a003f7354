"""Distinguished names in the order and spelling of Go's ``pkix.Name.String``.

Go sorts the attributes that it knows (from the end of the printed text: country, organization,
unit, locality, province, street, postal code, common name, serial number), joins equal ones by
``+``, and puts the others last, as a number and the DER of their value. Ours comes from
`transport.tls`, which follows RFC 4514 and the order in the certificate.
"""

import re

_KNOWN = ("C", "O", "OU", "L", "ST", "STREET", "POSTALCODE", "CN", "SERIALNUMBER")
_SPELLED = {"550411": "POSTALCODE"}
_NUMBERS = {"EMAIL": ("1.2.840.113549.1.9.1", 0x16), "DC": ("0.9.2342.19200300.100.1.25", 0x16)}
_UTF8 = 0x0C
_ATTRIBUTE = re.compile(r"([A-Za-z0-9]+)=((?:[^\\,+]|\\.)*)([,+]|$)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def go_name(rfc4514: str) -> str:
    """`rfc4514`, of `transport.tls.Certificate`, as Go prints it."""
    known: dict[str, list[str]] = {}
    others: list[str] = []
    for name, value, _ in reversed(_ATTRIBUTE.findall(rfc4514)):
        spelled = _SPELLED.get(name, name)
        if spelled in _KNOWN:
            known.setdefault(spelled, []).append(f"{spelled}={_guarded(value)}")
        else:
            others.append(_numbered(name, _ESCAPED.sub(r"\1", value)))
    ordered = others + ["+".join(known[name]) for name in _KNOWN if name in known]
    return ",".join(reversed(ordered))


def _guarded(value: str) -> str:
    """Go also escapes a space at either end, and a sharp at the beginning."""
    if value[:1] in (" ", "#"):
        value = "\\" + value
    if value.endswith(" ") and not value.endswith("\\ "):
        value = value[:-1] + "\\ "
    return value


def _numbered(name: str, value: str) -> str:
    number, tag = _NUMBERS.get(name, ("", _UTF8))
    content = value.encode()
    size = len(content)
    length = bytes([size]) if size < 0x80 else bytes([0x82]) + size.to_bytes(2, "big")
    return f"{number or _dotted(bytes.fromhex(name))}=#{(bytes([tag]) + length + content).hex()}"


def _dotted(identifier: bytes) -> str:
    """An object identifier in dots (X.690, 8.19)."""
    numbers, number = [], 0
    for byte in identifier:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = numbers[0] if numbers else 0
    head = [min(first // 40, 2), first - 40 * min(first // 40, 2)]
    return ".".join(map(str, [*head, *numbers[1:]]))
