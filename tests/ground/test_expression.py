"""Expressions: what they may name, what they come to, and how they fail."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.errors import ExpressionFailed, ExpressionRefused
from sentinel.expression import Expression, compile_expression, default_reason
from sentinel.expression.plain import plain
from sentinel.expression.tokens import tokens_of
from sentinel.words import CUT

NAMES = {
    "status": "int",
    "size_bytes": "int",
    "timing": {"total_s": "double", "dns_s": "double", "parts": "map"},
    "body": "string",
    "json": "dyn",
    "headers": "map",
    "html": "dyn",
    "severity": "int",
    "incident": "dyn",
    "labels": "map",
    "now": "time",
    "items": "int",
}
OUTSIDE = frozenset({"body", "json", "html", "headers", "capture", "outputs"})
VALUES: Mapping[str, Any] = {
    "status": 200,
    "size_bytes": 4096,
    "timing": {"total_s": 1.25, "dns_s": 0.0, "parts": {"tls": 1}},
    "body": "Add to basket",
    "json": {"ratio": 0.5, "rows": [{"price": 12}, {"price": 3}], "x-a": None, "": 1, "n": 5},
    "headers": {"content-type": "text/html"},
    "html": '<a class="product" data-sku="mug">',
    "severity": 3,
    "incident": {"severity": 3},
    "labels": {"service": "payments"},
    "now": datetime(2026, 3, 1, 4, 5, tzinfo=UTC),
    "items": 10,
}


def attr(html: str, selector: str, name: str) -> str | None:
    return "mug" if f"{name}=" in html and selector == "a.product" else None


def expression(source: str) -> Expression:
    return compile_expression(source, NAMES, outside=OUTSIDE, functions={"attr": attr})


@pytest.mark.parametrize(
    ("expected", "source"),
    [
        (True, "status == 200"),
        (True, "status in [200, 302]"),
        (True, "timing.total_s < 2"),
        (True, "timing.total_s < 1.5"),
        (True, "2 > timing.total_s"),
        (True, "status < 200.5 && status == 200.0"),
        (1250.0, "timing.total_s * 1000.0"),
        (True, 'body.contains("Add to basket")'),
        (True, 'body.matches("^Add.*t$")'),
        (True, r'body.matches(r"^\w+ to")'),
        (True, 'headers["content-type"].startsWith("text/")'),
        (True, "has(json.ratio) && !has(json.nope)"),
        (True, "!has(labels.vendor) && 'service' in labels"),
        ("mug", 'html.attr("a.product", "data-sku")'),
        ("mug", 'attr(html, "a.product", "data-sku")'),
        (True, 'html.attr("a.none", "data-sku") == null'),
        ([12, 3], "json.rows.map(row, row.price)"),
        (True, "json.rows.exists_one(row, row.price == 3)"),
        (True, "json.rows.all(row, json.rows.exists(other, other.price == row.price))"),
        (12, "json.rows[0].price"),
        (1, 'json[""]'),
        (True, "json.rows.size() == 2 && size(json) == 5"),
        (True, "severity >= error && severity < critical"),
        (True, "incident.severity == error"),
        ({"a": 1}, '{"a": 1}'),
        (4, "now.getHours()"),
        (True, 'now > timestamp("2026-01-01T00:00:00Z") + duration("1h")'),
        (True, "type(json.ratio) == double"),
        ("slow", "timing.total_s > 1.0 ? 'slow' : 'fast'"),
        (True, 'body != "status == nope" // and status of nothing'),
        (True, "json.nope.x == 1 || status == 200"),
    ],
)
def test_an_expression_comes_to_a_plain_value(expected: object, source: str):
    assert expected == expression(source).evaluate(VALUES)


@pytest.mark.parametrize(
    ("reason", "source"),
    [
        ("field_missing", "json.nope == 1"),
        ("field_missing", "json.rows[7].price == 1"),
        ("field_missing", 'headers["server"] == "nginx"'),
        ("field_missing", "has(json.nope.deeper)"),
        ("field_type", "json.ratio.nope == 1"),
        ("field_type", "json.ratio + 1 < 3.0"),
        ("field_type", "json.rows > 3"),
        ("field_type", "json.ratio.size() > 3"),
        ("field_type", "status > 1 && body"),
        ("expression_error", "status / (status - 200) > 1"),
        ("expression_error", 'labels.vendor == "x"'),
        ("expression_error", "items + double(status) > 1.0"),
    ],
)
def test_a_failure_says_whose_fault_it_is(reason: str, source: str):
    with pytest.raises(ExpressionFailed) as failed:
        expression(source).evaluate(VALUES)
    assert reason == failed.value.reason
    assert source in str(failed.value)


def test_a_root_that_is_not_there_is_missing():
    with pytest.raises(ExpressionFailed, match="there is no `json`") as failed:
        expression("json.a == 1").evaluate({})
    assert failed.value.reason == "field_missing"


@pytest.mark.parametrize(
    ("column", "message", "source"),
    [
        (1, "`statsu` is not a name here; did you mean `status`?", "statsu == 200"),
        (16, "`timing` has no `total`; did you mean `total_s`?", "status == 1 && timing.total < 1"),
        (1, "`timing` has no `total`; did you mean `total_s`?", 'timing["total"] < 1'),
        (1, "`status` is of type int and has no `code`", "status.code == 200"),
        (1, "`timing.total_s` is of type double and has no `x`", "timing.total_s.x == 1"),
        (6, "there is no function `containz`; did you mean `contains`?", 'body.containz("a")'),
        (1, "there is no function `matches`; write it after a dot", 'matches(body, "a")'),
        (1, "there is no function `max`", "max(1, 2) == 2"),
        (14, "matches: '(' not a valid regex", 'body.matches("(")'),
        (16, "duration: ", 'now + duration("1 day") > now'),
        (2, "a name does not begin with a dot", ".status == 200"),
        (16, "`*` takes two ints or two doubles", "timing.total_s * 1000 < 1500.0"),
        (12, "`/` takes two ints or two doubles", "size_bytes / timing.total_s > 1000.0"),
        (3, "`+` takes two ints or two doubles", "1 + 2.5 > 3.0"),
        (13, "write error without quotes", 'severity >= "error"'),
        (22, "write critical without quotes", "incident.severity == 'critical'"),
        (36, "comprehensions may be nested once", "json.all(a, json.all(b, json.a.b.c.map(d, json.map(c, c)).size() > 0))"),
        (10, "the expression ends too early", "status =="),
        (8, "extraneous input", "status 200"),
        (10, "the expression ends too early", "status\n=="),
        (1, "the expression ends too early", ""),
        (33, "nested deeper than 32", "(" * 40 + "1" + ")" * 40),
        (33, "nested deeper than 32", "!" * 40 + "true"),
        (4096, "at most 4096 characters", "1" * 5000),
    ],
)  # fmt: skip
def test_what_could_only_fail_later_is_refused_at_load(column: int, message: str, source: str):
    with pytest.raises(ExpressionRefused) as refused:
        expression(source)
    assert message in str(refused.value)
    assert column == refused.value.column


@pytest.mark.parametrize(
    "source",
    [
        'labels.severity == "critical"',
        'json.severity == "critical"',
        'labels.service == "error"',
        "timing.parts.tls == 1",
        "double(items) * timing.total_s > 1.0",
        "json.ratio * 1 > 0",
        "json.map(status, status.nope).size() == 0",
        '[r"\\"].size() == 1 && status == 200',
    ],
)
def test_what_is_declared_open_or_bound_is_accepted(source: str):
    assert source == expression(source).source


def test_names_are_dotted_and_bound_variables_are_none():
    read = expression(
        'json.rows.all(row, row.price > items) && timing.dns_s < 1 && headers["a"] == ""'
    )
    assert frozenset({"json.rows", "items", "timing.dns_s", "headers.a"}) == read.names
    assert frozenset({"json", "items", "timing", "headers"}) == read.roots


class Lazy(Mapping[str, Any]):
    """Bindings that note what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Any:
        self.asked.append(name)
        return VALUES[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("nobody needs all of it")

    def __len__(self) -> int:
        raise AssertionError("nobody needs all of it")


def test_only_what_is_named_is_computed():
    lazy = Lazy()
    assert expression("status == 200 && severity >= error").evaluate(lazy) is True
    assert lazy.asked == ["status", "severity"]


def test_only_what_is_read_is_converted():
    unreadable = object()
    values = {"json": {"ratio": 0.5, "other": unreadable}}
    assert expression("json.ratio == 0.5").evaluate(values) is True
    with pytest.raises(ExpressionFailed):
        expression("json.size() == 2").evaluate(values)


def test_a_bottomless_document_is_refused_before_the_package_sees_it():
    deep: Any = 1
    for _ in range(min(sys.getrecursionlimit(), 1000) - 1):
        deep = [deep]
    with pytest.raises(ExpressionFailed, match="nested deeper than 100") as failed:
        expression("json.a == 1").evaluate({"json": {"a": deep}})
    assert failed.value.reason == "field_type"


def test_scalars_are_what_a_person_wants_to_see():
    read = expression(
        'status == 200 && json.rows[1].price > 1 && headers["content-type"] == "" && json.nope == 1'
        " && severity >= error && json.rows.size() > 0 && body.size() > 0"
    )
    expected = {
        "status": 200,
        "json.rows[1].price": 3,
        'headers["content-type"]': "text/html",
        "severity": 3,
        "body": "Add to basket",
    }
    assert expected == read.scalars(VALUES)


def test_a_long_text_is_cut_in_scalars():
    assert expression('body == ""').scalars({"body": "x" * 1_000_000}) == {"body": "x" * 200 + "…"}


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ('body.pick("bad")', 11),
        ("body.pick(r'bad', status)", 11),
        ('pick(body, "bad") == "x"', 12),
        ('pick([body, "x"][0], "bad") == "x"', 22),
        ('status == 1 || body.pick("good", "b").pick("bad")', 44),
    ],
)
def test_a_literal_that_a_kinds_function_cannot_take_is_refused_at_its_column(source, column):
    with pytest.raises(ExpressionRefused) as refused:
        picking(source)

    assert (column, "pick: bad is bad") == (refused.value.column, str(refused.value))


@pytest.mark.parametrize(
    "source",
    ['body.pick("b" + "ad")', "body.pick(body)", "body.pick()", 'pick("bad")', 'body.pick(b"bad")'],
)
def test_what_is_no_literal_is_left_to_the_check(source):
    assert picking(source).source == source


def picking(source):
    """An expression of a kind that brings a function which takes anything but bad."""

    def accept(text):
        if text == "bad":
            raise ValueError(f"{text} is bad")

    return compile_expression(
        source,
        {"status": "int", "body": "string"},
        functions={"pick": lambda value, *others: value},
        literals={"pick": accept},
    )


def test_expressions_are_equal_by_source_and_can_be_keys():
    assert len({expression("status == 200"), expression("status == 200")}) == 1
    assert expression("status == 200") != expression("status == 201")


@pytest.mark.parametrize(
    ("expected", "source"),
    [
        ("unexpected_status", "status == 200"),
        ("unexpected_body", '!body.contains("sold out") && status == 200'),
        ("unexpected_labels", "has(labels.vendor)"),
        ("unexpected_severity", "error <= severity"),
        ("unexpected_value", "1 == 2"),
    ],
)
def test_the_default_reason_is_the_first_name(expected: str, source: str):
    assert expected == default_reason(expression(source))


@pytest.mark.parametrize(
    "source",
    [
        'labels.shop == "one" && labels.absent == "x"',
        'labels.absent == "x" && labels.shop == "one"',
        'labels.shop == "one" && severity >= error',
        'labels.shop == "one" || severity >= error',
        'severity >= error ? labels.shop == "one" : true',
        '(labels.shop == "one" || labels.shop == "two") && labels.shop == "two"',
        '!(labels.shop == "one")',
        '"one" == labels.shop',
        'labels.shop == "o\\x6ee"',
        'labels.shop + "" == "two"',
    ],
)
@pytest.mark.parametrize("shop", ["one", "two"])
def test_a_text_that_must_be_equal_decides_as_the_whole_expression_does(
    source: str, shop: str
) -> None:
    names = {"labels": {"shop": shop}, "severity": 3}
    quick = compile_expression(source, {"labels": "map", "severity": "int"})
    whole = replace(quick, _demands=())

    def said(expression: Expression) -> object:
        try:
            return expression.evaluate(names)
        except ExpressionFailed as failed:
            return failed.reason

    assert said(whole) == said(quick)


def test_a_text_of_another_name_is_refused_without_asking_cel() -> None:
    expression = compile_expression(
        'labels.shop == "one" && severity >= error', {"labels": "map", "severity": "int"}
    )

    assert expression.evaluate({"labels": {"shop": "two"}}) is False


PLAIN_SOURCES = (
    "status == 200", "status != 200", "status < 500 && size_bytes > 0", "status >= -1",
    "status > 1 && status < 300", "timing.total_s == 0.0",
    "timing.total_s <= 1.5", "timing.total_s > 0.0 && status == 200", "items == 10",
    'body == "ok"', "body != 'ok'", 'body.contains("o")', 'body.startsWith("o")',
    'body.endsWith("k") && status < 300', 'json.ratio == "0.5"', "json.open == true", "json.n != 5",
    'labels.service == "pay" && labels.tier == "1"', 'items == ["a", "b"]', 'items != ["a"]',
)  # fmt: skip
ANY_VALUE = st.one_of(
    st.sampled_from([200, 200.0, True, False, None, "ok", "200", -1, 2**63 - 1, -(2**63), 0.0]),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=2),
    st.lists(st.sampled_from(["a", "b"]), max_size=2),
    st.just(["a", 1]),
)


@given(
    source=st.sampled_from(PLAIN_SOURCES),
    roots=st.dictionaries(st.sampled_from(["status", "size_bytes", "items", "body"]), ANY_VALUE),
    total=ANY_VALUE,
    below=st.dictionaries(
        st.sampled_from(["ratio", "open", "n", "service", "tier", "total_s"]), ANY_VALUE
    ),
)
def test_a_plain_comparison_is_what_the_package_says(
    source: str, roots: dict[str, Any], total: Any, below: dict[str, Any]
) -> None:
    quick = expression(source)
    assert quick.plain is not None, "this one is meant to be plain"
    package = replace(quick, plain=None, _demands=())
    bindings = {**roots, "timing": {**below, "total_s": total}, "json": below, "labels": below}
    assert outcome_of(package, bindings) == outcome_of(quick, bindings)
    known = quick.plain(bindings)
    if known is not None:
        assert known[0] is outcome_of(package, bindings)
        assert list(known[1].items()) == list(package.scalars(bindings).items())


def test_what_is_plain_is_looked_up_once():
    both = expression('status == 200 && body.contains("basket")').plain
    assert both is not None
    assert both(VALUES) == (True, {"status": 200, "body": "Add to basket"})
    long = expression(f'body == "{"y" * 300}"').plain
    assert long is not None
    assert long({"body": "x" * 300}) == (False, {"body": "x" * 200 + CUT})
    assert long({"body": "y" * 300}) == (True, {"body": "y" * 200 + CUT})
    assert expression("size(body) > 1").plain is None


@pytest.mark.parametrize("order", ["==", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize(("name", "literal", "values"), [
    ("status", "200", [199, 200, 201]),
    ("timing.total_s", "1.5", [1.25, 1.5, 1.75, float("nan"), float("inf")]),
    ("status", "-1", [-2, -1, 0]),
])  # fmt: skip
def test_a_plain_order_is_the_packages_on_both_sides_of_its_bound(
    order: str, name: str, literal: str, values: list[float]
) -> None:
    quick = expression(f"{name} {order} {literal}")
    assert quick.plain is not None
    package = replace(quick, plain=None)
    for value in values:
        bindings = {"status": value, "timing": {"total_s": value}}
        assert outcome_of(package, bindings) is outcome_of(quick, bindings)


@pytest.mark.parametrize(
    "source",
    [
        "200 == status", "status == 200u", 'body.contains("a\\n")', 'body == "a" || status == 1',
        "!(status == 200)", "status in [200]", "severity >= error", "status == size_bytes",
        'body.matches("a")', 'body < "b"', "status == 0x10", 'headers["a"] == "b"',
        "status + 1 == 2", 'size(body) == 1', 'r"a" == body', 'body == """a"""', "json.n == null",
    ],
)  # fmt: skip
def test_all_else_is_left_to_the_package(source: str) -> None:
    compiled = plain(list(tokens_of(source)))
    assert compiled is None


def outcome_of(compiled: Expression, bindings: Mapping[str, Any]) -> object:
    try:
        return compiled.evaluate(bindings)
    except ExpressionFailed as failed:
        return failed.reason
