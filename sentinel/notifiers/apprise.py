"""Pages over 170 services, each send in a process of its own that may be killed."""

from typing import ClassVar
from urllib.parse import urlsplit

from sentinel.errors import SecretMissing
from sentinel.kinds import Accepted, Message, Refused, Secrets, Uncertain
from sentinel.notifiers.wire.frames import Letter, Reply
from sentinel.notifiers.wire.pool import Pool
from sentinel.words import Seconds, Secret, Urgency

DEADLINE_S = Seconds(10.0)
"""How long one send may take (rule 21)."""


class Apprise:
    """Sends a page to one URL of Apprise's many: mail, ntfy, Slack, Telegram, SMS, webhooks.

    Of Apprise nothing but the wire is used: one recipient per URL, no retry, no redirects, no
    attachments, nothing stored on disk. The acknowledge link and the code come first; what is too
    long for a service is cut at the end.

    `send` never raises and returns within twice its deadline. *Accepted* means that the service
    took the message, never that somebody got it. *Refused* reasons: ``address`` (the URL cannot
    be used), ``secret_missing``, ``unreachable``, ``tls``, ``login``, ``throttled``,
    ``redirected``, ``rejected``, ``vendor_error``, ``not_sent``, ``no_sender`` (all busy).
    *Uncertain* ones: ``deadline``, ``answer_lost``, ``sender_lost``, ``sender_error``. Texts
    never hold credentials.
    """

    KIND: ClassVar[str] = "apprise"

    def __init__(self, secrets: Secrets, *, most: int = 64, low_most: int = 8) -> None:
        """`most` bounds the sender processes (about 8 MB each while in use), `low_most` those that
        low urgency may hold at once; the others are reserved for high."""
        self._secrets = secrets
        self._pool = Pool(most=most, low_most=low_most)

    async def start(self) -> None:
        """Load Apprise in its process (about 1.4 s). Without it the first send pays for that."""
        await self._pool.start()

    async def close(self) -> None:
        """End all processes; sends in flight are cut off and come to *uncertain*."""
        await self._pool.close()

    async def send(
        self, address: Secret, message: Message, *, deadline_s: Seconds = DEADLINE_S
    ) -> Accepted | Refused | Uncertain:
        """Send one message to one recipient."""
        try:
            url = self._secrets.reveal(address).strip()
        except SecretMissing as missing:
            return Refused("secret_missing", str(missing))
        reply = await self._pool.send(
            Letter(url, message.title, message.short, message.body),
            endpoint=_endpoint(url),
            urgent=message.urgency is Urgency.high,
            deadline_s=deadline_s,
        )
        return _outcome(reply)


def _endpoint(url: str) -> str:
    """What is counted together: scheme, host and port. Kept in memory only."""
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}"


def _outcome(reply: Reply) -> Accepted | Refused | Uncertain:
    match reply.status:
        case "accepted":
            return Accepted(reply.text)
        case "refused":
            return Refused(reply.reason, reply.text)
        case _:
            return Uncertain(reply.reason, reply.text)
