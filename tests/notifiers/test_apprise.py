"""Pages over Apprise reach real receivers, and what hangs, refuses or lies is told apart."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from email import message_from_string, policy
from pathlib import Path
from typing import Any

import pytest

from sentinel.errors import SecretMissing
from sentinel.kinds import Accepted, Message, Refused, Uncertain
from sentinel.notifiers.apprise import Apprise
from sentinel.words import Seconds, Secret, Urgency
from tests.notifiers.conftest import Catcher, MailServer

LINK = "https://sentinel.example/a/Zm9vYmFy&x=1"
SHORT = f"Shop down. K7QM {LINK}"


class Plain:
    """Secrets that are their own text; ``env:GONE`` is missing."""

    def reveal(self, secret: Secret) -> str:
        if secret.template == "env:GONE":
            raise SecretMissing("the environment has no GONE")
        return secret.template


def page(urgency: Urgency = Urgency.high) -> Message:
    return Message("Shop down", "acme-home fails from eu.", SHORT, "k7qm", LINK, urgency)


def with_apprise(use: Callable[[Apprise], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        apprise = Apprise(Plain())
        await apprise.start()
        try:
            return await use(apprise)
        finally:
            await apprise.close()

    return asyncio.run(main())


def sent(address: str, deadline_s: float = 10.0) -> Accepted | Refused | Uncertain:
    return with_apprise(
        lambda apprise: apprise.send(Secret(address), page(), deadline_s=Seconds(deadline_s))
    )


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [
        int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()
    ]


def wait_until(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    end = time.monotonic() + within_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def alive(pid: int) -> bool:
    """A zombie is as good as dead: it only waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_mail_arrives_as_plain_text_with_link_and_code_first(mail_server: MailServer) -> None:
    address = (
        f"mailto://127.0.0.1:{mail_server.port}/?from=s@loop.test&to=ana@loop.test&mode=insecure"
    )

    outcome = sent(address)

    assert isinstance(outcome, Accepted)
    (text,) = mail_server.mails()
    mail = message_from_string(text, policy=policy.default)
    assert mail["Subject"] == "Shop down"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().startswith(SHORT)


def test_a_web_hook_gets_one_post(catcher: Catcher) -> None:
    assert isinstance(sent(f"json://127.0.0.1:{catcher.port}/page"), Accepted)
    (got,) = catcher.got
    assert f"{SHORT}\n\nacme-home fails from eu." == got["body"]["message"]


def test_a_redirect_is_a_refusal_and_is_not_followed(
    catcher: Catcher, second_catcher: Catcher
) -> None:
    catcher.status = 302
    catcher.headers["Location"] = f"http://127.0.0.1:{second_catcher.port}/"

    outcome = sent(f"json://127.0.0.1:{catcher.port}/")

    assert isinstance(outcome, Refused)
    assert outcome.reason == "redirected"
    assert second_catcher.got == []


def test_a_refusal_is_sent_once(catcher: Catcher) -> None:
    catcher.status = 503
    outcome = sent(f"json://127.0.0.1:{catcher.port}/")
    assert isinstance(outcome, Refused)
    assert outcome.reason == "vendor_error"
    assert len(catcher.got) == 1


def test_nobody_listening_is_a_refusal() -> None:
    outcome = sent("json://127.0.0.1:1/")
    assert isinstance(outcome, Refused)
    assert outcome.reason == "unreachable"


def test_several_recipients_are_refused_before_anything_is_sent(catcher: Catcher) -> None:
    outcome = sent(f"ntfy://127.0.0.1:{catcher.port}/ana/bo")
    assert isinstance(outcome, Refused)
    assert outcome.reason == "address"
    assert catcher.got == []


def test_a_missing_secret_is_a_refusal() -> None:
    assert Refused("secret_missing", "the environment has no GONE") == sent("env:GONE")


@pytest.mark.parametrize(
    "address",
    [
        "json://user:hunter2secret@127.0.0.1:{port}/",
        "json://127.0.0.1:{port}/?+X-Token=hunter2secret",
        "json://127.0.0.1:{port}/?-key=hunter2secret",
        "json://127.0.0.1:{port}/hooks/hunter2secret",
        "gotify://127.0.0.1:{port}/hunter2secret",
        "ntfy://tk_hunter2secret@127.0.0.1:{port}/hunter2secret",
    ],
)
def test_what_is_told_never_holds_credentials(catcher: Catcher, address: str) -> None:
    catcher.status = 401
    outcome = sent(address.format(port=catcher.port))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "login"
    assert "hunter2" not in outcome.text


@pytest.mark.slow
def test_what_hangs_is_killed_at_its_deadline_and_is_uncertain(
    catcher: Catcher, deaf_ports: list[int]
) -> None:
    async def use(apprise: Apprise) -> tuple[Any, bool, Any]:
        deaf = Secret(f"json://127.0.0.1:{deaf_ports[0]}/?rto=60")
        hung = await apprise.send(deaf, page(), deadline_s=Seconds(0.5))
        (stem,) = children(os.getpid())
        killed = wait_until(lambda: not any(alive(pid) for pid in children(stem)))
        well = Secret(f"json://127.0.0.1:{catcher.port}/")
        return hung, killed, await apprise.send(well, page())

    hung, killed, well = with_apprise(use)

    assert Uncertain("deadline", "no end after 0.5 s; the sender was killed") == hung
    assert killed
    assert isinstance(well, Accepted)


@pytest.mark.slow
@pytest.mark.parametrize("urgency", [Urgency.high, Urgency.low])
def test_a_healthy_high_page_is_handed_over_while_fifty_endpoints_hang(
    catcher: Catcher, deaf_ports: list[int], urgency: Urgency
) -> None:
    async def use(apprise: Apprise) -> tuple[Any, bool]:
        hanging = [
            asyncio.create_task(
                apprise.send(Secret(f"json://127.0.0.1:{port}/?rto=60"), page(urgency))
            )
            for port in deaf_ports
        ]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            outcome = await apprise.send(Secret(f"json://127.0.0.1:{catcher.port}/"), page())
        none_ended = not any(one.done() for one in hanging)
        for one in hanging:
            one.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        return outcome, none_ended

    outcome, none_ended = with_apprise(use)

    assert isinstance(outcome, Accepted)
    assert none_ended


def test_a_dead_stem_is_replaced(catcher: Catcher) -> None:
    async def use(apprise: Apprise) -> Any:
        (stem,) = children(os.getpid())
        pids = [stem, *children(stem)]
        os.kill(stem, signal.SIGKILL)
        await asyncio.to_thread(wait_until, lambda: not any(alive(pid) for pid in pids))
        return await apprise.send(Secret(f"json://127.0.0.1:{catcher.port}/"), page())

    assert isinstance(with_apprise(use), Accepted)


def test_sender_processes_see_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANA_PUSH", "hunter2")

    async def use(_: Apprise) -> bytes:
        (stem,) = children(os.getpid())
        return Path(f"/proc/{stem}/environ").read_bytes()

    environment = with_apprise(use)

    assert b"PATH=" in environment
    assert b"hunter2" not in environment


@pytest.mark.slow
def test_no_process_survives_the_node(deaf_ports: list[int]) -> None:
    program = textwrap.dedent(
        """
        import asyncio, sys
        from sentinel.kinds import Message
        from sentinel.notifiers.apprise import Apprise
        from sentinel.words import Seconds, Secret, Urgency

        class Plain:
            def reveal(self, secret):
                return secret.template

        async def main():
            apprise = Apprise(Plain())
            await apprise.start()
            print("up", flush=True)
            page = Message("t", "b", "s", "c", "l", Urgency.high)
            await apprise.send(Secret(sys.argv[1]), page, deadline_s=Seconds(60))

        asyncio.run(main())
        """
    )
    address = f"json://127.0.0.1:{deaf_ports[0]}/?rto=60"
    node = subprocess.Popen([sys.executable, "-c", program, address], stdout=subprocess.PIPE)
    assert node.stdout is not None
    try:
        assert node.stdout.readline() == b"up\n"
        (stem,) = children(node.pid)
        assert wait_until(lambda: len(children(stem)) > 0)
        pids = [stem, *children(stem)]
    finally:
        node.kill()
        node.wait()
        node.stdout.close()

    assert wait_until(lambda: not any(alive(pid) for pid in pids))
