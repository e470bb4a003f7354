"""How long 10,000 probes over 25 files take to be read, checked and compiled, and the memory.

    python -m benchmarks.documents

Prints one line; wanted are 5 s of CPU, with the collector paused as the library does it, and a peak
of 300 MB.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from sentinel.library.catalog import load

PROBES, FILES = 10_000, 25
CPU_S, PEAK_MB = 5.0, 300.0

SITE = """\
site:
  url: "https://sentinel.acme.example"
  addresses: {{shop: "{shop}"}}
  unmatched: escalation/storefront
  fallback: {{page: [person/ana]}}
clients: {{acme: {{services: {{storefront: {{}}}}}}}}
people: {{ana: {{methods: {{mail: "mailto://mail.acme.example?to=ana@acme.example"}}}}}}
escalations: {{storefront: {{levels: [{{page: [person/ana]}}]}}}}
"""
PROBE = """\
  shop-{number}:
    service: storefront
    every: 30s
    http: {{at: shop, path: [product, sku-{number}]}}
    expect:
      - 'status == 200'
      - 'body.contains("SKU-{number}")'
      - {{that: 'timing.total_s < 1.5', else: warn, reason: slow}}
    confirm: {{down: 3 of 5, up: 2, every: 5s}}
    severity: critical
    depends_on: [shop-0]
    labels: {{page: product}}
"""


def write(
    root: Path,
    *,
    probes: int = PROBES,
    files: int = FILES,
    shop: str = "https://shop.acme.example",
) -> None:
    """A workspace whose every probe has an expectation of its own."""
    (root / "sentinel.yaml").write_text(SITE.format(shop=shop))
    (root / "probes").mkdir()
    each = probes // files
    for file in range(files):
        text = "defaults:\n  probes: {client: acme, timeout: 5s}\nprobes:\n"
        text += "".join(PROBE.format(number=n) for n in range(file * each, (file + 1) * each))
        (root / "probes" / f"shop-{file:02}.yaml").write_text(
            text.replace("    depends_on: [shop-0]\n", "", 1)
        )


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        began = time.process_time()
        loaded = load(Path(folder))
        cpu_s = time.process_time() - began
    assert loaded.catalog is not None, loaded.problems[:5]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"documents: {PROBES} probes in {FILES} files: {cpu_s:.2f} s CPU"
        f" ({cpu_s / CPU_S:.2f} of the bound), peak {peak_mb:.0f} MB ({peak_mb / PEAK_MB:.2f} of it)"
    )
    return int(cpu_s > CPU_S or peak_mb > PEAK_MB)


if __name__ == "__main__":
    sys.exit(main())
