"""The `ftp` kind: Debian's vsftpd, which lists only names, pyftpdlib, which lists facts, and scripts."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentinel.expression import compile_expression
from sentinel.kinds import ProbeWorld
from sentinel.metrics.families import KNOWN
from sentinel.probers.filefacts import File
from sentinel.probers.ftp import Ftp, instant, listed, named
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.children import wait_for
from tests.conftest import program
from tests.probers.documents import shown
from tests.transport import certificates
from tests.transport.servers import NOW, Secrets, observed, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it stands on asyncore, of which Python 3.11 warns
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

CONFIG = """
listen=YES
background=NO
listen_address=127.0.0.1
listen_port={port}
anonymous_enable=YES
no_anon_password=YES
local_enable=NO
anon_root={root}
xferlog_enable=NO
seccomp_sandbox=NO
"""
TLS = """
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse=YES
rsa_cert_file={folder}/good.pem
rsa_private_key_file={folder}/good.key
"""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def fill(folder):
    """Three feeds of different ages, something else, and a folder."""
    for name, size, hours in (("feed-1.csv", 10, 5), ("feed-2.csv", 300, 2), ("feed 3.csv", 20, 9)):
        (folder / name).write_bytes(b"x" * size)
        at = NOW.timestamp() - hours * 3600
        os.utime(folder / name, (at, at))
    (folder / "readme").write_text("hello")
    (folder / "feed-old.csv").mkdir()
    (folder / "empty").mkdir()


@pytest.fixture(scope="module")
def root():
    """What is served; everybody may pass, and nobody may write."""
    folder = Path(tempfile.mkdtemp(prefix="sentinel-ftp-"))
    (folder / "out").mkdir()
    fill(folder / "out")
    for path in (folder, folder / "out"):
        path.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def start_vsftpd(root, tmp_path_factory):
    """Starts a vsftpd with more configuration; gives its port."""
    started = []

    def start(more=""):
        folder, port = tmp_path_factory.mktemp("vsftpd"), free_port()
        Path("/run/vsftpd/empty").mkdir(parents=True, exist_ok=True)
        config = folder / "vsftpd.conf"
        config.write_text(CONFIG.format(port=port, root=root) + more)
        started.append(subprocess.Popen([program("vsftpd"), str(config)]))
        wait_for(lambda: _listens(port))
        return port

    yield start
    for each in started:
        each.terminate()
        each.wait(20)


def _listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def vsftpd(start_vsftpd):
    return start_vsftpd()


@pytest.fixture(scope="module")
def mlsd(root):
    """pyftpdlib in a thread; its port. Its user `monitor` has a password."""

    class Handler(FTPHandler):
        authorizer = DummyAuthorizer()

    Handler.authorizer.add_user("monitor", "p@ss word", str(root), perm="elr")
    server = FTPServer(("127.0.0.1", 0), Handler)
    stopped = threading.Event()

    def serve():
        while not stopped.is_set():
            server.serve_forever(timeout=0.05, blocking=False)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.address[1]
    stopped.set()
    thread.join(10)
    server.close_all()


def check(port, path, *, kept=None, needed="", seconds=5.0, **fields):
    async def main():
        async with Transport() as transport:
            world = ProbeWorld(
                now=NOW,
                deadline=transport.now() + seconds,
                transport=transport,
                secrets=Secrets(WORD="p@ss word"),
                kept=kept,
                needed=frozenset(needed.split()),
            )
            return await Ftp("localhost", path, port=port, ip="ipv4", **fields).observe(world)

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Ftp.NAMES).evaluate(observation.values)


MONITOR = {"user": "monitor", "password": Secret("env:WORD")}


@pytest.fixture(params=["vsftpd", "mlsd"])
def server(request):
    """How to reach each of the two."""
    return request.getfixturevalue(request.param), MONITOR if request.param == "mlsd" else {}


@pytest.mark.slow
@pytest.mark.needs("vsftpd")
class TestServers:
    def test_a_file_with_its_size_and_age(self, server):
        port, who = server
        observation = check(port, "/out/feed-2.csv", **who)

        assert (None, "") == (observation.outcome, observation.reason)
        assert "feed-2.csv: 300 bytes, 2.0 h old" == observation.text
        assert holds("exists && size_bytes == 300 && age_s == 7200.0 && count == 1", observation)
        assert ["resolve", "connect", "login", "list"] == list(observation.phases)
        assert "SIZE /out/feed-2.csv" in observation.evidence.request
        assert "p@ss" not in repr(observation)
        own = {family.name for family in Ftp.METRICS}
        assert own < set(observation.metrics) <= own | KNOWN.keys()

    def test_files_of_a_folder_that_fit(self, server):
        port, who = server
        observation = check(port, "out", pattern="feed*.csv", **who)

        assert "" == observation.reason
        assert holds('count == 3 && total_bytes == 330 && newest.name == "feed-2.csv"', observation)
        assert holds('oldest.name == "feed 3.csv" && oldest.age_s == 32400.0', observation)

    def test_what_is_not_there(self, server):
        port, who = server
        assert "no_such_file" == check(port, "/out/none", **who).reason
        absent = check(port, "/out/none", needed="exists", **who)
        assert ("", False) == (absent.reason, absent.values["exists"])
        assert "no_files" == check(port, "/out", pattern="*.zip", **who).reason
        assert "no_files" == check(port, "/out/empty", pattern="*", **who).reason
        assert "" == check(port, "/out/empty", pattern="*", needed="count", **who).reason
        missing = check(port, "/none", pattern="*", needed="count", **who)
        assert (Outcome.failed, "no_such_folder") == (missing.outcome, missing.reason)

    def test_who_is_not_let_in(self, server):
        port, _ = server
        observation = check(port, "/out/readme", user="stranger", password=Secret("env:WORD"))

        assert (Outcome.failed, "login_refused") == (observation.outcome, observation.reason)
        assert "530" in observation.evidence.response

    def test_a_server_without_facts_is_remembered(self, vsftpd):
        first = check(vsftpd, "/out", pattern="*")
        second = check(vsftpd, "/out", pattern="*", kept=first.keep)

        assert (b"nlst", b"nlst") == (first.keep, second.keep)
        assert first.values["names"] == second.values["names"]

    @pytest.mark.needs("openssl")
    @pytest.mark.parametrize("tls", ["explicit", "implicit"])
    def test_over_tls_with_lists_in_the_same_session(self, start_vsftpd, tls):
        more = TLS.format(folder=certificates.folder())
        port = start_vsftpd(more + ("implicit_ssl=YES\n" if tls == "implicit" else ""))
        ca_file = certificates.authority()
        files = check(port, "/out", pattern="feed-*.csv", tls=tls, ca_file=ca_file)
        one = check(port, "/out/feed-1.csv", tls=tls, ca_file=ca_file)
        untrusted = check(port, "/out/feed-1.csv", tls=tls)

        assert ("", 2) == (files.reason, files.values["count"])
        assert holds("certificate.verified && certificate.days_left > 10.0", one)
        assert one.phases["tls"] > 0
        assert one.metrics["probe_tls_version_info"]
        assert (Outcome.failed, "certificate_untrusted") == (untrusted.outcome, untrusted.reason)
        assert "CN=localhost" in untrusted.evidence.facts["certificates"][0]["subject"]
        if tls == "explicit":
            assert "login_refused" == check(port, "/out/feed-1.csv").reason

    def test_a_server_without_tls_is_given_no_password(self, vsftpd):
        observation = check(vsftpd, "/out/readme", tls="explicit", **MONITOR)

        assert (Outcome.failed, "tls_failed") == (observation.outcome, observation.reason)
        assert "USER" not in observation.evidence.request


def script(replies, *, ends=b""):
    """A server that answers by the command's first word, and 200 to others."""

    async def serve(reader, writer):
        writer.write(replies.get("", b"220 hello\r\n"))
        while line := await reader.readline():
            writer.write(replies.get(line.split()[0].decode(), b"200 so be it\r\n"))
        writer.write(ends)

    return serve


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ({"": b"421 too many\r\n"}, "server_refused"),
        ({"": b"SSH-2.0-x\r\n"}, "timeout"),
        ({"": b"220-" + b"x" * 50 + b"\r\n"}, "timeout"),
        ({"": b"220-and so on\r\n" * 40_000}, "body_too_large"),
        ({"SIZE": b"550 no\r\n", "MDTM": b"550 no\r\n"}, "no_such_file"),
        ({"SIZE": b"213 " + b"9" * 300 + b"\r\n", "MDTM": b"213 99999999999999\r\n"}, ""),
        ({"USER": b"331 and?\r\n", "PASS": b"530 no\r\n"}, "login_refused"),
        ({"TYPE": b"500 what?\r\n"}, "ftp_failed"),
    ],
)
def test_servers_that_answer_otherwise(replies, reason):
    async def main():
        async with serving(script(replies)) as port, Transport() as transport:
            prober = Ftp("127.0.0.1", "/feed.csv", port=port)
            return await observed(prober, transport, seconds=0.7)

    started = time.monotonic()
    observation = asyncio.run(main())

    assert reason == observation.reason
    assert time.monotonic() - started < 5.0


def test_a_second_connection_that_is_not_had():
    replies = {"EPSV": b"500 what?\r\n", "PASV": b"425 no\r\n"}

    async def main():
        async with serving(script(replies)) as port, Transport() as transport:
            prober = Ftp("127.0.0.1", "/out", "*", port=port)
            return await observed(prober, transport, seconds=2.0)

    assert "data_refused" == asyncio.run(main()).reason


def test_nobody_listening_is_refused():
    observation = check(free_port(), "/x")

    assert ("connect_refused", True) == (observation.reason, observation.network)


def test_lists_are_read_as_far_as_they_are_lists():
    body = (
        b"type=cdir;modify=20260301093000; .\r\n"
        b"Type=file;Size=20;Modify=20260301093000.5;perm=r; a b.csv\r\n"
        b"type=dir; folder.csv\r\nnonsense\r\n; \r\n"
        b"type=file;size=99999999999999999999999;modify=2026; c.csv\r\n"
        b"type=file;size=1; \xff.csv\r\n"
    )
    files = listed(body, "*.csv")

    assert [
        File("a b.csv", 20, datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        File("c.csv", 0),
        File("\ufffd.csv", 1),
    ] == list(files.found)


def test_of_many_names_the_last_are_asked_for():
    body = "".join(f"/out/feed-{number:04}.csv\r\n" for number in range(500)).encode()
    names, more = named(body + b"\xff.csv\r\nbad\x01.csv\r\n", "*.csv")

    assert (200, "feed-0300.csv", "feed-0499.csv", True) == (len(names), names[0], names[-1], more)


@pytest.mark.parametrize("text", ["", "2026", "20261301000000", "99999999999999", "x" * 14])
def test_what_is_no_time_is_none(text):
    assert instant(text) is None


def test_a_path_that_would_be_two_commands_is_refused():
    with pytest.raises(ValueError, match="path"):
        Ftp("ftp.acme.example", "/a\r\nDELE /b")


def test_what_the_pages_show_can_be_declared():
    assert {"ftp"} == {probe.kind for probe in shown("ftp").values()}
