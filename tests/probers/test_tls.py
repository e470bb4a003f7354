"""The `tls` kind: each address of a name, what chains lack, and protocols that are asked first."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from functools import cache

import pytest

from sentinel.expression import compile_expression
from sentinel.kinds import ProbeWorld
from sentinel.metrics.families import KNOWN
from sentinel.probers.tls import Tls
from sentinel.transport.curl import Transport
from sentinel.transport.lookup import Lookup, written_out
from sentinel.words import Outcome
from tests.probers.documents import shown
from tests.transport import namespaces
from tests.transport.certificates import (
    KEY,
    authority,
    folder,
    openssl,
    server,
    server_that_asks,
)
from tests.transport.servers import NOW, Secrets, silent

pytestmark = pytest.mark.needs("openssl")


class Names(Lookup):
    """Every name has the addresses that a test tells."""

    def __init__(self, ips):
        super().__init__(threads=1)
        self.ips = ips

    async def find(self, host, port, deadline, *, ip="any"):
        ips = [host] if host in self.ips else self.ips
        return tuple(written_out(each, port)[0] for each in ips)


class Resolving(Transport):
    """A transport whose names are a test's."""

    def __init__(self, ips):
        super().__init__()
        self.names = Names(ips)

    @property
    def lookup(self):
        return self.names

    async def close(self):
        self.names.close()
        await super().close()


async def listening(stack, ip, context, script, port):
    """A server on one address; its port."""
    running = set()

    async def answer(reader, writer):
        running.add(asyncio.current_task())
        try:
            if script is not None:
                await script(reader, writer)
            await writer.start_tls(context)
            await reader.read()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.transport.abort()

    started = await asyncio.start_server(answer, ip, port)

    async def ended():
        started.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running)
        await asyncio.sleep(0)

    stack.push_async_callback(ended)
    return started.sockets[0].getsockname()[1]


def check(*contexts, script=None, seconds=5.0, more=(), **fields):
    """What the kind observes of servers on 127.0.0.1, .2, …, all of one name: ``localhost``."""

    async def main():
        async with AsyncExitStack() as stack:
            port = 0
            ips = [f"127.0.0.{number}" for number in range(1, len(contexts) + 1)]
            for ip, context in zip(ips, contexts, strict=True):
                if context is not None:
                    port = await listening(stack, ip, context, script, port)
            transport = await stack.enter_async_context(Resolving([*more, *ips]))
            until = transport.now() + seconds
            world = ProbeWorld(now=NOW, deadline=until, transport=transport, secrets=Secrets())
            how = {"host_": "localhost", "port": port, "ca_file": authority(), **fields}
            return await Tls(**how).observe(world)

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Tls.NAMES).evaluate(observation.values)


def test_a_good_certificate_is_shown_with_its_chain():
    seen = check(server("good"), alpn=("h2", "http/1.1"))

    assert (None, "") == (seen.outcome, seen.reason)
    assert holds('certificate.verified && version == "TLS 1.3" && cipher.startsWith("TLS_")', seen)
    assert holds("chain.length == 2 && chain.complete && chain.ordered && chain.root_sent", seen)
    assert holds('!chain.self_signed && same && alpn == "" && address == "127.0.0.1"', seen)
    assert holds("timing.tls_s > 0.0 && timing.total_s < 5.0", seen)
    assert ["resolve", "connect", "talk", "tls"] == list(seen.phases)
    assert {"certificate.days_left", "certificate.chain_days_left"} < {s.name for s in seen.samples}


def test_what_alpn_agreed_on_is_shown():
    context = server("good")
    context.set_alpn_protocols(["http/1.1"])

    assert holds('alpn == "http/1.1"', check(context, alpn=("h2", "http/1.1")))


@cache
def chained():
    """Under the authority an intermediate one, and under that ``chained``: their PEM."""
    made = folder()
    (made / "intermediate.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    (made / "chained.ext").write_text("subjectAltName=DNS:localhost\n")
    for name, signer in (("intermediate", "authority"), ("chained", "intermediate")):
        request = made / f"{name}.csr"
        subject = f"/O=Acme/CN={name}"
        openssl("req", *KEY, "-keyout", made / f"{name}.key", "-out", request, "-subj", subject)
        by = ["-CA", made / f"{signer}.pem", "-CAkey", made / f"{signer}.key", "-CAcreateserial"]
        how = ["-days", "9", "-extfile", made / f"{name}.ext", "-out", made / f"{name}.pem"]
        openssl("x509", "-req", "-in", request, *by, *how)
    return {
        name: (made / f"{name}.pem").read_text()
        for name in ("chained", "intermediate", "authority")
    }


def presenting(*names):
    """A server that presents these certificates, in this order."""
    pems = chained()
    path = folder() / f"{'-'.join(names)}.presented.pem"
    path.write_text("".join(pems[name] for name in names))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, folder() / "chained.key")
    return context


@pytest.mark.parametrize(
    ("names", "reason", "source"),
    [
        (["chained", "intermediate"], "", "chain.complete && chain.ordered && !chain.root_sent"),
        (["chained", "intermediate", "authority"], "", "chain.length == 3 && chain.root_sent"),
        (["chained", "authority", "intermediate"], "", "chain.complete && !chain.ordered"),
        (["chained"], "chain_incomplete", ""),
    ],
)
def test_a_chain_must_lead_to_a_trusted_authority(names, reason, source):
    seen = check(presenting(*names))

    assert reason == seen.reason
    assert not source or holds(source, seen)


def test_what_a_chain_lacks_is_named():
    seen = check(presenting("chained"))

    assert "CN=intermediate" in seen.text
    assert (1, False) == (
        seen.evidence.facts["chain"]["length"],
        seen.evidence.facts["chain"]["complete"],
    )


def self_signed():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder() / "self.pem", folder() / "self.key")
    return context


@pytest.mark.parametrize(
    ("context", "fields", "reason"),
    [
        (lambda: server("expired"), {}, "certificate_expired"),
        (lambda: server("other"), {}, "certificate_name"),
        (lambda: server("other"), {"server_name": "other.example"}, ""),
        (lambda: server("good"), {"ca_file": ""}, "certificate_untrusted"),
        (self_signed, {}, "self_signed"),
        (self_signed, {"verify": False}, ""),
        (server_that_asks, {"min_version": "1.2"}, None),
    ],
)
def test_a_certificate_that_will_not_do_has_its_reason(context, fields, reason):
    seen = check(context(), **fields)

    if reason is None:  # TLS 1.3 servers refuse a client after its handshake is done
        assert seen.reason in ("", "tls_failed")
        return
    assert (reason, Outcome.failed if reason else None) == (seen.reason, seen.outcome)
    assert "CN=localhost" in seen.evidence.facts["certificates"][0]["subject"]


def test_an_expired_certificate_still_shows_how_long_it_has_been():
    seen = check(server("expired"))

    assert seen.metrics["probe_ssl_earliest_cert_expiry"] > 0
    assert 1 == len(seen.metrics["probe_tls_address_cert_expiry"])
    assert ("certificate.days_left", "d") in [(one.name, one.unit) for one in seen.samples]


def up_to(version):
    context = server("good")
    context.maximum_version = version
    return context


def test_an_older_version_than_is_well_has_its_reason():
    old = up_to(ssl.TLSVersion.TLSv1_2)

    assert "" == check(old).reason
    assert ("version_too_old", "127.0.0.1: TLS 1.2 was agreed on") == (
        (seen := check(old, min_version="1.3")).reason,
        seen.text,
    )


def test_the_worst_address_decides_and_each_is_shown():
    seen = check(server("good"), server("expired"), server("good"))

    assert ("certificate_expired", "127.0.0.2") == (seen.reason, seen.address)
    assert "2 of 3 addresses are well" in seen.text
    assert {"127.0.0.1": True, "127.0.0.2": False, "127.0.0.3": True} == (
        seen.metrics["probe_tls_address_success"]
    )
    assert ["", "certificate_expired", ""] == [
        each["reason"] for each in seen.evidence.facts["addresses"]
    ]


def test_of_good_ones_the_first_to_expire_decides():
    seen = check(server("good"), presenting("chained", "intermediate"))

    assert ("", "127.0.0.2") == (seen.reason, seen.address)
    assert holds("!same && addresses.size() == 2", seen)
    assert holds("addresses[0].days_left > addresses[1].days_left", seen)


def test_one_address_may_be_enough():
    seen = check(server("good"), server("expired"), addresses="first")

    assert ("", 1) == (seen.reason, len(seen.evidence.facts["addresses"]))


def test_an_address_where_nobody_listens_is_not_well():
    seen = check(None, server("good"))

    assert ("connect_refused", True, "127.0.0.1") == (seen.reason, seen.network, seen.address)


def test_a_server_that_never_answers_is_a_timeout_and_the_others_are_seen():
    async def hang(reader, writer):
        if writer.get_extra_info("sockname")[0] == "127.0.0.2":
            await reader.read(1 << 20)
            await silent(reader, writer)

    seen = check(server("good"), server("good"), script=hang, seconds=0.7)

    assert ("timeout", "127.0.0.2") == (seen.reason, seen.address)
    assert seen.duration_s < 3


def said(*turns):
    """A server that hears a line (or so many bytes) and says something, turn by turn."""

    async def script(reader, writer):
        for heard, answer in turns:
            if isinstance(heard, int):
                await reader.readexactly(heard)
            elif heard:
                assert heard in await reader.readline()
            writer.write(answer)
            await writer.drain()

    return script


LDAP_OK = bytes.fromhex("300c02010178070a0100 04000400")
LDAP_NO = bytes.fromhex("300c02010178070a0102 04000400")
ASKED = {
    "smtp": said((b"", b"220-hi\r\n220 hi\r\n"), (b"EHLO", b"250-a\r\n250 b\r\n"), (b"STARTTLS", b"220 go\r\n")),
    "imap": said((b"", b"* OK hi\r\n"), (b"STARTTLS", b"* CAPABILITY X\r\na1 OK go\r\n")),
    "pop3": said((b"", b"+OK hi\r\n"), (b"STLS", b"+OK\r\n")),
    "ftp": said((b"", b"220 hi\r\n"), (b"AUTH TLS", b"234 go\r\n")),
    "postgres": said((8, b"S")),
    "ldap": said((31, LDAP_OK)),
}  # fmt: skip
REFUSING = {
    "smtp": said((b"", b"220 hi\r\n"), (b"EHLO", b"250 b\r\n"), (b"STARTTLS", b"454 not now\r\n")),
    "imap": said((b"", b"* OK hi\r\n"), (b"STARTTLS", b"a1 BAD what\r\n")),
    "pop3": said((b"", b"-ERR busy\r\n")),
    "ftp": said((b"", b"220 hi\r\n"), (b"AUTH TLS", b"534 no\r\n")),
    "postgres": said((8, b"N")),
    "ldap": said((31, LDAP_NO)),
}


@pytest.mark.parametrize("protocol", ASKED)
def test_a_protocol_is_asked_to_go_on_over_tls(protocol):
    seen = check(server("good"), script=ASKED[protocol], starttls=protocol)

    assert "" == seen.reason, seen.text
    assert holds("certificate.verified && timing.talk_s > 0.0", seen)


@pytest.mark.parametrize("protocol", REFUSING)
def test_a_server_that_does_not_go_on_over_tls_has_its_reason(protocol):
    seen = check(server("good"), script=REFUSING[protocol], starttls=protocol)

    assert ("starttls_refused", Outcome.failed) == (seen.reason, seen.outcome)


def test_what_a_stranger_puts_before_the_handshake_ends_it():
    early = said((b"", b"+OK hi\r\n"), (b"STLS", b"+OK\r\n+OK injected\r\n"))

    assert "starttls_refused" == check(server("good"), script=early, starttls="pop3").reason


def test_metrics_are_declared():
    known = KNOWN.keys() | {family.name for family in Tls.METRICS}

    assert check(server("good")).metrics.keys() <= known
    assert check(None, server("good")).metrics.keys() <= known


def test_a_name_without_an_address_has_its_reason():
    async def main():
        async with Transport() as transport:
            until = transport.now() + 5
            world = ProbeWorld(now=NOW, deadline=until, transport=transport, secrets=Secrets())
            return await Tls("nowhere.invalid.").observe(world)

    seen = asyncio.run(main())
    assert seen.reason in ("dns_failed", "dns_timeout")
    assert 0 == seen.metrics["probe_ip_protocol"]


@namespaces.own_network
def test_an_address_that_this_machine_has_no_way_to_is_skipped():
    code = """
from tests.probers.test_tls import check, server
seen = check(server("good"), more=["2001:db8::1"])
print(seen.reason, [each["skipped"] for each in seen.evidence.facts["addresses"]])
print(check(more=["2001:db8::1"], port=443).reason)
"""
    assert [" [True, False]", "connect_unreachable"] == namespaces.printed(code).splitlines()


def test_what_the_pages_show_can_be_declared():
    assert {"tls"} == {probe.kind for probe in shown("tls").values()}


def test_the_host_is_what_it_connects_to():
    assert "shop.acme.example" == Tls("Shop.acme.example").host()
