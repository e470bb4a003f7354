"""The mail server on loopback: delivers, tells, refuses, keeps silent."""

import contextlib
import gc
import smtplib
import socket
import sys
import threading
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from examples.shop.mailbox import MailServer, Manners
from tests.children import wait_for
from tests.conftest import ROOT, Start


def page_for_ana() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "sentinel@loop.test", "ana@loop.test", "Shop – down"
    mail.set_content("Code 7K2P\nhttp://127.0.0.1/a/token\n")
    return mail


def send(port: int, *, timeout_s: float = 5.0) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=timeout_s) as server:
        server.send_message(page_for_ana())


def test_a_mail_lands_in_the_maildir(mail_server: MailServer) -> None:
    send(mail_server.port)

    (mail,) = mail_server.mails()
    assert (mail.to, mail.subject) == (("ana@loop.test",), "Shop – down")
    assert "Code 7K2P" in mail.text


def test_mails_are_told_oldest_first(mail_server: MailServer) -> None:
    for _ in range(12):
        send(mail_server.port)

    names = [mail.name for mail in mail_server.mails()]
    written = [(mail_server.folder / "new" / name).stat().st_mtime_ns for name in names]
    assert written == sorted(written)


def test_a_refused_mail_is_not_delivered(mail_server: MailServer) -> None:
    mail_server.manners = Manners(refusal="451 try later")

    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(mail_server.port)

    assert refused.value.smtp_code == 451
    assert mail_server.mails() == []


def test_a_silent_server_outlasts_the_senders_patience(mail_server: MailServer) -> None:
    mail_server.manners = Manners(silent_for_s=60)

    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        send(mail_server.port, timeout_s=0.2)

    assert mail_server.mails() == []


def test_a_server_that_is_stopped_before_it_began_ends(tmp_path: Path) -> None:
    server = MailServer(tmp_path / "box")
    server._loop.call_soon(server._stopped.set)  # as `stop` has it, before the thread's first turn

    server.start()
    server._thread.join(30)

    assert not server._thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=10)


def test_who_connects_while_it_stops_is_hung_up_on(tmp_path: Path) -> None:
    server = MailServer(tmp_path / "box")
    server.start()
    busy, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        busy.set()
        go_on.wait(10)

    server._loop.call_soon_threadsafe(hold)
    assert busy.wait(10)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as late:
        threading.Timer(0.0, go_on.set).start()
        server.stop()
        gc.collect()  # what is still open is told of here
        late.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            while late.recv(100):
                pass


def test_the_program_prints_a_line_a_mail(start: Start, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "examples.shop.mailbox", "--port", "0", "--dir", tmp_path / "box"]
    server = start(argv, cwd=ROOT)

    send(urlsplit(server.address).port or 0)

    wait_for(lambda: len(server.lines) == 2, what="a line for the mail")
    assert server.ready["ready"] == "mailbox"
    told = server.lines[1]
    assert (told["to"], told["subject"]) == (["ana@loop.test"], "Shop – down")
    assert "Code 7K2P" in told["text"]
    assert server.stop() == 0
