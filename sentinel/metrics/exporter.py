"""What ``sentinel blackbox`` counts of itself: blackbox_exporter's families, and the process'."""

import platform

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

from sentinel import __version__

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Go's names for what Python calls otherwise."""


class ExporterMetrics:
    """The metrics of one exporter. Each attribute is one family."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        PlatformCollector(registry=own)
        GCCollector(registry=own)
        self.unknown_modules = Counter(
            "blackbox_module_unknown", "Count of unknown modules requested by probes", registry=own
        )
        self._loaded = Gauge(
            "blackbox_exporter_config_last_reload_successful",
            "Blackbox exporter config loaded successfully.",
            registry=own,
        )
        self._loaded_at = Gauge(
            "blackbox_exporter_config_last_reload_success_timestamp_seconds",
            "Timestamp of the last successful configuration reload.",
            registry=own,
        )
        self.under_way = Gauge(
            "sentinel_blackbox_probes_under_way", "Probes that have not ended", registry=own
        )
        build = Gauge(
            "blackbox_exporter_build_info",
            "A metric with a constant '1' value labeled by version, revision, branch, goversion from "
            "which blackbox_exporter was built, and the goos and goarch for the build.",
            ["branch", "goarch", "goos", "goversion", "revision", "version"],
            registry=own,
        )
        machine = platform.machine()
        build.labels(
            "sentinel",
            _MACHINES.get(machine, machine),
            platform.system().lower(),
            f"python{platform.python_version()}",
            "",
            __version__,
        ).set(1)

    def loaded(self, at_s: float) -> None:
        """The file was read; `at_s` is the unix time."""
        self._loaded.set(1)
        self._loaded_at.set(at_s)

    def not_loaded(self) -> None:
        """The file was refused, and what was read before stays."""
        self._loaded.set(0)

    def page(self) -> bytes:
        """The text format, 0.0.4."""
        return generate_latest(self._registry)
