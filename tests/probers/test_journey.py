"""The `journey` kind: a session through pages, with captured values and certain cleaning up."""

import asyncio

import pytest

from sentinel.expression import compile_expression
from sentinel.metrics.families import KNOWN
from sentinel.monitor.probe import Expectation
from sentinel.playbook.playbook import Reference
from sentinel.probers.http import Http
from sentinel.probers.journey import Journey, JourneyStep
from sentinel.transport.curl import Transport
from sentinel.words import Outcome
from tests.probers.documents import shown
from tests.transport.servers import OK, observed, recording, redirect, serving, silent

OUTSIDE = frozenset({"body", "json", "html", "headers", "capture"})
NAMES = {**Http.NAMES, **Journey.STEP_NAMES}


def expression(source):
    return compile_expression(source, NAMES, outside=OUTSIDE, functions=Http.FUNCTIONS)


def referring(value):
    """A document's value as the library gives it: `${…}` is a reference."""
    match value:
        case str() if value.startswith("${"):
            return Reference(compile_expression(value[2:-1], Journey.STEP_NAMES, outside=OUTSIDE))
        case dict():
            return {name: referring(each) for name, each in value.items()}
        case tuple() | list():
            return type(value)(referring(each) for each in value)
        case _:
            return value


def step(id_, expect=(), capture=None, warn=(), **http):
    expectations = [Expectation(expression(each)) for each in expect]
    expectations += [Expectation(expression(each), Outcome.warn, "odd") for each in warn]
    taken = {name: expression(each) for name, each in (capture or {}).items()}
    return JourneyStep(id_, Http(**referring({"ip": "ipv4", **http})), tuple(expectations), taken)


def walk(answers, *steps, cleanup=(), seconds=5.0, tls=None):
    """What the journey observes of a server that answers by path, and what it was asked."""
    script, heard = recording(answers) if isinstance(answers, dict) else (answers, [])

    async def main():
        async with serving(script, tls) as port, Transport() as transport:
            journey = Journey(steps, base=f"http://127.0.0.1:{port}", cleanup=tuple(cleanup))
            return await observed(journey, transport, seconds=seconds)

    return asyncio.run(main()), heard


def page(html, *lines):
    body = html.encode()
    head = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Content-Type: text/html", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


LOGIN = page(
    '<form method="post" action="add/?step=1"><input name="csrfmiddlewaretoken" value="t&amp;k 1">'
    '<a class="product" data-sku="mug/1">Mug</a></form>',
    "Set-Cookie: csrftoken=c1; Path=/",
)
TOKEN = 'html.attr("input[name=csrfmiddlewaretoken]", "value")'


def test_a_form_is_filled_in_as_a_browser_would():
    see = step(
        "see",
        path=("basket", ""),
        capture={"token": TOKEN, "action": 'html.attr("form", "action")'},
    )
    add = step(
        "add",
        method="POST",
        url="${capture.action}",
        form={"csrfmiddlewaretoken": "${capture.token}", "quantity": "1"},
        expect=["status == 200", "redirects.count == 1"],
    )
    answers = {
        "/basket/": LOGIN,
        "/basket/add/": redirect("/basket/done", 302, "Set-Cookie: basket=b2; Path=/"),
        "/basket/done": page("<h1>One mug</h1>"),
    }
    done = step("done", url="/basket/done", expect=['html.text("h1") == "One mug"'])

    observation, heard = walk(answers, see, add, done)

    assert ("", None) == (observation.reason, observation.outcome)
    paths = ["/basket/", "/basket/add/?step=1", "/basket/done", "/basket/done"]
    assert paths == [path for path, _ in heard]
    posted = heard[1][1].decode()
    assert posted.startswith("POST ")
    assert posted.endswith("csrfmiddlewaretoken=t%26k+1&quantity=1")
    assert "Cookie: csrftoken=c1" in posted
    assert "/basket/\r\n" in posted.partition("Referer: ")[2]
    assert "basket=b2" in heard[3][1].decode()


def test_captured_values_are_data_in_paths_and_queries():
    see = step("see", capture={"sku": 'html.attr("a.product", "data-sku")'})
    ask = step("ask", path=("p", "${capture.sku}"), query={"q": "${capture.sku}"})

    _, heard = walk({"/": LOGIN}, see, ask)

    assert "/p/mug%2F1?q=mug%2F1" == heard[1][0]


def test_json_keeps_the_type_of_a_captured_value():
    see = step("see", capture={"id": "json.id", "total": "json.total"})
    pay = step("pay", method="POST", json={"id": "${capture.id}", "of": ["${capture.total}"]})

    _, heard = walk({"/": page('{"id": 7, "total": 1.5}')}, see, pay)

    assert heard[1][1].endswith(b'{"id": 7, "of": [1.5]}')


def test_expectations_may_compare_with_what_was_captured():
    see = step("see", capture={"id": "json.id"})
    again = step("again", expect=["json.id == capture.id"])

    observation, _ = walk({"": page('{"id": 7}')}, see, again)

    assert "" == observation.reason


@pytest.mark.parametrize(
    ("failing", "reason", "asked"),
    [
        ({"expect": ['body.contains("mug")']}, "unexpected_body", 2),
        ({}, "unexpected_status", 2),
        ({"expect": ["status == 404"], "capture": {"x": TOKEN}}, "field_missing", 2),
        ({"expect": ["status == 404"], "capture": {"x": "json.id"}}, "field_type", 2),
        ({"url": "http://127.0.0.1:1/"}, "connect_refused", 1),
        ({"path": ("${capture.dots}",)}, "invalid_request", 1),
        ({"url": "${capture.script}"}, "foreign_url", 1),
        ({"url": "${capture.inside}"}, "foreign_url", 1),
        ({"url": "${capture.noise}"}, "foreign_url", 1),
    ],
)
def test_the_first_failing_step_ends_the_journey_with_its_reason(failing, reason, asked):
    said = {"dots": "..", "script": "javascript:1", "inside": "//10.0.0.1/admin", "noise": "//[/"}
    first = step("first", path=("ok",), capture={k: f'"{v}"' for k, v in said.items()})
    second = step(
        "second", **{"path": ("gone",), **({"path": ()} if "url" in failing else {}), **failing}
    )
    third = step("third", path=("ok",))
    answers = {
        "/ok": page("<h1>mug</h1>"),
        "": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    }

    observation, heard = walk(answers, first, second, third)

    assert (Outcome.failed, reason, asked) == (
        observation.outcome,
        observation.reason,
        len(heard),
    )
    assert observation.text.startswith("step `second`: ")
    assert "second" == observation.evidence.facts["step"]
    assert {"first": 1, "second": 0} == observation.metrics["probe_journey_step_success"]
    assert (reason == "connect_refused") is observation.network


def test_a_good_journey_is_told_step_by_step():
    observation, _ = walk({}, step("one"), step("two", path=("b",)))

    assert [200, 200] == [each["status"] for each in observation.values["steps"].values()]
    assert observation.values["timing"]["total_s"] == observation.duration_s > 0
    assert ["timing.total_s", "steps.one.total_s", "steps.two.total_s"] == [
        sample.name for sample in observation.samples
    ]
    assert observation.metrics.keys() <= KNOWN.keys()
    assert ["one", "two"] == list(observation.metrics["probe_journey_step_duration_seconds"])
    assert 0 < sum(observation.phases.values()) <= observation.duration_s + 1e-6


def test_a_warning_step_does_not_end_the_journey():
    observation, heard = walk({}, step("one", warn=["status == 201"]), step("two"))

    assert (Outcome.warn, "odd", 2) == (observation.outcome, observation.reason, len(heard))


GONE = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


def test_cleanup_runs_also_after_a_failure_and_every_step_of_it():
    observation, heard = walk(
        {"/fail": GONE, "/c1": GONE},
        step("one", path=("fail",)),
        cleanup=[step("c1", path=("c1",)), step("c2", path=("c2",))],
    )

    assert ["/fail", "/c1", "/c2"] == [path for path, _ in heard]
    assert (Outcome.failed, "unexpected_status") == (observation.outcome, observation.reason)
    assert "cleaning up failed too: step `c1`" in observation.text
    assert ["c1"] == list(observation.evidence.facts["cleanup"])


def test_a_failed_cleanup_after_a_good_journey_is_a_warning_of_its_own():
    observation, _ = walk({"/c": GONE}, step("one"), cleanup=[step("c", path=("c",))])

    assert (Outcome.warn, "cleanup_failed") == (observation.outcome, observation.reason)


def test_what_was_never_captured_need_not_be_undone():
    observation, heard = walk(
        {"/fail": GONE},
        step("one", path=("fail",), capture={"order": "json.id"}),
        cleanup=[
            step("cancel", method="POST", path=("orders", "${capture.order}", "cancel")),
            step("empty", path=("empty",)),
        ],
    )

    assert ["/fail", "/empty"] == [path for path, _ in heard]
    assert "cleaning up" not in observation.text


def test_time_is_kept_for_cleaning_up():
    async def script(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b" ")[1])
        if b"/slow" in head:
            await silent(reader, writer)
        writer.write(OK)
        await writer.drain()

    asked: list[bytes] = []
    observation, _ = walk(
        script, step("one", path=("slow",)), cleanup=[step("c", path=("c",))], seconds=1.0
    )

    assert [b"/slow", b"/c"] == asked
    assert ("timeout", False) == (observation.reason, "cleaning up" in observation.text)
    assert observation.duration_s < 0.9


def test_the_page_before_is_told_only_within_its_origin():
    first, heard_first = recording({})
    second, heard_second = recording({})

    async def main():
        async with serving(first) as here, serving(second) as there, Transport() as transport:
            steps = (
                step("one", path=("a",), query={"token": "t"}),
                step("two", path=("b",)),
                step("three", url=f"http://127.0.0.1:{there}/c"),
            )
            await observed(Journey(steps, base=f"http://127.0.0.1:{here}"), transport)
            return here

    here = asyncio.run(main())

    assert f"Referer: http://127.0.0.1:{here}/a?token=t\r\n".encode() in heard_first[1][1]
    assert f"Referer: http://127.0.0.1:{here}/\r\n".encode() in heard_second[0][1]


def test_each_run_is_a_new_visitor():
    script, heard = recording({"": OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n")})

    async def main():
        async with serving(script) as port, Transport() as transport:
            journey = Journey((step("one"), step("two")), base=f"http://127.0.0.1:{port}")
            for _ in range(2):
                await observed(journey, transport)

    asyncio.run(main())

    assert [False, True, False, True] == [b"Cookie: a=b" in request for _, request in heard]


def test_a_captured_value_has_bounds():
    see = step("see", capture={"all": "body"})

    observation, _ = walk({"": page("x" * 5000)}, see)

    assert "field_type" == observation.reason


@pytest.mark.parametrize(
    "make",
    [
        lambda: Journey((step("one"), step("one"))),
        lambda: step("Not-A-Name"),
        lambda: step("one", capture={"Not A Name": "body"}),
        lambda: step("one", follow="${capture.x}"),
    ],
)
def test_what_cannot_be_walked_is_refused_when_it_is_declared(make):
    with pytest.raises(ValueError, match=r"called|written|captured"):
        make()


def test_what_the_pages_show_can_be_declared():
    assert {"journey"} == {probe.kind for probe in shown("journey").values()}
