"""Gatus' configuration: its endpoints with their conditions, and its external endpoints.

An endpoint becomes a probe of the kind that its URL's scheme says, its group a label, its conditions
expectations, the thresholds of its first alert what it takes to fire. Who is told is not carried
over: playbooks and escalations say it here.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sentinel.library import spans
from sentinel.library.document import Problem
from sentinel.library.importing.conditions import expectation, registered_left
from sentinel.library.importing.draft import (
    Draft,
    ImportRefused,
    Keys,
    fields_of,
    labels_of,
    secret_of,
)
from sentinel.library.importing.plain import list_of, mapping_of, plain_values, span_s
from sentinel.library.reading import Lookup
from sentinel.words import Place

_INTERVAL_S, _TIMEOUT_S = 60.0, 10.0
_KINDS = {
    "http": "http", "https": "http", "tcp": "tcp", "tls": "tcp", "icmp": "icmp", "ws": "websocket",
    "wss": "websocket", "grpc": "grpc", "grpcs": "grpc", "starttls": "smtp", "ssh": "ssh",
}  # fmt: skip
_DOMAIN = "[DOMAIN_EXPIRATION]"
_DOMAIN_LEAST_S = 3600.0
"""What registries put up with; Gatus keeps answers as long."""
_READ = frozenset(
    {"name", "group", "url", "method", "interval", "body", "headers", "graphql", "dns", "client"}
    | {"conditions", "alerts", "enabled", "ui", "extra-labels", "ssh"}
)
_ELSEWHERE = {
    "alerting": "who is told is said by playbooks and escalations here",
    "maintenance": "write a window under `maintenance:`",
    "suites": "write each as a `journey`",
    "remote": "probes of other installations are not read",
    "security": "users and tokens are Sentinel's own",
    "tunneling": "there are no SSH tunnels",
}


def read_gatus(path: str, content: bytes, lookup: Lookup) -> Draft:
    """The documents of a file. Raises ImportRefused."""
    values = plain_values(path, content)
    lists = ("endpoints", "external-endpoints", "services")
    if not isinstance(values, dict) or not any(isinstance(values.get(k), list) for k in lists):
        raise ImportRefused([Problem(Place(path, 1, 1), "there are no `endpoints:` in this file")])
    draft = Draft()
    for key, text in _ELSEWHERE.items():
        if values.get(key):
            draft.remark("", f"`{key}` is not carried over: {text}")
    for key in ("endpoints", "services"):  # `services` is what older versions called them
        for each in list_of(values.get(key)):
            if isinstance(each, dict):
                _Endpoint(each, draft, lookup).carry()
    for each in list_of(values.get("external-endpoints")):
        if isinstance(each, dict):
            _external(each, draft)
    return draft


class _Endpoint:
    """One endpoint on its way to a probe."""

    def __init__(self, values: Mapping[str, Any], draft: Draft, lookup: Lookup) -> None:
        self._values = values
        self._draft = draft
        self._lookup = lookup
        self._url = str(values.get("url", ""))
        self.id = draft.new_id(str(values.get("group", "")), str(values.get("name", "")))
        self._client = mapping_of(values.get("client"))

    def _remark(self, text: str) -> None:
        self._draft.remark(f"probes/{self.id}", text)

    def carry(self) -> None:
        values = self._values
        if values.get("enabled") is False:
            self._draft.remark("", f"`{values.get('name')}` is not carried over: it is not enabled")
            return
        scheme = self._url.partition("://")[0] if "://" in self._url else ""
        kind = "dns" if values.get("dns") else _KINDS.get(scheme, "")
        keys = Keys(kind, self._lookup, self._remark, self.id)
        if not keys.known or not self._place(kind, scheme, keys):
            what = f"there is no kind here for `{scheme or 'dns'}`"
            self._draft.remark("", f"`{values.get('name')}` is not carried over: {what}")
            self._draft.remarks.pop(f"probes/{self.id}", None)
            return
        self._sign_in(keys)
        for key in values.keys() - _READ:
            self._remark(f"`{key}` is not carried over")
        labels = labels_of(
            {"group": values.get("group"), **mapping_of(values.get("extra-labels"))}, self._remark
        )
        every_s = max(span_s(values.get("interval"), _INTERVAL_S), 1.0)
        timeout_s = min(span_s(self._client.get("timeout"), _TIMEOUT_S), every_s)
        body: dict[str, Any] = {"every": spans.written(every_s)}
        body["timeout"] = spans.written(timeout_s)
        if labels:
            body["labels"] = labels
        body |= confirm_of(values.get("alerts"))
        body[kind] = keys.values
        expect = self._expect(kind)
        if expect:
            body["expect"] = expect
        self._draft.probes[self.id] = body
        self._ask_registry(body)

    def _place(self, kind: str, scheme: str, keys: Keys) -> bool:
        """Put where to ask; False when the URL does not say."""
        try:
            parts = urlsplit(self._url)
            port = parts.port
        except ValueError:
            return False
        match kind:
            case "http":
                return self._put_http(keys)
            case "websocket":
                keys.put("url", self._url)
                if sent := str(self._values.get("body") or ""):
                    turns = [{"send": sent.replace("\\", r"\\")}, {"expect": "(?s).*"}]
                    keys.put("messages", turns)
            case "tcp" | "grpc" | "smtp" | "ssh":
                if not parts.hostname or (port is None and kind != "ssh"):
                    return False
                keys.put("host", parts.hostname)
                if port is not None:
                    keys.put("port", port)
                if scheme in ("tls", "grpcs"):
                    keys.put("tls", True)
                elif scheme == "starttls":
                    keys.put("starttls", True)
                elif scheme == "ssh" and self._values.get("ssh"):
                    self._remark("nobody signs in, and `body.command` is not carried over")
            case "icmp":
                keys.put("host", parts.hostname or "")
            case _:
                asked = mapping_of(self._values["dns"])
                keys.put("name", str(asked.get("query-name", "")))
                keys.put("type", str(asked.get("query-type", "A")))
                keys.put("servers", [self._url.partition("://")[2] or self._url])
        return True

    def _put_http(self, keys: Keys) -> bool:
        url = urlsplit(self._url)
        if url.password:
            self._put_basic(keys, url.username or "", url.password)
            host = url.netloc.rpartition("@")[2]
            keys.put("url", url._replace(netloc=host).geturl())
        else:
            keys.put("url", self._url)
        method = str(self._values.get("method", "GET")).upper()
        if method != "GET":
            keys.put("method", method)
        headers = {str(k): str(v) for k, v in mapping_of(self._values.get("headers")).items()}
        body = str(self._values.get("body") or "")
        if self._values.get("graphql"):
            body = json.dumps({"query": body}, ensure_ascii=False)
            headers.setdefault("Content-Type", "application/json")
        if body:
            keys.put("body", body)
        keys.put_headers(headers, self.id)
        return "url" in keys.values

    def _put_basic(self, keys: Keys, user: str, password: str) -> None:
        secret = secret_of(password, f"{self.id}-password", self._remark)
        keys.put("basic", {"user": user, "password": secret})

    def _sign_in(self, keys: Keys) -> None:
        """What the endpoint's `client:` says."""
        client = dict(self._client)
        client.pop("timeout", None)
        if client.pop("insecure", False):
            keys.put("verify", False)
        if client.pop("ignore-redirect", False):
            keys.put("follow", False)
        if proxy := client.pop("proxy-url", ""):
            keys.put("proxy", str(proxy))
        tls = mapping_of(client.pop("tls", None))
        for theirs, ours in (("certificate-file", "cert_file"), ("private-key-file", "key_file")):
            if tls.get(theirs):
                keys.put(ours, str(tls[theirs]))
        if grant := mapping_of(client.pop("oauth2", None)):
            secret = secret_of("", f"{self.id}-client-secret", self._remark)
            declared = {
                "token_url": str(grant.get("token-url", "")),
                "client_id": str(grant.get("client-id", "")),
            }
            scopes = {"scopes": [str(each) for each in list_of(grant.get("scopes"))]}
            keys.put("oauth2", {**declared, "client_secret": secret, **scopes})
        for key in client:
            self._remark(f"`client.{key}` is not carried over")

    def _expect(self, kind: str) -> list[str]:
        """The conditions; an endpoint without one on its status takes any status there, as here
        does a probe that expects something else."""
        found: list[str] = []
        for condition in map(str, list_of(self._values.get("conditions"))):
            if condition.startswith(_DOMAIN):
                continue  # asked of the registry, by a probe of its own
            expression = expectation(condition, kind)
            if expression is None:
                self._remark(f"the condition `{condition}` is not carried over")
            elif expression:
                found.append(expression)
        if kind == "http" and not found:
            found.append("status > 0")  # any answer will do: without it the status must be 2xx
        return found

    def _ask_registry(self, body: Mapping[str, Any]) -> None:
        """The conditions on the domain's expiry, as a probe beside. Which part of a longer name is
        the registered domain only a list of public suffixes knows: then it is said."""
        asked = [
            each
            for each in map(str, list_of(self._values.get("conditions")))
            if each.startswith(_DOMAIN)
        ]
        host = urlsplit(self._url).hostname or ""
        for condition in asked:
            left = registered_left(condition.removeprefix(_DOMAIN))
            if left is None or host.count(".") != 1 or not fields_of("domain", self._lookup):
                self._remark(
                    f"the condition `{condition}` is not carried over: write a `domain` probe"
                )
                continue
            id = self._draft.new_id(self.id, "domain")
            every_s = max(span_s(self._values.get("interval"), _INTERVAL_S), _DOMAIN_LEAST_S)
            self._draft.probes[id] = {
                "every": spans.written(every_s),
                **{key: body[key] for key in ("labels", "confirm") if key in body},
                "domain": {"name": host},
                "expect": [left],
            }


def _external(values: Mapping[str, Any], draft: Draft) -> None:
    """An endpoint that others report for: a heartbeat."""
    id = draft.new_id(str(values.get("group", "")), str(values.get("name", "")))

    def remark(text: str) -> None:
        draft.remark(f"probes/{id}", text)

    beat = mapping_of(values.get("heartbeat"))
    every_s = span_s(beat.get("interval"), 0.0)
    if not every_s:
        every_s = 3600.0
        remark("it said no `heartbeat.interval`: an hour stands here, look at it")
    remark("it is told by `/ping/<secret>` here, not by Gatus' API: change who reports")
    secret = secret_of("", f"{id}-ping", remark)
    draft.probes[id] = {"heartbeat": {"secret": secret, "every": spans.written(every_s)}}


def confirm_of(alerts: Any) -> Mapping[str, Any]:
    """What it takes to fire and to recover, as the first alert says (3 and 2 where it does not)."""
    first = alerts[0] if isinstance(alerts, list) and alerts else None
    if not isinstance(first, dict):
        return {}
    down, up = first.get("failure-threshold", 3), first.get("success-threshold", 2)
    good = all(isinstance(each, int) and 1 <= each <= 20 for each in (down, up))
    return {"confirm": {"down": down, "up": up}} if good else {}
