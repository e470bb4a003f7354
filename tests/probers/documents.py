"""The documents that the repository shows: read as a user's workspace would be."""

import re
import tempfile
from pathlib import Path

from sentinel.library.catalog import load
from sentinel.monitor.probe import Probe

ROOT = Path(__file__).parent.parent.parent
SITE = """
site: {url: "https://sentinel.acme.example", unmatched: escalation/all, fallback: {page: [person/ana], every: 15m}}
people: {ana: {name: Ana, timezone: UTC, methods: {mail: "env:ANA_MAIL"}, rules: {high: [{via: mail}], low: [{via: mail}]}}}
escalations: {all: {levels: [{page: [person/ana]}]}}
"""


def shown(kind: str) -> dict[str, Probe]:
    """The probes of a kind's example and of its page, each of which must be without a problem."""
    example = (ROOT / "examples" / "probes" / f"{kind}.yaml").read_text()
    page = (ROOT / "docs" / "reference" / "kinds" / "probers" / f"{kind}.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert blocks, f"the page of {kind} shows no document"
    found: dict[str, Probe] = {}
    for document in (*blocks, example):
        found |= _read(document)
    return found


def _read(document: str) -> dict[str, Probe]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sentinel.yaml").write_text(SITE)
        (folder / "probes").mkdir()
        (folder / "probes" / "shown.yaml").write_text(document)
        loaded = load(folder)
    assert not loaded.problems, "\n".join(map(str, loaded.problems))
    assert loaded.catalog is not None
    return dict(loaded.catalog.policy.probes)
