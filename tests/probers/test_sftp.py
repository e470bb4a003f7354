"""The `sftp` kind: files of Debian's sshd, and whom it lets in."""

import asyncio
import os
import shutil
import subprocess
import time

import pytest

from sentinel.expression import compile_expression
from sentinel.probers.sftp import Sftp
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.probers.documents import shown
from tests.probers.sshd import running
from tests.transport.servers import NOW, observed, serving, silent

OTHER = "SHA256:" + "A" * 43


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def files(tmp_path):
    """A folder with three feeds of different ages, something else, and a folder."""
    for name, size, hours in (("feed-1.csv", 10, 5), ("feed-2.csv", 300, 2), ("feed-3.csv", 20, 9)):
        (tmp_path / name).write_bytes(b"x" * size)
        at = NOW.timestamp() - hours * 3600
        os.utime(tmp_path / name, (at, at))
    (tmp_path / "readme").write_text("hello")
    (tmp_path / "feed-old.csv").mkdir()
    return tmp_path


def check(sshd, path, *, needed="", seconds=5.0, private=None, **fields):
    async def main():
        async with Transport() as transport:
            how = {
                "user": sshd.user,
                "key_": Secret("env:KEY"),
                "fingerprints": (sshd.fingerprint(),),
                **fields,
            }
            prober = Sftp(host_="127.0.0.1", port=sshd.port, path=str(path), **how)
            key = (private or sshd.client).read_text()
            return await observed(
                prober, transport, seconds=seconds, needed=needed, KEY=key, WORD="open"
            )

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Sftp.NAMES).evaluate(observation.values)


@pytest.mark.slow
@pytest.mark.needs("openssh-server")
class TestSshd:
    def test_a_file_with_its_size_and_age(self, sshd, files):
        observation = check(sshd, files / "feed-2.csv")

        assert (None, "") == (observation.outcome, observation.reason)
        assert "feed-2.csv: 300 bytes, 2.0 h old" == observation.text
        assert holds("exists && size_bytes == 300 && age_s == 7200.0 && count == 1", observation)
        assert ["resolve", "connect", "exchange", "list"] == list(observation.phases)

    def test_files_of_a_folder_that_fit(self, sshd, files):
        observation = check(sshd, files, pattern="feed-*.csv")

        assert "" == observation.reason
        assert holds('count == 3 && total_bytes == 330 && newest.name == "feed-2.csv"', observation)
        assert holds('oldest.name == "feed-3.csv" && oldest.age_s == 32400.0', observation)
        assert {"feed-1.csv", "feed-2.csv", "feed-3.csv"} == set(observation.values["names"])

    def test_what_is_not_there(self, sshd, files):
        assert "no_such_file" == check(sshd, files / "none").reason
        absent = check(sshd, files / "none", needed="exists")
        assert ("", False) == (absent.reason, absent.values["exists"])
        assert "no_files" == check(sshd, files, pattern="*.zip").reason
        assert "" == check(sshd, files, pattern="*.zip", needed="count").reason
        assert "no_such_folder" == check(sshd, files / "none", pattern="*", needed="count").reason
        assert "no_such_folder" == check(sshd, files / "readme", pattern="*").reason

    def test_names_in_no_known_encoding(self, sshd, files):
        with open(os.fsencode(files) + b"/feed-\xff.csv", "wb"):
            observation = check(sshd, files, pattern="feed-*.csv")

        assert ("", 4) == (observation.reason, observation.values["count"])

    def test_the_host_is_known_by_a_file(self, sshd, files, tmp_path):
        known = tmp_path / "known_hosts"
        known.write_text(sshd.known_hosts())
        right = check(sshd, files / "readme", fingerprints=(), known_hosts=str(known))
        known.write_text("example.com ssh-ed25519 AAAA\n")
        wrong = check(sshd, files / "readme", fingerprints=(), known_hosts=str(known))

        assert ("", sshd.fingerprint()) == (
            right.reason,
            right.evidence.facts["host_key"]["fingerprint"],
        )
        assert (Outcome.failed, "host_key_refused") == (wrong.outcome, wrong.reason)

    def test_a_wrong_host_is_told_no_secret(self, sshd, files):
        observation = check(sshd, files / "readme", fingerprints=(OTHER,))

        assert (Outcome.failed, "host_key_refused") == (observation.outcome, observation.reason)
        assert sshd.fingerprint() in observation.text

    def test_who_is_not_let_in(self, sshd, files, tmp_path):
        stranger = tmp_path / "stranger"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True
        )
        by_key = check(sshd, files / "readme", private=stranger)
        by_word = check(sshd, files / "readme", key_=None, password=Secret("env:WORD"))

        assert ["login_refused"] * 2 == [by_key.reason, by_word.reason]
        assert "PRIVATE" not in repr(by_key)

    def test_a_key_under_a_passphrase(self, sshd, files, tmp_path):
        locked = tmp_path / "locked"
        shutil.copy(sshd.client, locked)
        subprocess.run(
            ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open", "-f", str(locked)], check=True
        )
        right = check(sshd, files / "readme", private=locked, passphrase=Secret("env:WORD"))
        wrong = check(sshd, files / "readme", private=locked)

        assert "" == right.reason
        assert (Outcome.unknown, "invalid_request") == (wrong.outcome, wrong.reason)


def test_a_server_that_stops_in_the_middle_does_not_hold_the_check(tmp_path):
    async def script(reader, writer):
        writer.write(b"SSH-2.0-slow\r\n")
        await silent(reader, writer)

    async def main():
        async with serving(script) as port, Transport() as transport:
            prober = Sftp("127.0.0.1", "u", "/x", port=port, password=Secret("env:A"), verify=False)
            return await observed(prober, transport, seconds=0.5, A="a")

    started = time.monotonic()
    observation = asyncio.run(main())

    assert ("timeout", True) == (observation.reason, observation.network)
    assert time.monotonic() - started < 5.0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"fingerprints": ()}, "fingerprints"),
        ({"password": None}, "password"),
        ({"path": "/out/"}, "pattern"),
        ({"fingerprints": ("aa:bb",)}, "no fingerprint"),
    ],
)
def test_a_wrong_declaration_is_refused(fields, said):
    how = {"path": "/x", "password": Secret("env:A"), "fingerprints": (OTHER,), **fields}
    with pytest.raises(ValueError, match=said):
        Sftp("sftp.acme.example", "u", **how)


def test_what_the_pages_show_can_be_declared():
    assert {"sftp"} == {probe.kind for probe in shown("sftp").values()}
