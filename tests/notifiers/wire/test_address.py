"""A contact method's URL reaches one recipient once, or is refused with the words that mend it."""

import re

import pytest

from sentinel.notifiers.wire.address import check_address, open_address
from tests.conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Apprise's services and what they import warn about their own Python."""


@pytest.mark.parametrize(
    "address",
    [
        "mailto://mail.acme.example?to=ana@acme.example&from=s@acme.example",
        "ntfys://ntfy.acme.example/oncall",
        "json://127.0.0.1:8080/page?+X-Token=abc,def",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#oncall",
        "json://127.0.0.1/?overflow=truncate&redirect=no&retry=0",
    ],
)
def test_one_recipient_is_fine(address: str) -> None:
    assert check_address(address) == ""


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "empty"),
        ("ana@acme.example", "no URL"),
        ("mailtos:/x", "no URL"),
        ("nfty://h.example/oncall", "did you mean `ntfy://`"),
        ("json://a.example/, json://b.example/", "several URLs"),
        ("json://a.example/ json://b.example/", "several URLs"),
        ("ntfy://h.example/ana/bo", "reaches 2 recipients"),
        (
            "mailto://m.example?to=ana@acme.example,bo@acme.example&from=s@acme.example",
            "2 recipients",
        ),
        (
            "mailto://m.example?to=ana@acme.example&cc=bo@acme.example&from=s@acme.example",
            "2 recip",
        ),
        ("json://a.example/?retry=3", "remove `retry=`"),
        ("json://a.example/?redirect=yes", "remove `redirect=`"),
        ("json://a.example/?Optional=yes", "remove `optional=`"),
        ("json://a.example/?overflow=split", "remove `overflow=`"),
        ("tgram://hunter2secret/", "needs other parts"),
        ("mailto://m.example?to=ana@acme.example", "needs a sender: add `from="),
        ("mailtos://ana:hunter2secret@127.0.0.1?to=ana@acme.example", "needs a sender: add `from="),
        ("mailto://m.example?from=nobody&to=ana@acme.example", "needs other parts"),
        ("json://" + "a" * 5000, "longer than"),
    ],
)
def test_what_is_wrong_is_said_without_credentials(address: str, says: str) -> None:
    problem = check_address(address)
    assert says in problem
    assert "hunter2secret" not in problem


PAGES = ["README.md", "docs/**/*.md", "examples/**/*.yaml", "rotations/*.yaml", "sentinel/**/*.py"]


def mails_shown() -> list[str]:
    """Every mail address that people may copy from a page, an example or a new workspace."""
    texts = [path.read_text() for pattern in PAGES for path in sorted(ROOT.glob(pattern))]
    found = {
        url for text in texts for url in re.findall(r"mailtos?://[^\s\"'`]+\?[^\s\"'`]+", text)
    }
    return sorted(url for url in found if not {*url} & {"…", "{"})


def test_whoever_copies_a_mail_address_gets_mail() -> None:
    shown = mails_shown()
    assert 4 <= len(shown)
    assert [] == [(each, problem) for each in shown if (problem := check_address(each))]


def test_an_opened_address_neither_follows_repeats_nor_hides() -> None:
    service = open_address("json://127.0.0.1/")
    assert (service.redirects, service.retry, service.optional) == (False, 0, False)
