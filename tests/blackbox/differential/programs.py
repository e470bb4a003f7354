"""The two programs with the same modules, and what they say of a target."""

import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.blackbox.differential.case import Case
from tests.blackbox.differential.stage import Stage
from tests.children import wait_for
from tests.conftest import program

EXPORTER = "prometheus-blackbox-exporter"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Said:
    """A page: families to samples, with HELP and TYPE, as far as it was one."""

    status: int
    content_type: str
    text: str
    families: Mapping[str, Mapping[Labels, float]]
    about: Mapping[str, tuple[str, str]]
    took_s: float

    @property
    def success(self) -> bool:
        return bool(self.families["probe_success"][()])


def configuration(modules: Mapping[str, Any], path: Path) -> Path:
    path.write_text(yaml.safe_dump({"modules": dict(modules)}, sort_keys=False))
    return path


def _ready(process: "subprocess.Popen[bytes]", base: str, log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-4000:]
    try:
        with urllib.request.urlopen(f"{base}/-/healthy", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def running(argv: Sequence[str | Path], base: str, log: Path) -> Iterator[str]:
    """A program that answers at `base`, until the block ends."""
    with log.open("wb") as said:
        process = subprocess.Popen(argv, stdout=said, stderr=said)
    try:
        wait_for(lambda: _ready(process, base, log), 20, what=str(argv[0]))
        yield base
    finally:
        process.terminate()
        process.wait(10)


def ours(file: Path, port: int, log: Path) -> Any:
    base = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "sentinel", "blackbox", f"--config.file={file}"]
    return running([*argv, f"--web.listen-address=127.0.0.1:{port}"], base, log)


def theirs(file: Path, port: int, log: Path) -> Any:
    base = f"http://127.0.0.1:{port}"
    argv = [str(program(EXPORTER)), f"--config.file={file}", "--log.level=error"]
    return running([*argv, f"--web.listen-address=127.0.0.1:{port}"], base, log)


def ask(base: str, *, patience_s: float = 30.0, **query: str) -> Said:
    """What ``/probe`` says. Raises TimeoutError when it says nothing for so long."""
    began = time.monotonic()
    url = f"{base}/probe?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(url, timeout=patience_s) as answer:
            status, text = answer.status, answer.read().decode()
            content_type = answer.headers["Content-Type"]
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read().decode()
        content_type = refused.headers["Content-Type"]
    took_s = time.monotonic() - began
    found = list(text_string_to_metric_families(text)) if status == 200 else []
    families = {
        family.name: {tuple(sorted(s.labels.items())): s.value for s in family.samples}
        for family in found
    }
    about = {family.name: (family.documentation, family.type) for family in found}
    return Said(status, content_type, text, families, about, took_s)


class Programs:
    """Both, with the modules of some cases."""

    def __init__(self, stage: Stage, base: str, original: str) -> None:
        self.stage = stage
        self.base = base
        self.original = original

    def ours(self, case: Case) -> Said:
        return self._ask(self.base, case)

    def theirs(self, case: Case, *, patience_s: float = 30.0) -> Said:
        return self._ask(self.original, case, patience_s=patience_s)

    def _ask(self, base: str, case: Case, *, patience_s: float = 30.0) -> Said:
        more = {"hostname": case.hostname} if case.hostname else {}
        target = self.stage.said(case.target)
        return ask(base, patience_s=patience_s, module=case.name, target=target, **more)
