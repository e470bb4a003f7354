"""Uptime Kuma's backup (Settings, Backup, Export: JSON): its monitors.

Its retries are checks that must fail before it fires, its groups and tags are labels. A monitor that
is paused or turned upside down, and who is told, are not carried over.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sentinel.library import spans
from sentinel.library.document import Problem
from sentinel.library.importing.draft import Draft, ImportRefused, Keys, labels_of, secret_of
from sentinel.library.importing.modules import GOOD, literal
from sentinel.library.importing.plain import list_of
from sentinel.library.reading import Lookup
from sentinel.words import Place

_KINDS = {
    "http": "http", "keyword": "http", "json-query": "http", "port": "tcp", "ping": "icmp",
    "dns": "dns", "push": "heartbeat", "redis": "redis", "postgres": "sql", "mysql": "sql",
    "mqtt": "mqtt",
}  # fmt: skip
_CODES = re.compile(r"([0-9]{3})(?:-([0-9]{3}))?\Z")
_PATH = re.compile(
    r"\$?\.?((?:[A-Za-z_][A-Za-z0-9_]*)(?:(?:\.[A-Za-z_][A-Za-z0-9_]*)|(?:\[[0-9]+\]))*)\Z"
)
_MOST = 1e9
_WARN_DAYS = 21
"""Uptime Kuma's first notice of a certificate that expires."""


def read_kuma(path: str, content: bytes, lookup: Lookup) -> Draft:
    """The documents of a file. Raises ImportRefused."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as wrong:
        place = Place(path, 1, 1)
        raise ImportRefused([Problem(place, f"this is not JSON: {str(wrong)[:200]}")]) from wrong
    monitors = values.get("monitorList") if isinstance(values, dict) else None
    if not isinstance(monitors, list):
        place = Place(path, 1, 1)
        raise ImportRefused([Problem(place, "there is no `monitorList` in this file")])
    draft = Draft()
    for key, what in (("notificationList", "notifications"), ("proxyList", "proxies")):
        if values.get(key):
            draft.remark("", f"its {what} are not carried over: write them anew")
    known = [each for each in monitors if isinstance(each, dict)]
    groups = {str(e.get("id")): e.get("name") for e in known if e.get("type") == "group"}
    for each in known:
        if each.get("type") != "group":
            _Monitor(each, groups, draft, lookup).carry()
    return draft


class _Monitor:
    """One monitor on its way to a probe."""

    def __init__(
        self, values: Mapping[str, Any], groups: Mapping[str, Any], draft: Draft, lookup: Lookup
    ) -> None:
        self._values = values
        self._group = groups.get(str(values.get("parent")))
        self._draft = draft
        self.id = draft.new_id(str(values.get("name", "")))
        self._type = str(values.get("type", ""))
        self._kind = _KINDS.get(self._type, "")
        self._keys = Keys(self._kind, lookup, self._remark, self.id)

    def _remark(self, text: str) -> None:
        self._draft.remark(f"probes/{self.id}", text)

    def carry(self) -> None:
        why = self._why_not()
        if why:
            name = self._values.get("name")
            self._draft.remark("", f"`{name}` is not carried over: {why}")
            return
        put: Mapping[str, Callable[[], None]] = {
            "http": self._http,
            "tcp": self._tcp,
            "icmp": self._icmp,
            "dns": self._dns,
            "heartbeat": self._heartbeat,
            "redis": self._redis,
            "sql": self._sql,
            "mqtt": self._mqtt,
        }
        put[self._kind]()
        body = {**self._times(), **self._labels(), self._kind: self._keys.values}
        holds = {"http": self._expect, "mqtt": self._expect_message}.get(self._kind)
        expect = list(holds()) if holds else []
        if expect and expect != [GOOD]:
            body["expect"] = expect
        if self._values.get("proxyId"):
            self._remark("its proxy is not carried over")
        self._draft.probes[self.id] = body

    def _why_not(self) -> str:
        if not self._keys.known:
            return f"there is no kind here for `{self._type}`"
        if not self._values.get("active", True):
            return "it is paused"
        return "it is turned upside down" if self._values.get("upsideDown") else ""

    def _times(self) -> Mapping[str, Any]:
        values = self._values
        every_s = max(_seconds(values.get("interval"), 60.0), 1.0)
        if self._kind == "heartbeat":
            return {}
        timeout_s = min(_seconds(values.get("timeout"), 10.0), every_s)
        times: dict[str, Any] = {"every": spans.written(every_s)}
        times["timeout"] = spans.written(timeout_s)
        down = min(int(_seconds(values.get("maxretries"), 0.0)) + 1, 20)
        again_s = _seconds(values.get("retryInterval"), every_s)
        times["confirm"] = {"down": down, "up": 1, "every": spans.written(max(again_s, 1.0))}
        return times

    def _labels(self) -> Mapping[str, Any]:
        tags = {
            str(each.get("name", "")): each.get("value") or "true"
            for each in list_of(self._values.get("tags"))
            if isinstance(each, dict)
        }
        labels = labels_of({"group": self._group, **tags}, self._remark)
        return {"labels": labels} if labels else {}

    # ------------------------------------------------------------------------------ by kind

    def _http(self) -> None:
        values, keys = self._values, self._keys
        keys.put("url", str(values.get("url", "")))
        method = str(values.get("method") or "GET").upper()
        if method != "GET":
            keys.put("method", method)
        headers = self._header_values()
        if values.get("body"):
            keys.put("body", str(values["body"]))
            kind = {"json": "application/json", "xml": "text/xml"}.get(
                str(values.get("httpBodyEncoding") or "json"), "application/x-www-form-urlencoded"
            )
            headers.setdefault("Content-Type", kind)
        keys.put_headers(headers, self.id)
        self._sign_in()
        if values.get("ignoreTls"):
            keys.put("verify", False)
        redirects = values.get("maxredirects")
        if redirects == 0:
            keys.put("follow", False)
        elif isinstance(redirects, int) and redirects != 10:
            keys.put("max_redirects", min(redirects, 30))

    def _header_values(self) -> dict[str, str]:
        try:
            headers = json.loads(str(self._values.get("headers") or "{}"))
            return {str(name): str(text) for name, text in headers.items()}
        except (ValueError, TypeError, AttributeError, RecursionError):
            self._remark("its headers are not carried over: they are not JSON")
            return {}

    def _sign_in(self) -> None:
        values = self._values
        method = values.get("authMethod") or ("basic" if values.get("basic_auth_user") else "")
        if method == "basic":
            secret = secret_of("", f"{self.id}-password", self._remark)
            self._keys.put(
                "basic", {"user": str(values.get("basic_auth_user")), "password": secret}
            )
        elif method == "oauth2-cc":
            declared = {
                "token_url": str(values.get("oauth_token_url", "")),
                "client_id": str(values.get("oauth_client_id", "")),
                "client_secret": secret_of("", f"{self.id}-client-secret", self._remark),
            }
            scopes = str(values.get("oauth_scopes") or "").split()
            self._keys.put("oauth2", {**declared, **({"scopes": scopes} if scopes else {})})
        elif method:
            self._remark(f"how it signs in (`{method}`) is not carried over")

    def _tcp(self) -> None:
        self._keys.put("host", str(self._values.get("hostname", "")))
        self._keys.put("port", int(_seconds(self._values.get("port"), 0.0)))

    def _icmp(self) -> None:
        self._keys.put("host", str(self._values.get("hostname", "")))

    def _dns(self) -> None:
        values = self._values
        self._keys.put("name", str(values.get("hostname", "")))
        self._keys.put("type", str(values.get("dns_resolve_type") or "A"))
        port = int(_seconds(values.get("port"), 53.0))
        servers = str(values.get("dns_resolve_server") or "").split(",")
        named = [
            each.strip() if port == 53 else f"{each.strip()}:{port}" for each in servers if each
        ]
        if named:
            self._keys.put("servers", named)

    def _heartbeat(self) -> None:
        self._remark("it is told by `/ping/<secret>` here: change who reports")
        secret = secret_of("", f"{self.id}-ping", self._remark)
        self._keys.put("secret", secret)
        every_s = max(_seconds(self._values.get("interval"), 60.0), 1.0)
        self._keys.put("every", spans.written(every_s))

    def _redis(self) -> None:
        url = str(self._values.get("databaseConnectionString", ""))
        found = re.match(r"(rediss?)://(?:([^:@/]*):([^@/]*)@)?([^:/@]+)(?::([0-9]+))?", url)
        if found is None:
            self._remark("its connection string is not carried over: name the host")
            self._keys.put("host", "redis.invalid")
            return
        scheme, user, password, host, port = found.groups()
        self._keys.put("host", host)
        if port:
            self._keys.put("port", int(port))
        if scheme == "rediss":
            self._keys.put("tls", True)
        if user:
            self._keys.put("user", user)
        if password:
            self._keys.put("password", secret_of(password, f"{self.id}-password", self._remark))

    def _sql(self) -> None:
        self._keys.put("url", str(self._values.get("databaseConnectionString", "")))
        self._keys.put("query", str(self._values.get("databaseQuery") or "SELECT 1"))

    def _mqtt(self) -> None:
        values, keys = self._values, self._keys
        scheme, _, host = str(values.get("hostname", "")).rpartition("://")
        if scheme in ("ws", "wss"):
            self._remark("MQTT over WebSocket is not carried over: name a port that speaks MQTT")
        keys.put("host", host.partition("/")[0])
        if port := int(_seconds(values.get("port"), 0.0)):
            keys.put("port", port)
        if scheme in ("mqtts", "wss"):
            keys.put("tls", True)
        keys.put("topic", str(values.get("mqttTopic", "")))
        if values.get("mqttUsername"):
            keys.put("user", str(values["mqttUsername"]))
        if values.get("mqttPassword"):
            secret = secret_of(str(values["mqttPassword"]), f"{self.id}-password", self._remark)
            keys.put("password", secret)

    # --------------------------------------------------------------------------- what must hold

    def _expect_message(self) -> Iterator[Any]:
        """A message on the topic; which one, where it says."""
        if self._values.get("mqttCheckType") == "json-query":
            self._remark("its JSON query is not carried over: write it as an expectation")
        wanted = str(self._values.get("mqttSuccessMessage") or "")
        there = f"message.contains({literal(wanted)})" if wanted else "size(message) >= 0"
        yield {"that": there, "reason": "keyword"}

    def _expect(self) -> Iterator[Any]:
        values = self._values
        yield self._statuses()
        if self._type == "keyword" and values.get("keyword"):
            there = f"body.contains({literal(str(values['keyword']))})"
            yield {
                "that": f"!{there}" if values.get("invertKeyword") else there,
                "reason": "keyword",
            }
        if self._type == "json-query":
            yield from self._json_query()
        if values.get("expiryNotification") and str(values.get("url", "")).startswith("https:"):
            soon = f"certificate.days_left > {_WARN_DAYS}.0"
            yield {"that": soon, "else": "warn", "reason": "certificate_expiring"}

    def _statuses(self) -> str:
        ranges = []
        for text in list_of(self._values.get("accepted_statuscodes")) or ["200-299"]:
            found = _CODES.match(str(text))
            if found is None:
                self._remark(f"the status `{text}` is not carried over")
            elif found[2]:
                ranges.append(f"(status >= {found[1]} && status <= {found[2]})")
            else:
                ranges.append(f"status == {found[1]}")
        if ranges in ([], ["(status >= 200 && status <= 299)"]):
            return GOOD
        return " || ".join(ranges)

    def _json_query(self) -> Iterator[Any]:
        path = str(self._values.get("jsonPath") or "$")
        found = _PATH.match(path)
        sign = str(self._values.get("jsonPathOperator") or "==")
        if found is None or sign not in ("==", "!=", "<", ">", "<=", ">=", "contains"):
            self._remark(f"the query `{path}` is not carried over: write it as an expectation")
            return
        value, text = f"json.{found[1]}", str(self._values.get("expectedValue", ""))
        if sign == "contains":
            yield {"that": f"{value}.contains({literal(text)})", "reason": "json_query"}
        else:
            is_plain = re.match(r"(true|false|null|-?[0-9]{1,15}(\.[0-9]{1,9})?)\Z", text)
            right = text if is_plain else literal(text)
            yield {"that": f"{value} {sign} {right}", "reason": "json_query"}


def _seconds(value: Any, default: float) -> float:
    """A number of the backup, which may stand there as text."""
    try:
        number = float(value) if value not in (None, "") else default
    except (TypeError, ValueError, OverflowError):
        return default
    return number if 0 <= number <= _MOST else default
