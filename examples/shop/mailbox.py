"""A mail server on loopback that delivers everything into a Maildir and nothing anywhere else.

``python -m examples.shop.mailbox --port 8803 --dir DIR`` prints one JSON line when it listens and
one per mail: ``{"mail": "…", "to": […], "subject": "…", "text": "…"}``. It keeps what real
servers also do at times: it may refuse, or be silent (`Manners`).
"""

import argparse
import asyncio
import mailbox
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from weakref import WeakSet

from aiosmtpd.smtp import SMTP

from examples.shop.serving import end_with_parent, listening, say

MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Manners:
    """How the server treats a mail. `refusal` is an SMTP reply, say ``451 try later``."""

    refusal: str = ""
    silent_for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Mail:
    """A delivered mail: its file, whom it was for, and the mail itself."""

    name: str
    to: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain text, or the HTML where there is no plain text."""
        body = self.message.get_body(("plain", "html"))
        return str(body.get_content()) if body is not None else ""


class MailServer:
    """Listens in a thread of its own from `start` to `stop`.

    `delivered` is called in that thread for each mail, once it is on the disk.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, delivered: Callable[[Mail], None] | None = None
    ) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._box = mailbox.Maildir(folder, create=True)
        self._delivered = delivered
        self._listener = listening(port)
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._conversations: WeakSet[SMTP] = WeakSet()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.manners = Manners()
        self.folder = folder
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """From here on mail is taken; the port listens since this server was made."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _serve(self) -> None:
        server = await self._loop.create_server(self._conversation, sock=self._listener)
        await self._stopped.wait()  # also when `stop` came before there was a server
        # A closed asyncio server drops the connections that it has just taken and leaves them open:
        # it takes no more, what was taken is hung up on, and then it closes.
        self._loop.remove_reader(self._listener)
        while len(asyncio.all_tasks()) > 1:  # this one, and conversations
            for conversation in self._conversations:
                if isinstance(conversation.transport, asyncio.Transport):
                    conversation.transport.abort()
            await asyncio.sleep(0)
        server.close()

    def _conversation(self) -> SMTP:
        smtp = SMTP(self, data_size_limit=MOST_BYTES, hostname="localhost", loop=self._loop)
        self._conversations.add(smtp)
        return smtp

    def mails(self) -> list[Mail]:
        """What was delivered so far, oldest first."""
        files = sorted(self.folder.joinpath("new").iterdir(), key=_arrived)
        return [_mail(file) for file in files]

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """aiosmtpd's hook for a mail that arrived whole; gives the reply."""
        if self.manners.silent_for_s:
            await asyncio.sleep(self.manners.silent_for_s)
        if self.manners.refusal:
            return self.manners.refusal
        kept = mailbox.MaildirMessage(envelope.content)
        for recipient in envelope.rcpt_tos:
            kept["Delivered-To"] = recipient
        name = self._box.add(kept)
        if self._delivered is not None:
            self._delivered(_mail(self.folder / "new" / name))
        return "250 OK: delivered"


def _arrived(file: Path) -> tuple[int, str]:
    return file.stat().st_mtime_ns, file.name


def _mail(file: Path) -> Mail:
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    to = tuple(str(recipient) for recipient in message.get_all("Delivered-To", []))
    return Mail(file.name, to, message)


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m examples.shop.mailbox", description=__doc__)
    asked.add_argument("--port", type=int, default=8803, help="0: any free port")
    asked.add_argument("--dir", type=Path, required=True, help="the Maildir; made when missing")
    asked.add_argument("--until-stdin-closes", action="store_true", help="end with the parent")
    wanted = asked.parse_args()
    end_with_parent(watch=wanted.until_stdin_closes)

    def tell(mail: Mail) -> None:
        say(mail=mail.name, to=mail.to, subject=mail.subject, text=mail.text)

    server = MailServer(wanted.dir, port=wanted.port, delivered=tell)
    server.start()
    say(ready="mailbox", address=f"smtp://127.0.0.1:{server.port}")
    threading.Event().wait()


if __name__ == "__main__":
    main()
