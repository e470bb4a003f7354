"""The `ssh` kind: Debian's sshd, and peers that are none."""

import asyncio
import socket
import time

import pytest

from sentinel.expression import compile_expression
from sentinel.kinds import ProbeWorld
from sentinel.probers.ssh import Ssh, version_parts
from sentinel.transport.curl import Transport
from sentinel.words import Outcome
from tests.probers.documents import shown
from tests.probers.sshd import running
from tests.transport.servers import NOW, Secrets, observed, serving

OTHER = "SHA256:" + "A" * 43


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def check(port, *, kept=None, seconds=5.0, **fields):
    async def main():
        async with Transport() as transport:
            world = ProbeWorld(
                now=NOW,
                deadline=transport.now() + seconds,
                transport=transport,
                secrets=Secrets(),
                kept=kept,
            )
            return await Ssh(host_="127.0.0.1", port=port, **fields).observe(world)

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Ssh.NAMES).evaluate(observation.values)


@pytest.mark.slow
@pytest.mark.needs("openssh-server")
class TestSshd:
    def test_version_and_key_without_signing_in(self, sshd):
        observation = check(sshd.port)

        assert (None, "") == (observation.outcome, observation.reason)
        assert holds('protocol == "2.0" && software.startsWith("OpenSSH_")', observation)
        assert holds('host_key.type == "ssh-ed25519" && !host_key.changed', observation)
        assert sshd.fingerprint() == observation.values["host_key"]["fingerprint"]
        assert ["resolve", "connect", "exchange"] == list(observation.phases)
        assert set(observation.metrics) == {family.name for family in Ssh.METRICS}

    def test_another_of_its_keys(self, sshd):
        observation = check(sshd.port, key_type="rsa", fingerprints=(sshd.fingerprint("rsa"),))

        assert ("", "ssh-rsa") == (observation.reason, observation.values["host_key"]["type"])

    def test_a_key_that_was_not_expected_fails(self, sshd):
        right = check(sshd.port, fingerprints=(OTHER, sshd.fingerprint()))
        wrong = check(sshd.port, fingerprints=(OTHER,))

        assert "" == right.reason
        assert (Outcome.failed, "host_key_changed") == (wrong.outcome, wrong.reason)
        assert sshd.fingerprint() in wrong.text

    def test_a_key_that_is_not_the_last_one_has_changed(self, sshd):
        first = check(sshd.port)

        assert not check(sshd.port, kept=first.keep).values["host_key"]["changed"]
        assert check(sshd.port, kept=OTHER.encode()).values["host_key"]["changed"]

    def test_a_server_that_only_knows_what_nobody_uses_any_more(self, tmp_path):
        with running(tmp_path, "KexAlgorithms diffie-hellman-group1-sha1\n") as old:
            observation = check(old.port)

        assert (Outcome.failed, "key_exchange_failed") == (observation.outcome, observation.reason)
        assert holds('software.startsWith("OpenSSH_")', observation)


def peer(*parts, hold_s=0.0):
    async def script(reader, writer):
        for part in parts:
            writer.write(part)
            await writer.drain()
        await asyncio.sleep(hold_s)

    return script


async def hears_and_goes(reader, writer):
    await reader.readline()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (hears_and_goes, "empty_reply"),
        (peer(hold_s=60), "timeout"),
        (peer(b"SSH-2.0-slow", hold_s=60), "timeout"),
        (peer(b"SSH-2.0-dropbear_2022.83\r\n"), "reset"),
        (peer(b"SSH-1.5-ancient\r\n", hold_s=60), "protocol_error"),
        (peer(b"HTTP/1.1 400 Bad Request\r\n" * 5000, hold_s=60), "protocol_error"),
        (peer(b"x" * 200_000, hold_s=60), "protocol_error"),
        (peer(b"SSH-2.0-\xff\xfe\r\n", hold_s=60), "protocol_error"),
        (peer(b"SSH-2.0-x\r\n", b"\xff" * 100_000, hold_s=60), "protocol_error"),
    ],
)
def test_peers_that_do_not_come_that_far(script, reason):
    async def main():
        async with serving(script) as port, Transport() as transport:
            return await observed(Ssh(host_="127.0.0.1", port=port), transport, seconds=0.7)

    started = time.monotonic()
    observation = asyncio.run(main())

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)
    assert time.monotonic() - started < 5.0


def test_nobody_listening_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        observation = check(taken.getsockname()[1])

    assert ("connect_refused", True) == (observation.reason, observation.network)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", ("2.0", "OpenSSH_9.2p1", "Debian-2+deb12u10")),
        ("SSH-1.99-Cisco-1.25", ("1.99", "Cisco-1.25", "")),
        ("", ("", "", "")),
    ],
)
def test_the_parts_of_a_version(line, parts):
    assert parts == version_parts(line)


def test_a_fingerprint_that_is_none_is_refused_when_it_is_declared():
    with pytest.raises(ValueError, match="fingerprint"):
        Ssh(host_="a", fingerprints=("MD5:00:11",))


def test_what_the_pages_show_can_be_declared():
    assert {"ssh"} == {probe.kind for probe in shown("ssh").values()}
