"""One bad file per rule, with its exact message: ``bad/NAME.yaml`` and ``bad/NAME.txt``.

To write the text of a new file: ``python -m tests.library.test_bad NAME``, then read it as if it were
03:00.
"""

import sys
import tempfile
from pathlib import Path

import pytest

from sentinel.library.catalog import load
from tests.library.samples import Samples, workspace

BAD = Path(__file__).parent / "bad"
NAMES = sorted(path.stem for path in BAD.glob("*.yaml"))


def said(folder: Path, name: str) -> str:
    """What is said of the bad file in a workspace that is otherwise good."""
    text = (BAD / f"{name}.yaml").read_text()
    loaded = load(workspace(folder, {"probes/bad.yaml": text}), lookup=Samples())
    lines = [str(each) for each in loaded.problems]
    return "".join(f"{line}\n" for line in lines).replace("probes/bad.yaml:", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_file_gets_its_exact_message(tmp_path: Path, name: str) -> None:
    assert (BAD / f"{name}.txt").read_text() == said(tmp_path, name)


def test_a_good_file_gets_none(tmp_path: Path) -> None:
    loaded = load(workspace(tmp_path, {}), lookup=Samples())
    assert () == loaded.problems


if __name__ == "__main__":
    for wanted in sys.argv[1:] or NAMES:
        with tempfile.TemporaryDirectory() as scratch:
            (BAD / f"{wanted}.txt").write_text(said(Path(scratch), wanted))
