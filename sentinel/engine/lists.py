"""The list of a ``discover:`` is had: from its file, or from its endpoint within 10 seconds."""

import asyncio
from pathlib import Path

from sentinel.kinds import Secrets
from sentinel.library.discovery import MOST_BYTES, Found, read_found
from sentinel.library.expanding import Discovery
from sentinel.transport.curl import Transport
from sentinel.transport.wire import Request

WITHIN_S = 10.0
_REFRESH = "X-Prometheus-Refresh-Interval-Seconds"


class ListUnread(Exception):
    """A list could not be had; the text says why and holds no secret. `away`: its endpoint did not
    answer at all."""

    def __init__(self, text: str, *, away: bool = False) -> None:
        super().__init__(text)
        self.away = away


async def read_list(
    discovery: Discovery, *, folder: Path, transport: Transport, secrets: Secrets
) -> list[Found]:
    """The addresses of a declaration's list now. `folder` is the workspace. Raises ListUnread, and
    ListRefused for what is no list; SecretMissing for its token."""
    source = discovery.source
    if source.file:
        content = await asyncio.to_thread(_content, folder / source.file)
        yaml = source.file.endswith((".yaml", ".yml"))
        return await asyncio.to_thread(read_found, content, most=discovery.most, yaml=yaml)
    headers = [("Accept", "application/json"), (_REFRESH, f"{discovery.every_s:g}")]
    if source.bearer is not None:
        headers.append(("Authorization", f"Bearer {secrets.reveal(source.bearer)}"))
    request = Request(source.url, headers=tuple(headers), body_limit=MOST_BYTES)
    exchange = await transport.fetch(request, transport.now() + WITHIN_S)
    if exchange.reason is not None:
        raise ListUnread(f"{exchange.reason.value}: {exchange.text}", away=True)
    if exchange.status != 200:
        raise ListUnread(f"the answer has status {exchange.status}")
    return await asyncio.to_thread(read_found, exchange.body, most=discovery.most)


def _content(path: Path) -> bytes:
    """The file's bytes, one more than may be at most. Raises ListUnread."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ListUnread(f"{path.name}: {error.strerror}") from error
