"""Every stable reason that a kind can give is told to who reads its docstring and its page."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from sentinel import kinds
from sentinel.transport.reasons import Reason

ROOT = Path(__file__).parents[2]
PROBERS = ROOT / "sentinel" / "probers"
PAGES = ROOT / "docs" / "reference" / "kinds" / "probers"
OF_THE_NETWORK = {reason.value for reason in Reason}
"""Told once, on the page of `http`."""
PLACES = {"Ended": 0, "Answered": 0, "Observation": 2, "_unknown": 1}
"""Calls that take a reason, and which of their arguments it is."""


def texts(node: ast.AST) -> Iterator[str]:
    """The literal texts that an expression may come to; of a tuple its first part's."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body)
            yield from texts(orelse)
        case ast.Tuple(elts=[first, *_]):
            yield from texts(first)


def name_of(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Tuple(elts=[first, *_]):
            return name_of(first)
        case _:
            return ""


def reasons_in(tree: ast.Module) -> set[str]:
    """Reasons as modules here give them: assigned, by keyword, in their place of a call, returned
    by what returns a reason with a sentence, or named above ``The reason when …``."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                if any(name_of(target) in ("reason", "why") for target in targets):
                    found.update(texts(value))
            case ast.keyword(arg="reason", value=value):
                found.update(texts(value))
            case ast.Call(func=func, args=given):
                place = PLACES.get(name_of(func), len(given))
                found.update(text for each in given[place : place + 1] for text in texts(each))
            case ast.Return(
                value=ast.Tuple(elts=[ast.Constant(), ast.Constant() | ast.JoinedStr(), *_])
            ):
                found.update(texts(node.value))
            case ast.Return(value=ast.Tuple(elts=[ast.Name(), ast.Tuple() as said])):
                found.update(texts(said))
    for named, told in pairwise(tree.body):
        match named, told:
            case ast.Assign(value=value), ast.Expr(value=ast.Constant(value=str() as said)):
                if said.startswith(("The reason", "The same")):
                    found.update(texts(value))
    return {each for each in found if each.replace("_", "").isalpha()} - OF_THE_NETWORK


@pytest.mark.parametrize("kind", kinds.names("probers"))
def test_a_reason_is_in_the_docstring_and_on_the_page(kind: str) -> None:
    reasons = reasons_in(ast.parse((PROBERS / f"{kind}.py").read_text()))
    docstring, page = kinds.find("probers", kind).__doc__ or "", (PAGES / f"{kind}.md").read_text()
    assert set() == {each for each in reasons if f"`{each}`" not in docstring}
    assert set() == {each for each in reasons if f"`{each}`" not in page}


def test_reasons_are_found_where_kinds_give_them() -> None:
    found = {each.stem: reasons_in(ast.parse(each.read_text())) for each in PROBERS.glob("*.py")}
    assert {"not_rdap", "no_server", "rate_limited"} <= found["domain"]
    assert {"no_such_program", "killed", "exit_code"} <= found["command"]
    assert {"auth_failed", "refused"} <= found["mqtt"]


@pytest.mark.parametrize(
    "shared", ["mysql_rows", "postgres_rows", "sqlite_rows", "sshclient", "filefacts"]
)
def test_what_kinds_share_gives_no_reason_that_no_page_tells(shared: str) -> None:
    pages = "".join((PAGES / f"{kind}.md").read_text() for kind in ("sql", "ssh", "sftp", "ftp"))
    reasons = reasons_in(ast.parse((PROBERS / f"{shared}.py").read_text()))
    assert set() == {each for each in reasons if f"`{each}`" not in pages}
