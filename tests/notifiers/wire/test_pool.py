"""Who may have a sender process, and for how long."""

import asyncio
from collections import Counter

import pytest

from sentinel.notifiers.wire.frames import Letter, Reply
from sentinel.notifiers.wire.pool import ENDPOINT_MOST, HUNG_MOST, Pool


def letter(port: int) -> Letter:
    return Letter(f"json://127.0.0.1:{port}/?rto=60", "Shop down", "Shop down. K7QM", "")


async def send_all(pool: Pool, ports: list[int], *, urgent: bool, deadline_s: float) -> list[Reply]:
    await pool.start()
    try:
        return await asyncio.gather(
            *(
                pool.send(letter(port), endpoint=str(port), urgent=urgent, deadline_s=deadline_s)
                for port in ports
            )
        )
    finally:
        await pool.close()


@pytest.mark.slow
def test_one_dead_endpoint_never_holds_every_process(deaf_ports: list[int]) -> None:
    replies = asyncio.run(send_all(Pool(), [deaf_ports[0]] * 20, urgent=True, deadline_s=0.5))
    reasons = Counter(reply.reason for reply in replies)
    assert reasons["deadline"] <= ENDPOINT_MOST + HUNG_MOST
    assert reasons["no_sender"] == 20 - reasons["deadline"]


@pytest.mark.slow
def test_an_endpoint_that_hung_gets_few_processes_until_it_answers(deaf_ports: list[int]) -> None:
    async def main() -> list[Reply]:
        pool = Pool()
        await pool.start()

        async def send() -> Reply:
            one = letter(deaf_ports[0])
            return await pool.send(one, endpoint="deaf", urgent=True, deadline_s=0.3)

        try:
            await send()
            return await asyncio.gather(*(send() for _ in range(6)))
        finally:
            await pool.close()

    reasons = Counter(reply.reason for reply in asyncio.run(main()))
    assert HUNG_MOST <= reasons["deadline"] <= 2 * HUNG_MOST  # those, and who came after them


@pytest.mark.slow
def test_low_urgency_never_holds_every_process(deaf_ports: list[int]) -> None:
    replies = asyncio.run(
        send_all(Pool(most=8, low_most=2), deaf_ports[:8], urgent=False, deadline_s=0.5)
    )
    assert Counter(reply.status for reply in replies)["uncertain"] <= 4


def test_who_found_no_process_was_refused_for_certain(deaf_ports: list[int]) -> None:
    replies = asyncio.run(send_all(Pool(most=0), deaf_ports[:1], urgent=True, deadline_s=0.05))
    assert [(reply.status, reply.reason) for reply in replies] == [("refused", "no_sender")]
