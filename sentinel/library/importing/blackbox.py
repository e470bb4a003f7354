"""A `blackbox.yml` and, where it is given, the `prometheus.yml` that says what it is asked for.

A module becomes a template. Each address of a scrape job that asks `/probe` for a module becomes a
probe that uses the template; lists of addresses (``file_sd_configs``, ``http_sd_configs``) become
``discover:``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sentinel.blackbox.module import Module
from sentinel.library import spans
from sentinel.library.importing.draft import Draft, ImportRefused, labels_of, without_password
from sentinel.library.importing.modules import address_of, discovered_of, template_of
from sentinel.library.importing.plain import list_of, mapping_of, plain_values, span_s
from sentinel.library.matrices import id_part
from sentinel.library.modules import ModulesRefused, read_modules
from sentinel.library.reading import Lookup

_INTERVAL_S, _TIMEOUT_S = 60.0, 10.0
_USUAL = frozenset({"__param_target", "instance", "__address__"})
"""What the exporter's README writes by relabelling: the address, its name, and where to ask."""


def read_blackbox(
    path: str,
    content: bytes,
    lookup: Lookup,
    *,
    prometheus: tuple[str, bytes] | None = None,
) -> Draft:
    """The documents of a file; `prometheus` is path and bytes of a Prometheus configuration.
    Raises ImportRefused."""
    try:
        modules = read_modules(path, content).modules
    except ModulesRefused as refused:
        raise ImportRefused(refused.problems) from refused
    draft = Draft()
    templates: dict[str, str] = {}
    for name, module in modules.items():
        id = id_part(name) or "module"
        body = template_of(module, id, _about(draft, f"templates/{id}"), lookup)
        if body is not None:
            draft.templates[id] = body
            templates[name] = id
        else:
            _move(draft, f"templates/{id}", name)
    if prometheus is None:
        draft.remark(
            "", "Modules are templates here: a probe says `use: template/…` and its address. With"
            " --prometheus FILE the addresses of its scrape jobs become probes."
        )  # fmt: skip
        return draft
    values = plain_values(*prometheus)
    if not isinstance(values, dict) or not isinstance(values.get("scrape_configs"), list):
        draft.remark("", f"{prometheus[0]} has no `scrape_configs`")
        return draft
    settings = mapping_of(values.get("global"))
    for config in values["scrape_configs"]:
        if isinstance(config, dict) and _asks_blackbox(config):
            _job(_Scrape(config, settings, modules, templates), draft)
    return draft


def _about(draft: Draft, about: str) -> Callable[[str], None]:
    return lambda text: draft.remark(about, text)


def _move(draft: Draft, about: str, name: str) -> None:
    """Remarks on a document that did not come about are remarks on the file."""
    for text in draft.remarks.pop(about, ()):
        draft.remark("", f"module `{name}`: {text}")


def _asks_blackbox(config: Mapping[str, Any]) -> bool:
    return config.get("metrics_path") == "/probe"


@dataclass(frozen=True, slots=True)
class _Scrape:
    """One scrape job, with what it takes to read it."""

    config: Mapping[str, Any]
    settings: Mapping[str, Any]
    modules: Mapping[str, Module]
    templates: Mapping[str, str]

    @property
    def name(self) -> str:
        return str(self.config.get("job_name", "job"))

    def seconds(self, key: str, default: float) -> float:
        """A span of the job, else of all jobs. Prometheus writes them as ``1m30s``."""
        return span_s(self.config.get(key, self.settings.get(key)), default)


def _job(job: _Scrape, draft: Draft) -> None:
    module = _module(job, draft)
    if module is None:
        return
    for index, each in enumerate(list_of(job.config.get("relabel_configs"))):
        written_to = each.get("target_label") if isinstance(each, dict) else None
        if written_to not in _USUAL:
            what = f"rule {index + 1} of `relabel_configs`"
            draft.remark("", f"job `{job.name}`: {what} is not carried over")
    for group in map(mapping_of, list_of(job.config.get("static_configs"))):
        for address in list_of(group.get("targets")):
            _probe(job, module, str(address), mapping_of(group.get("labels")), draft)
    _lists(job, module, draft)


def _module(job: _Scrape, draft: Draft) -> Module | None:
    params = mapping_of(job.config.get("params"))
    given = params.get("module") or ["http_2xx"]
    name = str(given[0] if isinstance(given, list) else given)
    for key in params.keys() - {"module"}:
        draft.remark("", f"job `{job.name}`: the parameter `{key}` is not carried over")
    if name not in job.templates:
        what = "is not carried over" if name in job.modules else "is not in the file"
        draft.remark("", f"job `{job.name}`: not carried over, its module `{name}` {what}")
        return None
    return job.modules[name]


def _times(job: _Scrape, module: Module) -> Mapping[str, str]:
    """How often, and how long: what the exporter would have been given, at most the interval."""
    every_s = max(job.seconds("scrape_interval", _INTERVAL_S), 1.0)
    allowed_s = job.seconds("scrape_timeout", _TIMEOUT_S)
    timeout_s = min(module.timeout_s or allowed_s, allowed_s, every_s)
    times = {"every": spans.written(every_s)}
    if timeout_s != (module.timeout_s or _TIMEOUT_S):
        times["timeout"] = spans.written(timeout_s)
    return times


def _probe(
    job: _Scrape, module: Module, address: str, labels: Mapping[str, Any], draft: Draft
) -> None:
    keys = address_of(module.prober, address)
    if keys is None or "${" in address:
        draft.remark("", f"job `{job.name}`: `{address}` is no address for `{module.prober}`")
        return
    bare = address.partition("://")[2] or address
    id = draft.new_id(job.name, bare.rpartition("@")[2])
    remark = _about(draft, f"probes/{id}")
    own = labels_of(labels, remark)
    if "url" in keys:
        keys = {"url": without_password(keys["url"], id, remark)}
    draft.probes[id] = {
        "use": f"template/{job.templates[module.name]}",
        **_times(job, module),
        **({"labels": own} if own else {}),
        module.prober: dict(keys),
    }


def _lists(job: _Scrape, module: Module, draft: Draft) -> None:
    for discover in _discovers(job, draft):
        id = draft.new_id(job.name)
        draft.probes[id] = {
            "use": f"template/{job.templates[module.name]}",
            **_times(job, module),
            "discover": dict(discover),
            module.prober: dict(discovered_of(module.prober)),
        }


def _discovers(job: _Scrape, draft: Draft) -> Iterator[Mapping[str, Any]]:
    for key, configs in job.config.items():
        if not key.endswith("_sd_configs"):
            continue
        for config in map(mapping_of, list_of(configs)):
            every_s = span_s(config.get("refresh_interval"), 0.0)
            span = {"every": spans.written(every_s)} if every_s else {}
            if key == "file_sd_configs":
                for file in map(str, list_of(config.get("files"))):
                    if "*" in file:
                        draft.remark(
                            "", f"job `{job.name}`: `{file}` names several files: name each"
                        )
                    else:
                        yield {"file": file, **span}
            elif key == "http_sd_configs":
                if config.keys() - {"url", "refresh_interval"}:
                    what = "how to sign in to its list"
                    draft.remark("", f"job `{job.name}`: {what} is not carried over")
                yield {"url": str(config.get("url", "")), **span}
            else:
                draft.remark(
                    "", f"job `{job.name}`: `{key}` is not known here; use a list over HTTP"
                )
