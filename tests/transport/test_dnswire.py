"""DNS messages: what is asked, what is believed, and what any bytes at all can do to the reader."""

import struct

import dns.flags
import dns.message
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.transport.dnsnames import (
    WireError,
    class_number,
    rcode_number,
    read_name,
    type_name,
    type_number,
    wire_name,
)
from sentinel.transport.dnswire import Question, is_answer, parse, query

ASKED = query(Question("shop.example"), id=4711)


def answered(*records, asked=ASKED, section="answer", **header):
    """What dnspython would answer, as bytes."""
    message = dns.message.make_response(dns.message.from_wire(asked))
    for line in records:
        name, ttl, class_, kind, data = line.split(" ", 4)
        getattr(message, section).append(dns.rrset.from_text(name, int(ttl), class_, kind, data))
    for name, value in header.items():
        setattr(message, name, value)
    return message.to_wire()


@pytest.mark.parametrize(
    "question",
    [
        Question("shop.example"),
        Question("shop.example.", type_number("MX"), recursion=False),
        Question(".", type_number("NS"), edns_size=1232),
        Question("version.bind", type_number("TXT"), class_number("CH")),
        Question(r"a\.b.x\032y.example", type_number("TYPE65280"), dnssec=True),
        Question("shop.example", checking_disabled=True),
    ],
)
def test_a_question_is_what_another_reader_understands(question):
    asked = dns.message.from_wire(query(question, id=7))

    (section,) = asked.question
    assert question.name.rstrip(".") == section.name.to_text(omit_final_dot=True).rstrip(".")
    assert (question.type, question.class_, 7) == (section.rdtype, section.rdclass, asked.id)
    assert question.recursion == bool(asked.flags & dns.flags.RD)
    assert question.checking_disabled == bool(asked.flags & dns.flags.CD)
    assert question.dnssec == bool(asked.ednsflags & dns.flags.DO)
    assert (question.edns_size or (512 if question.dnssec else 0)) == asked.payload


def test_a_name_that_is_not_ascii_is_asked_in_its_ascii_form():
    assert b"\x0exn--mnchen-3ya\x07example\x00" == wire_name("münchen.example")


@pytest.mark.parametrize(
    "name", ["", "a..b", "x" * 64, ".".join(["x" * 60] * 5), "\\", "ü" * 60, ".a"]
)
def test_a_name_that_cannot_be_asked_for_is_refused(name):
    with pytest.raises(WireError):
        wire_name(name)


@pytest.mark.parametrize(
    ("number", "text", "expected"),
    [
        (type_number, "https", 65),
        (type_number, "TYPE65", 65),
        (class_number, "ch", 3),
        (rcode_number, "NXDOMAIN", 3),
        (rcode_number, "RCODE3", 3),
    ],
)
def test_numbers_have_names(number, text, expected):
    assert expected == number(text)


@pytest.mark.parametrize("text", ["", "MAIL", "TYPE", "TYPE70000", "TYPE-1", "TYPE٣"])
def test_what_is_no_type_is_refused(text):
    with pytest.raises(WireError, match="no type"):
        type_number(text)


RECORDS = {
    "A": "192.0.2.7",
    "AAAA": "2001:db8::7",
    "NS": "ns1.shop.example.",
    "CNAME": "www.shop.example.",
    "PTR": "shop.example.",
    "DNAME": "other.example.",
    "SOA": "ns1.shop.example. root.shop.example. 2026030101 7200 3600 1209600 300",
    "MX": "10 mail.shop.example.",
    "TXT": r'"v=spf1 -all" "say \"hi\" \\ \200"',
    "SPF": '"v=spf1 -all"',
    "HINFO": '"a b" "c"',
    "RP": "ana.shop.example. txt.shop.example.",
    "AFSDB": "1 afs.shop.example.",
    "SRV": "10 20 5060 sip.shop.example.",
    "NAPTR": '100 10 "U" "SIP+D2U" "!^.*$!sip:a@b!" _sip._udp.shop.example.',
    "KX": "10 kx.shop.example.",
    "DNSKEY": "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+",
    "CDNSKEY": "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0d",
    "NSEC": "next.shop.example. A MX RRSIG NSEC TYPE1234",
    "NSEC3": "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG",
    "NSEC3PARAM": "1 0 0 -",
    "RRSIG": "A 13 2 300 20260401000000 20260301000000 12345 shop.example. bWRzc3dVeXI=",
    "TLSA": "3 1 1 " + "d2abde24" * 8,
    "SMIMEA": "3 1 1 " + "d2abde24" * 8,
    "DHCID": "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
    "OPENPGPKEY": "mQINBFgx",
    "CSYNC": "66 3 A NS AAAA",
    "ZONEMD": "2026030101 1 1 " + "ab" * 48,
    "CAA": '0 issue "ca.example; x=1"',
    "URI": '10 1 "https://shop.example/"',
    "HTTPS": '1 . alpn="h2,h3" port="8443" ipv4hint="192.0.2.7" ipv6hint="2001:db8::7"',
    "SVCB": '16 svc.shop.example. mandatory="alpn" alpn="h2" ech="AAT/////" key667="hi\\""',
    "EUI48": "00-00-5e-00-53-2a",
    "EUI64": "00-00-5e-ef-10-00-00-2a",
    "TYPE65280": r"\# 4 0a000001",
}
UPPER = {
    "DS": "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
    "SSHFP": "1 1 " + "2BB183AF" * 5,
}


@pytest.mark.parametrize("kind", [*RECORDS, *UPPER])
def test_records_are_written_as_in_a_zone_file(kind):
    data = RECORDS.get(kind) or UPPER[kind]
    (record,) = parse(answered(f"shop.example. 300 IN {kind} {data}")).answer

    assert f"shop.example.\t300\tIN\t{kind}\t{data}" == record.text
    by_another = dns.rdata.from_text("IN", kind, record.presentation)
    assert dns.rdata.from_text("IN", kind, data) == by_another


def test_the_strings_of_a_txt_record_are_joined_as_data():
    (record,) = parse(answered('shop.example. 5 IN TXT "v=spf1 " "-all"')).answer

    assert ("v=spf1 -all", '"v=spf1 " "-all"') == (record.data, record.presentation)


def test_every_section_is_read_and_edns_is_apart():
    asked = query(Question("shop.example", edns_size=1232, dnssec=True), id=4711)
    message = dns.message.make_response(dns.message.from_wire(asked), our_payload=4096)
    message.use_edns(0, 0, 4096, options=[dns.edns.EDEOption(6, "bogus")])
    message.set_rcode(dns.rcode.BADVERS)
    message.authority.append(
        dns.rrset.from_text("shop.example.", 5, "IN", "NS", "ns1.shop.example.")
    )
    message.additional.append(dns.rrset.from_text("ns1.shop.example.", 5, "IN", "A", "192.0.2.1"))
    message.flags |= dns.flags.AA | dns.flags.AD | dns.flags.RA | dns.flags.CD | dns.flags.TC

    read = parse(message.to_wire())

    assert ("BADVERS", (), "ns1.shop.example.", "192.0.2.1") == (
        read.rcode_name, read.answer, read.authority[0].data, read.additional[0].data,
    )  # fmt: skip
    assert (0, 4096, ((6, "bogus"),)) == (read.edns.version, read.edns.size, read.edns.errors)
    assert (read.authoritative, read.authenticated, read.recursion_available) == (True, True, True)
    assert (True, True) == (read.checking_disabled, read.truncated)


ANSWER = answered("shop.example. 300 IN A 192.0.2.7")


@pytest.mark.parametrize(
    ("forged", "believed"),
    [
        (ANSWER, True),
        (answered("SHOP.example. 300 IN A 192.0.2.7"), True),
        (ANSWER.replace(b"\x04shop", b"\x04ShOp"), True),
        (ANSWER[:1] + b"\xff" + ANSWER[2:], False),
        (ANSWER.replace(b"\x04shop", b"\x04shoq"), False),
        (ASKED, False),
        (answered(asked=query(Question("shop.example", 28), id=4711)), False),
        (answered(asked=query(Question("shop.example", 1, 3), id=4711)), False),
        (ANSWER[:4] + b"\x00\x00" + ANSWER[6:], False),
        (struct.pack("!HHHHHH", 4711, 0x8005, 0, 0, 0, 0), True),
        (struct.pack("!HHHHHH", 4711, 0x8000, 0, 0, 0, 0), False),
        (struct.pack("!HHHHHH", 4711, 0x8005, 0, 1, 0, 0), False),
        (ANSWER[:4] + b"\x00\x02" + ANSWER[6:], False),
        (struct.pack("!HHHHHH", 4711, 0xA805, 1, 0, 0, 0) + ASKED[12:], False),
        (b"", False),
    ],
)
def test_only_an_answer_to_the_question_is_believed(forged, believed):
    assert believed == is_answer(ASKED, forged)


def test_a_pointer_that_does_not_lead_backwards_is_refused():
    head = struct.pack("!HHHHHH", 1, 0x8000, 1, 0, 0, 0)
    for name in (
        b"\xc0\x0e\x01a\x00",
        b"\xc0\x0c",
        b"\xc0\x0e\xc0\x0c",
        b"\x01a\xc0\x0c",
        b"\xc0\xff",
        b"\xff",
    ):
        with pytest.raises(WireError):
            parse(head + name + b"\0\1\0\1")


def test_a_long_way_of_pointers_is_refused_and_a_short_one_is_followed():
    def chained(count):
        ways = b"".join(struct.pack("!H", 0xC000 | at) for at in range(3, 3 + 2 * count, 2))
        return b"\x01a\x00\xc0\x00" + ways

    assert ("a.", 25) == read_name(chained(10), 23, {})
    with pytest.raises(WireError, match="pointer"):
        read_name(chained(200), 403, {})


def test_a_name_that_grows_through_pointers_is_bounded():
    parts = b"\x3f" + b"x" * 63
    message = parts + parts + b"\0" + parts + parts + b"\xc0\x00"
    with pytest.raises(WireError, match="255"):
        read_name(message, len(parts) * 2 + 1, {})


def test_more_records_than_a_server_would_mean_are_refused():
    with pytest.raises(WireError, match="records"):
        parse(struct.pack("!HHHHHH", 1, 0x8000, 0, 60000, 0, 0) + bytes(660_000))


def test_data_that_is_longer_than_its_form_is_refused():
    wrong = ANSWER[:-6] + b"\x00\x05" + ANSWER[-4:] + b"x"
    with pytest.raises(WireError, match="A record"):
        parse(wrong)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_wire_error(content):
    try:
        parse(content)
    except WireError:
        return


@given(st.integers(0, len(RECORDS) - 1), st.data())
def test_a_damaged_message_is_a_message_or_a_wire_error(index, data):
    kind, shown = list(RECORDS.items())[index]
    whole = bytearray(answered(f"shop.example. 300 IN {kind} {shown}"))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for content in (bytes(whole), bytes(whole[:cut])):
        is_answer(ASKED, content)
        try:
            read = parse(content)
        except WireError:
            continue
        assert all(record.text for record in read.answer)


labels = st.binary(min_size=1, max_size=20)


@given(st.lists(labels, min_size=1, max_size=8))
def test_a_name_read_is_the_name_that_was_written(parts):
    wire = b"".join(bytes((len(part),)) + part for part in parts) + b"\0"
    text, after = read_name(wire, 0, {})

    assert (wire, len(wire)) == (wire_name(text), after)


@given(st.integers(0, 65535))
def test_every_type_has_a_name_that_is_read_back(number):
    assert number == type_number(type_name(number))
