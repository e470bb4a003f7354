"""`dns` modules: one question to the target, which is a name server.

Rules are looked at in the original's order: the response code, then the records of the answer,
authority and additional sections. A record is matched as it stands in a zone file, its fields
parted by tabs. An answer that was cut short over UDP is judged as it came, as the original does.
"""

from collections.abc import Sequence

from sentinel.blackbox.address import choose
from sentinel.blackbox.check import Check
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.matching import found, readable
from sentinel.blackbox.module import DnsModule, RecordRules
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.securing import secured
from sentinel.blackbox.tlsfiles import material
from sentinel.blackbox.urls import joined, numbered, split_host_port
from sentinel.transport.dns import Answer, Server, ask, converse
from sentinel.transport.dnsnames import WireError, class_number, rcode_number, type_number
from sentinel.transport.dnswire import ANY, Message, Question, Record
from sentinel.transport.reasons import Reason

_SOA, _IN = 6, 1
_SECTIONS = ("answer", "authority", "additional")


async def probe_dns(check: Check, module: DnsModule) -> str:
    """The target is the server, ``host`` or ``host:port``."""
    gauges = check.gauges
    for phase in ("resolve", "connect", "request"):
        gauges.set("probe_dns_duration_seconds", 0, phase=phase)
    for section in _SECTIONS:
        gauges.set(f"probe_dns_{section}_rrs", 0)
    gauges.set("probe_dns_query_succeeded", 0)
    question = _question(check, module)
    host, written = _place(check, module)
    began = check.transport.now()
    address, reason = await choose(check, host, module.ip)
    if reason:
        return reason
    spent = check.transport.now() - began
    gauges.set("probe_dns_duration_seconds", spent, phase="resolve")
    if module.dns_over_tls and module.transport_protocol != "tcp":
        check.notes.error("Configuration error: Expected transport protocol tcp for DoT")
        return Because.unsupported
    port = numbered(check, written)
    check.notes.info(
        "Making DNS query",
        target=joined(address, str(port)),
        query=module.query_name,
        type=module.query_type or "ANY",
        protocol=module.transport_protocol,
    )
    answer = await _answered(check, module, question, Server(address, port), host)
    for phase in ("connect", "request"):
        gauges.set("probe_dns_duration_seconds", answer.phases.get(phase, 0.0), phase=phase)
    if answer.message is None:
        text = answer.text or answer.reason
        check.notes.error("Error while sending a DNS query", err=text)
        return answer.reason or Because.malformed
    return _judged(check, module, question, answer.message)


def _question(check: Check, module: DnsModule) -> Question:
    try:
        return Question(
            module.query_name or ".",
            type_number(module.query_type) if module.query_type else ANY,
            class_number(module.query_class) if module.query_class else _IN,
            recursion=module.recursion_desired,
        )
    except WireError as wrong:
        check.notes.error("Invalid query", err=wrong)
        raise Ended(Because.unsupported) from wrong


def _place(check: Check, module: DnsModule) -> tuple[str, str]:
    try:
        return split_host_port(check.target)
    except ValueError:  # a host alone
        return check.target, "853" if module.dns_over_tls else "53"


async def _answered(
    check: Check, module: DnsModule, question: Question, server: Server, host: str
) -> Answer:
    try:
        if module.transport_protocol == "udp":
            over_udp = Server(
                server.host,
                server.port,
                source_ip=module.source_ip_address,
                retry_truncated=False,
            )
            return await ask(check.transport, question, over_udp, check.deadline)
        return await _over_tcp(check, module, question, server, host)
    except WireError as wrong:
        check.notes.error("Invalid query", err=wrong)
        raise Ended(Because.unsupported) from wrong


async def _over_tcp(
    check: Check, module: DnsModule, question: Question, server: Server, host: str
) -> Answer:
    """Over TCP, or TLS: connecting counts until one can ask."""
    began = check.transport.now()
    connection = await check.transport.connect(
        server.host, server.port, check.deadline, source_ip=module.source_ip_address
    )
    try:
        lost: str = connection.exchange.reason or ""
        if not lost and module.dns_over_tls:
            tls = material(check, module.tls_config)
            lost = await secured(check, connection, tls, name=host, shown=False)
        connected = check.transport.now()
        phases = {"connect": connected - began}
        if lost:
            return Answer(reason=Reason(lost), text=connection.exchange.text, phases=phases)
        said = await converse(connection, question, check.deadline)
        phases["request"] = check.transport.now() - connected
        return Answer(said.message, said.reason, said.text, phases)
    finally:
        connection.close()


# What came


def _judged(check: Check, module: DnsModule, question: Question, message: Message) -> str:
    gauges, notes = check.gauges, check.notes
    notes.info(
        "Got response",
        rcode=message.rcode_name,
        response="\n".join(record.text for record in message.answer[:100]),
    )
    gauges.set("probe_dns_query_succeeded", 1)
    sections = (message.answer, message.authority, message.additional)
    for name, records in zip(_SECTIONS, sections, strict=True):
        gauges.set(f"probe_dns_{name}_rrs", len(records))
    if question.type == _SOA:
        gauges.set("probe_dns_serial", _serial(message.answer))
    if not _valid_rcode(check, module, message):
        return Because.unexpected_rcode
    rules = (module.answer, module.authority, module.additional)
    for name, records, rule in zip(_SECTIONS, sections, rules, strict=True):
        notes.info(f"Validating {name.capitalize()} RRs")
        if not _valid_records(check, records, rule):
            notes.error(f"{name.capitalize()} RRs validation failed")
            return Because.record_rule
    return ""


def _serial(records: Sequence[Record]) -> int:
    """The last one's, 0 without any: as the original."""
    serials = [int(record.data.split()[2]) for record in records if record.type == _SOA]
    return serials[-1] if serials else 0


def _valid_rcode(check: Check, module: DnsModule, message: Message) -> bool:
    valid = module.valid_rcodes or ("NOERROR",)
    try:
        numbers = [rcode_number(name) for name in valid]
    except WireError as wrong:
        check.notes.error("Invalid rcode", err=wrong)
        return False
    if message.rcode in numbers:
        check.notes.info("Rcode is valid", rcode=message.rcode, string_rcode=message.rcode_name)
        return True
    check.notes.error(
        "Rcode is not one of the valid rcodes",
        rcode=message.rcode,
        string_rcode=message.rcode_name,
        valid_rcodes=" ".join(valid),
    )
    return False


def _valid_records(check: Check, records: Sequence[Record], rules: RecordRules) -> bool:
    """Whether a section's records will do. `fail_if_all_match_regexp` fails when *not* all match: so
    does the original, and alerts are written after what it does."""
    notes = check.notes
    if not records and (rules.fail_if_not_matches_regexp or rules.fail_if_none_matches_regexp):
        notes.error("A regular expression must match but no RRs were returned")
        return False
    texts = [readable(record.text.encode()) for record in records]
    for text in texts:
        notes.info("Validating RR", rr=text)
        for expression in rules.fail_if_matches_regexp:
            if found(expression, text):
                notes.error("At least one RR matched regexp", regexp=expression, rr=text)
                return False
        for expression in rules.fail_if_not_matches_regexp:
            if not found(expression, text):
                notes.error("At least one RR did not match regexp", regexp=expression, rr=text)
                return False
    if not all(found(each, text) for each in rules.fail_if_all_match_regexp for text in texts):
        notes.error("Not all RRs matched regexp")
        return False
    none = rules.fail_if_none_matches_regexp
    if none and not any(found(each, text) for each in none for text in texts):
        notes.error("None of the RRs did matched any regexp")
        return False
    return True
