"""What we do otherwise on purpose: at most ten things, each on the page of the docs, each shown here."""

import re
import time
from collections.abc import Callable, Sequence

import pytest

from tests.blackbox.differential.case import FOUR, HTTP, Case, wants
from tests.blackbox.differential.clients import BASIC
from tests.blackbox.differential.programs import EXPORTER, Programs, Said
from tests.blackbox.differential.web import COUNTED
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.needs(EXPORTER, "openssl", "nginx")]

PAGE = ROOT / "docs" / "reference" / "blackbox-differences.md"
MOST = 10


def http(name: str, target: str, *, known: bool = True, **block: object) -> Case:
    return Case(name, (), True, "http", {**FOUR, **block}, target, known=known)


ANA = {"basic_auth": {"username": "ana", "password": "secret"}}
ELSEWHERE = wants("Authorization", BASIC).replace("localhost", "127.0.0.1").replace("%", "%25")
TOKEN = {
    "client_id": "ana",
    "client_secret": "secret",
    "token_url": "http://127.0.0.1:<http>/token?case=kept",
    "endpoint_params": {"case": "kept"},
}
CASES = {
    case.name: case
    for case in (
        http("status", f"{HTTP}/status/404"),
        http("expired", "https://localhost:<https_expired>/ok"),
        http("cookies", "http://localhost:<cookies>/"),
        http("endless", "http://localhost:<endless_body>/"),
        http("leads-away", f"{HTTP}/to?u={ELSEWHERE.replace('&', '%26')}", **ANA),
        http(
            "same-name",
            f"{HTTP}/cookie?u=http://localhost:<http>/wants%3Fh%3DCookie%26v%3Dbasket%253D7",
        ),
        Case("hangs", (), False, "grpc", FOUR, "localhost:<silent>", timeout="500ms"),
        http("kept", f"{HTTP}/ok", oauth2=TOKEN),
        http("sentinel", f"{HTTP}/starts?h=User-Agent&v=Sentinel/"),
        http("original", f"{HTTP}/starts?h=User-Agent&v=Blackbox"),
        http("metadata", "http://169.254.169.254/", known=False),
        http(
            "both",
            f"{HTTP}/json",
            known=False,
            fail_if_body_not_matches_regexp=["up"],
            fail_if_body_json_not_matches_cel='body.state == "up"',
        ),
    )
}


@pytest.fixture(scope="module")
def programs(start_both: Callable[[Sequence[Case]], Programs]) -> Programs:
    return start_both(tuple(CASES.values()))


def ours(programs: Programs, name: str) -> Said:
    return programs.ours(CASES[name])


def theirs(programs: Programs, name: str) -> Said:
    return programs.theirs(CASES[name])


def reason(said: Said) -> str:
    [labels] = said.families["sentinel_probe_failure"]
    return dict(labels)["reason"]


def test_failure_reasons(programs: Programs) -> None:
    assert "unexpected_status" == reason(ours(programs, "status"))
    assert "sentinel_probe_failure" not in theirs(programs, "status").families


def test_refused_certificates(programs: Programs) -> None:
    said = ours(programs, "expired")

    assert said.families["probe_ssl_earliest_cert_expiry"][()] < time.time()
    assert "probe_ssl_earliest_cert_expiry" not in theirs(programs, "expired").families


def test_limits(programs: Programs) -> None:
    assert theirs(programs, "cookies").success
    assert "headers_too_large" == reason(ours(programs, "cookies"))
    assert "body_too_large" == reason(ours(programs, "endless"))


def test_credentials_stay(programs: Programs) -> None:
    assert theirs(programs, "leads-away").success
    assert 401 == ours(programs, "leads-away").families["probe_http_status_code"][()]


def test_cookies_belong_to_a_name(programs: Programs) -> None:
    assert ours(programs, "same-name").success
    assert not theirs(programs, "same-name").success


def test_no_waiting_in_vain(programs: Programs) -> None:
    said = ours(programs, "hangs")

    assert 4 == said.families["probe_grpc_status_code"][()]
    assert said.took_s < 3
    with pytest.raises(TimeoutError):
        programs.theirs(CASES["hangs"], patience_s=3)


def test_tokens_are_kept(programs: Programs) -> None:
    counts = []
    for program in (ours, theirs):
        before = COUNTED["/token?case=kept"]
        assert all(program(programs, "kept").success for _ in range(3))
        counts.append(COUNTED["/token?case=kept"] - before)

    assert [1, 3] == counts


def test_our_name_is_sent(programs: Programs) -> None:
    assert ours(programs, "sentinel").success
    assert theirs(programs, "original").success


def test_some_addresses_are_refused(programs: Programs) -> None:
    said = ours(programs, "metadata")

    assert "address_refused" == reason(said)
    assert said.took_s < 1


def test_what_was_read_is_not_lost(programs: Programs) -> None:
    assert ours(programs, "both").success


def test_each_difference_is_on_the_page_and_has_a_test() -> None:
    listed = re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)
    shown = [
        name.removeprefix("test_").replace("_", " ")
        for name in globals()
        if name.startswith("test_") and "each_difference" not in name
    ]

    assert sorted(shown) == sorted(each.lower() for each in listed)
    assert len(listed) <= MOST
