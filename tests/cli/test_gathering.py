"""What is written within one turn of the event loop leaves together."""

import asyncio

from sentinel.cli.gathering import Gathered


class Recorded(asyncio.Transport):
    """Remembers what was asked of it, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")

    def abort(self) -> None:
        self.done.append("aborted")


def test_a_head_and_its_body_are_one_write() -> None:
    async def written() -> list[bytes | str]:
        under = Recorded()
        transport = Gathered(under, asyncio.get_running_loop())

        transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        transport.write(b"body")
        await asyncio.sleep(0)
        transport.write(b"next")
        await asyncio.sleep(0)
        return under.done

    assert asyncio.run(written()) == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"next"]


def test_what_was_written_leaves_before_the_end() -> None:
    async def written() -> list[bytes | str]:
        under = Recorded()
        transport = Gathered(under, asyncio.get_running_loop())

        transport.write(b"last words")
        transport.close()
        await asyncio.sleep(0)
        return under.done

    assert asyncio.run(written()) == [b"last words", "closed"]


def test_nothing_is_written_after_an_abort() -> None:
    async def written() -> list[bytes | str]:
        under = Recorded()
        transport = Gathered(under, asyncio.get_running_loop())

        transport.write(b"too late")
        transport.abort()
        await asyncio.sleep(0)
        return under.done

    assert asyncio.run(written()) == ["aborted"]
