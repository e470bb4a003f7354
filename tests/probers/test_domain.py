"""The `domain` kind, against an RDAP server that answers as registries do (RFC 9083)."""

import asyncio
import contextlib
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.expression import compile_expression
from sentinel.kinds import ProbeWorld
from sentinel.probers.domain import Domain
from sentinel.probers.rdap import ascii_name, domain_facts, instant, server_of
from sentinel.transport.curl import Transport
from sentinel.words import Outcome
from tests.probers.documents import shown
from tests.transport.servers import NOW, Secrets, recording, serving


def after(days):
    return (NOW + timedelta(days=days)).isoformat().replace("+00:00", "Z")


def answer(body, status="200 OK", *more):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status}", "Content-Type: application/rdap+json", *more]
    return "\r\n".join([*head, f"Content-Length: {len(content)}", "", ""]).encode() + content


def domain(
    days=200,
    *,
    status=("client transfer prohibited",),
    servers=("A.NS.example", "b.ns.example"),
    **more,
):
    """As RFC 9083, 5.3 shows one."""
    return {
        "rdapConformance": ["rdap_level_0"],
        "objectClassName": "domain",
        "handle": "1-ACME",
        "ldhName": "ACME.EXAMPLE",
        "status": list(status),
        "events": [
            {"eventAction": "registration", "eventDate": after(-1000)},
            {"eventAction": "last changed", "eventDate": after(-30)},
            {"eventAction": "expiration", "eventDate": after(days)},
            {"eventAction": "last update of RDAP database", "eventDate": after(0)},
        ],
        "entities": [
            {"objectClassName": "entity", "roles": ["technical"]},
            {
                "objectClassName": "entity",
                "roles": ["registrar"],
                "publicIds": [{"type": "IANA Registrar ID", "identifier": "292"}],
                "vcardArray": [
                    "vcard",
                    [["version", {}, "text", "4.0"], ["fn", {}, "text", "Acme Names"]],
                ],
            },
        ],
        "nameservers": [{"objectClassName": "nameserver", "ldhName": name} for name in servers],
        "secureDNS": {"delegationSigned": True},
        **more,
    }


def check(answers, *, kept=None, needed="", now=NOW, name="acme.example", **fields):
    """What the kind observes; and which paths were asked for. ``http://rdap.test`` is the server."""

    async def main():
        script, heard = recording(answers)
        async with serving(script) as port, Transport() as transport:
            root = f"http://127.0.0.1:{port}"
            for path, reply in list(answers.items()):
                answers[path] = reply.replace(b"http://rdap.test", root.encode())
            world = ProbeWorld(
                now=now,
                deadline=transport.now() + 5,
                transport=transport,
                secrets=Secrets(),
                kept=kept,
                needed=frozenset(needed.split()),
            )
            how = {"server": "http://rdap.test/rdap/"} | fields
            how = {key: value.replace("http://rdap.test", root) for key, value in how.items()}
            return await Domain(name, **how).observe(world), [path for path, _ in heard]

    return asyncio.run(main())


def asked(reply, **how):
    return check({"/rdap/domain/acme.example": reply}, **how)[0]


def holds(source, observation):
    return compile_expression(source, Domain.NAMES).evaluate(observation.values)


def test_what_the_registry_says():
    observation = asked(answer(domain(41.5)))

    assert (None, "") == (observation.outcome, observation.reason)
    assert holds(
        'days_left == 41.5 && age_days == 1000.0 && registrar == "Acme Names"', observation
    )
    assert holds(
        'registrar_id == "292" && nameservers == ["a.ns.example", "b.ns.example"]', observation
    )
    assert holds(
        '"client transfer prohibited" in statuses && signed && !nameservers_changed', observation
    )
    assert (
        "acme.example: 42 days left, by Acme Names; client transfer prohibited" == observation.text
    )
    assert set(observation.metrics) == {family.name for family in Domain.METRICS}


@pytest.mark.parametrize(
    ("days", "status", "reason", "outcome"),
    [
        (200, [], "", None),
        (13, [], "expiring", Outcome.warn),
        (-1, [], "expired", Outcome.failed),
        (200, ["server hold"], "on_hold", Outcome.failed),
        (20, ["Redemption Period"], "pending_delete", Outcome.failed),
    ],
)
def test_without_expectations(days, status, reason, outcome):
    observation = asked(answer(domain(days, status=status)))

    assert (reason, outcome) == (observation.reason, observation.outcome)


@pytest.mark.parametrize(
    ("reply", "reason", "outcome"),
    [
        (answer({"errorCode": 404}, "404 Not Found"), "not_registered", Outcome.failed),
        (answer({}, "429 Too Many Requests", "Retry-After: 60"), "rate_limited", Outcome.unknown),
        (answer({}, "500 Oh"), "unexpected_status", Outcome.unknown),
        (answer(b"<html>"), "not_rdap", Outcome.unknown),
        (answer({"objectClassName": "entity"}), "not_rdap", Outcome.unknown),
        (answer(b"[" * 50_000), "not_rdap", Outcome.unknown),
        (b"", "empty_reply", Outcome.unknown),
    ],
)
def test_a_registry_that_does_not_answer_says_nothing_of_the_domain(reply, reason, outcome):
    observation = asked(reply)

    assert (reason, outcome) == (observation.reason, observation.outcome)


def test_a_registry_that_gives_no_expiry():
    reply = answer(domain(events=[]))

    assert "" == asked(reply).reason
    named = asked(reply, needed="days_left")
    assert ("no_expiry", Outcome.unknown) == (named.reason, named.outcome)


BOOTSTRAP = {
    "version": "1.0",
    "services": [
        [["com", "net"], ["https://rdap.com.example/"]],
        [["EXAMPLE"], ["ftp://no.example", "http://rdap.test/rdap/"]],
    ],
}


def unlisted(content):
    """Without a length, since the server's own address is put into it."""
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + json.dumps(content).encode()


def by_bootstrap(**how):
    answers = {
        "/dns.json": unlisted(BOOTSTRAP),
        "/rdap/domain/acme.example": answer(domain()),
    }
    return check(answers, server="", bootstrap="http://rdap.test/dns.json", **how)


def test_the_server_is_found_by_the_bootstrap_file_and_remembered():
    first, paths = by_bootstrap()
    kept = {**json.loads(first.keep), "server": "http://127.0.0.1:1/"}
    _, again = by_bootstrap(kept=json.dumps(kept).encode(), now=NOW + timedelta(hours=7))

    assert ("", ["/dns.json", "/rdap/domain/acme.example"]) == (first.reason, paths)
    assert json.loads(first.keep)["server"].endswith("/rdap/")
    assert [] == again


def test_an_ending_that_is_not_listed_is_unknown():
    observation, _ = by_bootstrap(name="acme.nowhere")

    assert ("no_server", Outcome.unknown) == (observation.reason, observation.outcome)


class TestMemory:
    def kept(self, **how):
        return asked(answer(domain(41, **how))).keep

    def test_a_young_answer_is_used_again(self):
        observation, paths = check({}, kept=self.kept(), now=NOW + timedelta(hours=5))

        assert ("", []) == (observation.reason, paths)
        assert holds("days_left < 40.9 && asked_age_s == 18000.0", observation)

    def test_an_old_one_is_asked_for_again(self):
        later = NOW + timedelta(hours=7)
        reply = {"/rdap/domain/acme.example": answer(domain(400, servers=["c.ns.example"]))}
        observation, paths = check(reply, kept=self.kept(), now=later)

        assert ["/rdap/domain/acme.example"] == paths
        assert holds("days_left > 390.0 && asked_age_s == 0.0 && nameservers_changed", observation)

    @pytest.mark.parametrize(("days", "reason"), [(6, ""), (8, "unexpected_status")])
    def test_when_the_registry_is_away_the_last_word_counts_for_a_week(self, days, reason):
        away = {"": answer({}, "503 Away")}
        observation, _ = check(away, kept=self.kept(), now=NOW + timedelta(days=days))

        assert reason == observation.reason

    def test_but_a_domain_that_is_gone_is_gone(self):
        gone = {"": answer({}, "404 Not Found")}

        assert (
            "not_registered" == check(gone, kept=self.kept(), now=NOW + timedelta(days=1))[0].reason
        )

    @pytest.mark.parametrize("kept", [b"", b"{}", b"nonsense", b"[" * 50_000])
    def test_a_memory_that_cannot_be_read_is_none(self, kept):
        assert "" == asked(answer(domain()), kept=kept).reason


def test_the_longest_ending_that_is_listed_counts():
    body = json.dumps(
        {"services": [[["uk"], ["http://uk/"]], [["co.uk"], ["http://co/", "https://co/"]]]}
    )

    assert "https://co/" == server_of(body.encode(), "acme.co.uk")
    assert "http://uk/" == server_of(body.encode(), "acme.org.uk")
    assert "" == server_of(body.encode(), "acme.example")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Acme.Example.", "acme.example"), ("bücher.example", "xn--bcher-kva.example")],
)
def test_names_are_those_of_registries(name, expected):
    assert expected == ascii_name(name)


@pytest.mark.parametrize(
    "name", ["", "localhost", "a b.example", "acme.example/x", "a..example", "x" * 70 + ".example"]
)
def test_what_is_no_domain_is_refused_when_it_is_declared(name):
    with pytest.raises(ValueError, match="domain name"):
        Domain(name)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["status", "events", "entities", "vcardArray", "eventDate", "roles"]
                ),
                inner,
            )
        ),
    )
)
def test_no_answer_does_more_than_be_refused(value):
    body = json.dumps(
        {"objectClassName": "domain", **(value if isinstance(value, dict) else {"entities": value})}
    ).encode()
    with contextlib.suppress(ValueError):  # and nothing else
        assert domain_facts(body).nameservers == []


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-23:59"]
)
def test_what_is_no_time_is_none(text):
    assert instant(text) is None


def test_what_the_pages_show_can_be_declared():
    assert {"domain"} == {probe.kind for probe in shown("domain").values()}
