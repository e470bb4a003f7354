"""Every sickness of the tables, met by every kind: it ends in time, with its reason, in bounded memory."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.hostile import http_cases, line_cases, tls_cases, wire_cases
from tests.hostile.suite import MOST_GROWN, Case, perform, wrong
from tests.hostile.targets import OVER_TLS, WAYS, Aim

pytestmark = pytest.mark.slow


def met(cases: tuple[Case, ...], way: str, aim: Aim) -> object:
    return wrong(cases, asyncio.run(perform(cases, way, aim)))


@pytest.mark.parametrize("way", line_cases.REASONS)
def test_whatever_a_server_says_a_check_of_it_ends_with_its_reason(way: str) -> None:
    assert {} == met(line_cases.cases_of(way), way, WAYS[way])


@pytest.mark.parametrize("way", http_cases.WAYS)
def test_whatever_a_web_server_answers_a_check_of_it_ends_with_its_reason(way: str) -> None:
    assert {} == met(http_cases.cases_of(way), way, WAYS[way])


@pytest.mark.parametrize("way", OVER_TLS)
def test_whatever_breaks_tls_a_check_of_it_ends_with_its_reason(way: str) -> None:
    assert {} == met(tls_cases.cases_of(way), way, OVER_TLS[way])


@pytest.mark.parametrize("way", wire_cases.CASES)
def test_whatever_breaks_its_protocol_a_check_of_it_ends_with_its_reason(way: str) -> None:
    assert {} == met(wire_cases.CASES[way], way, wire_cases.aim_of(way))


@pytest.mark.parametrize("flood", ["HelloRequest", "tickets"])
@pytest.mark.parametrize("way", ["http", "ftp", "websocket", "sql postgresql"])
def test_a_flood_of_tls_messages_does_not_hold_the_loop(flood: str, way: str) -> None:
    came = flooded(flood, way)

    assert came["reason"] in ("tls_failed", "reset", "timeout", "protocol_error", ""), came
    assert came["took_s"] < 6.0
    assert came["held_s"] < 2.0


def test_a_flood_of_rows_does_not_hold_the_loop() -> None:
    came = flooded("rows", "sql postgresql")

    assert "body_too_large" == came["reason"], came
    assert came["took_s"] < 6.0
    assert came["held_s"] < 2.0


def flooded(flood: str, way: str) -> dict[str, Any]:
    """What came of a check in a process of its own."""
    argv = [sys.executable, "-m", "tests.hostile.flooded", flood, way]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=20, check=True)
    return dict(json.loads(ended.stdout))


def test_the_suite_would_see_a_reason_that_is_not_in_the_table() -> None:
    mistaken = Case("closes", line_cases.cases_of("tcp")[0].script, frozenset({"reset"}))

    assert ["closes"] == list(met((mistaken,), "tcp", WAYS["tcp"]))


def test_the_suite_would_see_memory_that_grows() -> None:
    hoard: list[bytes] = []

    async def hoarding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hoard.append(b"\1" * (2 * MOST_GROWN))

    case = Case("hoards", hoarding, frozenset({"unexpected_line"}))

    assert "grew by" in wrong((case,), asyncio.run(perform((case,), "tcp", WAYS["tcp"])))["hoards"]
