"""What a contact method's URL must be, and opening it as an Apprise service that sends once.

Of Apprise only the wire is used (rule 21): one recipient per URL, because one result cannot
speak for two; no retry, because pages are repeated by the log that knows about them; no
redirects, because a POST that became a GET without a body is reported as a success; storage in
memory, because tokens have no business on disk. What a URL asks for beyond that is refused with
the words that mend it, before anybody depends on it.

Importing this module loads Apprise and its 170 services (about 1.4 s of CPU and 40 MB), so the
node itself never does: it asks a sender process.
"""

import difflib
import logging
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import apprise
import apprise.manager_plugins
from apprise.common import OverflowMode

MAX_ADDRESS = 4096
"""Characters of a URL; the longest real ones carry two tokens of some hundred characters."""

NOT_OURS: Mapping[str, frozenset[str]] = {
    "retry": frozenset({"", "0"}),
    "optional": frozenset({"", "no", "false", "0", "off"}),
    "redirect": frozenset({"", "no", "false", "0", "off"}),
    "overflow": frozenset({"", "truncate", "upstream"}),
}
"""Query keys that would change who repeats, follows or splits, with the values that do not."""

WHY_NOT_OURS: Mapping[str, str] = {
    "retry": "pages are repeated by their rule (`after:`), never by the sender",
    "optional": "a failure must be seen, so that the next method is tried",
    "redirect": "a redirected page arrives empty and is reported as sent",
    "overflow": "a page is one message; long ones are cut at the end",
}

MAIL = ("mailto", "mailtos")

_QUIET = logging.getLogger("apprise")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class AddressRefused(Exception):
    """The URL cannot be used for pages. The message holds no part of the URL but its scheme."""


def check_address(url: str) -> str:
    """What is wrong with a contact method's URL and what would be right; ``""`` when nothing is.

    Nothing is sent and no address is looked up. The text never repeats credentials.
    """
    try:
        open_address(url)
    except AddressRefused as refused:
        return str(refused)
    return ""


def open_address(url: str) -> Any:
    """A new Apprise service object for exactly one recipient. Raises AddressRefused.

    New for every send: an object that has sent before sleeps (its `request_rate_per_sec` is a
    minimum gap of up to 5.5 s).
    """
    scheme = _scheme(url)
    _refuse_query(url)
    asset = apprise.AppriseAsset(
        storage_mode="memory", http_redirects=False, pgp_autogen=False, pem_autogen=False
    )
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise AddressRefused(_lacking(url, scheme))
    _one_recipient(service, scheme)
    service.overflow_mode = OverflowMode.TRUNCATE
    return service


def _lacking(url: str, scheme: str) -> str:
    """Why Apprise makes nothing of a URL. Of a mail it is most often the sender: without ``from=`` it
    is the user at the server's name, and without a user there is none."""
    if scheme in MAIL and not dict(parse_qsl(urlsplit(url).query)).get("from"):
        return f"`{scheme}://` needs a sender: add `from=you@your.example` behind the `?`"
    return (
        f"`{scheme}://` needs other parts than this URL has; "
        "compare it with the service's page in Apprise's documentation"
    )


def _scheme(url: str) -> str:
    if not url.strip():
        raise AddressRefused("the address is empty; write one URL, such as `mailto://…`")
    if len(url) > MAX_ADDRESS:
        raise AddressRefused(f"the address is longer than {MAX_ADDRESS} characters")
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise AddressRefused(
            "the address is no URL; write one, such as `mailto://…` or `ntfys://…`"
        )
    if "://" in rest and any(mark in rest for mark in (", ", ",", " ", ";")) and _several(rest):
        raise AddressRefused("the address holds several URLs; write one contact method for each")
    services: Any = apprise.manager_plugins.NotificationManager()  # type: ignore[no-untyped-call]
    scheme = scheme.strip().lower()
    if scheme not in services:
        near = difflib.get_close_matches(scheme, list(services.schemas()), n=1)
        hint = f"; did you mean `{near[0]}://`?" if near else ""
        raise AddressRefused(f"no service is called `{scheme}://`{hint}")
    if not services[scheme].enabled:
        needed = _requirements(services[scheme].requirements)
        raise AddressRefused(f"`{scheme}://` needs a package that is not installed: {needed}")
    return scheme


def _several(rest: str) -> bool:
    """Whether another ``scheme://`` begins after a separator (not inside a query value)."""
    pieces = rest.replace(";", ",").replace(" ", ",").split(",")
    return any("://" in piece and "=" not in piece.partition("://")[0] for piece in pieces[1:])


def _requirements(requirements: Mapping[str, Any]) -> str:
    packages = requirements.get("packages_required") or ["see Apprise's documentation"]
    return packages if isinstance(packages, str) else ", ".join(str(one) for one in packages)


def _refuse_query(url: str) -> None:
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        allowed = NOT_OURS.get(name.lower())
        if allowed is not None and value.strip().lower() not in allowed:
            raise AddressRefused(f"remove `{name.lower()}=`: {WHY_NOT_OURS[name.lower()]}")


def _one_recipient(service: Any, scheme: str) -> None:
    """Refuse a URL that reaches several: what Apprise counts, its targets, copies of a mail."""
    counted = len(service) // (service.retry + 1)
    targets = getattr(service, "targets", None)
    listed = len(targets) if isinstance(targets, Collection) and not isinstance(targets, str) else 0
    copies = sum(len(getattr(service, name, None) or ()) for name in ("cc", "bcc"))
    if max(counted, listed) + copies > 1:
        raise AddressRefused(
            f"this `{scheme}://` URL reaches {max(counted, listed) + copies} recipients; "
            "write one contact method for each, so that each has its own result"
        )
