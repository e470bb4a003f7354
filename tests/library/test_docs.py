"""Every YAML block of the docs, the README and the examples is valid: shape, notations, expressions.

What such a block refers to (a probe, a person) may stand elsewhere, so references are not checked.
"""

import re
from pathlib import Path

import pytest

from sentinel.library.catalog import check_alone
from sentinel.library.reference import renewed
from tests.conftest import ROOT

BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(page, number, text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, text in enumerate(BLOCK.findall(page.read_text()), 1)
]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))


@pytest.mark.parametrize(("page", "number", "text"), BLOCKS)
def test_a_block_of_the_docs_is_valid(page: Path, number: int, text: str) -> None:
    assert () == check_alone(f"{page.name}-{number}", text.encode())


def test_the_reference_of_documents_is_what_the_schemas_say() -> None:
    page = ROOT / "docs" / "reference" / "documents.md"
    assert renewed(page.read_text()) == page.read_text(), (
        f"run: python -m sentinel.library.reference {page.relative_to(ROOT)}"
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_example_is_valid(path: Path) -> None:
    assert () == check_alone(path.name, path.read_bytes())
