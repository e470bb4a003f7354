"""Look for bytes on which a parser fails, guided by coverage.

    pip install 'atheris>=3,<4'     # not among the project's own packages; CPython 3.11 to 3.13
    python -m tests.fuzz NAME [--seconds 30] [--folder FOLDER]

NAME is one of `tests.hostile.parsers.PARSERS`, or ``all``, one after the other. What was found
interesting is kept in FOLDER/NAME, and read again the next time. A failure is written there as
``crash-…`` with its traceback: put its bytes into `tests.hostile.test_corpus`, then mend the parser.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sentinel"]):
    from tests.hostile.parsers import PARSERS, refused

LONGEST = 4096
SLOWEST_S = 5
MOST_MB = 1024


def fuzz(name: str, *, seconds: int, folder: Path) -> None:
    """Fuzz one parser until the time is over. Does not return: libFuzzer ends the process."""
    parser = PARSERS[name]
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    argv = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={SLOWEST_S}",
        f"-rss_limit_mb={MOST_MB}",
        f"-artifact_prefix={folder}/",
        str(folder),
    ]
    atheris.Setup(argv, lambda content: refused(parser, content) and None)
    atheris.Fuzz()


def main() -> int:
    """Read the command line; the exit code is 1 when a parser failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", choices=[*PARSERS, "all"])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "sentinel-fuzz"
    )
    given = parser.parse_args()
    if given.name != "all":
        fuzz(given.name, seconds=given.seconds, folder=given.folder / given.name.replace(" ", "-"))
        return 0
    how = ["--seconds", str(given.seconds), "--folder", str(given.folder)]
    ended = {
        name: subprocess.run([sys.executable, "-m", "tests.fuzz", name, *how], check=False)
        for name in PARSERS
    }
    failed = [name for name, each in ended.items() if each.returncode]
    print("failed: " + ", ".join(failed) if failed else "no parser failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
