"""Reading a connection by lines and by counted bytes, with a limit on everything.

For protocols that are told step by step (SMTP, IMAP, RESP, MQTT) the first thing that goes wrong
ends the whole conversation, so it is raised as `Ended` and caught once, by the prober.
"""

from sentinel.transport.connection import Connection
from sentinel.transport.reasons import Reason

MOST_RECEIVED = 1 << 20
"""Bytes that are read in one conversation, in all."""
LONGEST_LINE = 64 * 1024
"""Bytes of one line."""


class Ended(Exception):
    """The conversation is over: a stable reason, and what was said or awaited."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class Lines:
    """Reads and writes one connection until a deadline. `received` is all that came."""

    def __init__(self, connection: Connection, deadline: float) -> None:
        self.connection = connection
        self.received = bytearray()
        self._deadline = deadline
        self._at = 0

    @property
    def waiting(self) -> bytes:
        """What came and was not read yet."""
        return bytes(self.received[self._at :])

    async def send(self, content: bytes) -> None:
        """Send all of it. Raises Ended."""
        lost = await self.connection.send(content, self._deadline)
        if lost is not None:
            raise Ended(lost, "what was to be sent could not be")

    async def line(self, awaited: str) -> bytes:
        """The next line without its end (``\\n``, ``\\r\\n``). Raises Ended, naming what was `awaited`."""
        begun = self._at
        while (end := self.received.find(b"\n", begun)) < 0:  # bounded by the limits
            begun = len(self.received)
            if begun - self._at > LONGEST_LINE:
                raise Ended(Reason.protocol_error, f"a line without an end; awaited: {awaited}")
            await self._more(awaited)
        line = bytes(self.received[self._at : end])
        self._at = end + 1
        return line.removesuffix(b"\r")

    async def exactly(self, size: int, awaited: str) -> bytes:
        """The next `size` bytes. Raises Ended."""
        if size > MOST_RECEIVED:
            raise Ended(Reason.body_too_large, f"{size} bytes were announced; awaited: {awaited}")
        while len(self.received) - self._at < size:  # bounded by the limits
            await self._more(awaited)
        content = bytes(self.received[self._at : self._at + size])
        self._at += size
        return content

    async def _more(self, awaited: str) -> None:
        if len(self.received) > MOST_RECEIVED:
            raise Ended(Reason.body_too_large, f"more than 1 MiB came; awaited: {awaited}")
        chunk = await self.connection.receive(self._deadline)
        if isinstance(chunk, Reason):
            raise Ended(chunk, f"{chunk}; awaited: {awaited}")
        if not chunk:
            came = Reason.truncated if self.received else Reason.empty_reply
            raise Ended(came, f"closed; awaited: {awaited}")
        self.received += chunk
