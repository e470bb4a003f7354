"""Files on FTP servers, plain or over TLS: whether the feed or the order file has come."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import Evidence, MetricFamily, Observation, Sample
from sentinel.probers.filefacts import (
    FILE_METRICS,
    FILE_NAMES,
    MOST_NAMES,
    File,
    Files,
    fits,
    refused_path,
)
from sentinel.transport.ftp import FtpAnswered, FtpAsked, Turn
from sentinel.transport.reasons import Reason
from sentinel.transport.shown import (
    CERTIFICATE_NAMES,
    address_metrics,
    certificate_values,
    facts_of,
    tls_metrics,
)
from sentinel.transport.wire import IpVersion
from sentinel.words import Outcome, Secret, shortened

MOST_ASKED = 200
"""Files that are asked for one by one, where the server does not list their facts."""
_FAMILIES: Mapping[str, IpVersion] = {"any": "any", "ipv4": "4", "ipv6": "6"}
_PORTS = {"off": 21, "explicit": 21, "implicit": 990}
_DONE = 213
_NO_SUCH = 550
_UNKNOWN_COMMAND = frozenset({500, 501, 502, 504})
_AT = re.compile(r"(\d{14})(?:\.\d+)?")
_PLAIN_LIST = b"nlst"
"""What a check keeps of a server that does not know MLSD."""


@dataclass(frozen=True, slots=True)
class Ftp:
    """Signs in to an FTP server and looks at a file, or at the files of a folder.

    Without `pattern`, `path` is a file, and nothing is listed; with it, a folder, whose files that
    fit the pattern are looked at (folders in it are not). Nothing is read or written. Where the
    server does not tell facts in its lists (MLSD, RFC 3659), the files that fit are asked for one
    by one, the 200 whose names come last.

    When there is no file, the check fails with `no_such_file` or `no_files`, unless an expectation
    names `exists` or `count`.

    Other reasons are `no_such_folder`, `not_permitted`, `login_refused`, `server_refused` (a greeting
    that turns one away), `data_refused` (the connection for the list did not come about) and
    `ftp_failed` (any other refusal), the text being the server's.

    Expectations may use `exists`, `size_bytes` and `age_s` (of the file, or of the newest one),
    `count`, `total_bytes`, `newest` and `oldest` (each `name`, `size_bytes`, `age_s`), `names`
    (the first 100), `truncated` (there are more files than were looked at), `timing`, `certificate`
    (with `tls`) and `address`.
    """

    KIND: ClassVar[str] = "ftp"
    NAMES: ClassVar[Declaration] = {
        **FILE_NAMES,
        "timing": {
            "total_s": "double",
            "resolve_s": "double",
            "connect_s": "double",
            "tls_s": "double",
            "login_s": "double",
            "list_s": "double",
        },
        "certificate": CERTIFICATE_NAMES,
        "address": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = FILE_METRICS

    host_: str = key("Host name or address to connect to.", examples=["ftp.acme.example"])
    path: str = key(
        "The file, or with `pattern` the folder; relative to where the server lets one in.",
        examples=["/out/feed.csv"],
    )
    pattern: str = key(
        "Names of files in the folder, with `*`, `?` and `[…]`.",
        default="",
        examples=["orders-*.xml"],
    )
    user: str = key("Who signs in.", default="anonymous", examples=["monitor"])
    password: Secret | None = key(
        "Password, by reference.", default=None, examples=["env:FTP_PASSWORD"]
    )
    port: int = key(
        "Port to connect to; 0 is 21, or 990 with implicit TLS.",
        default=0,
        minimum=0,
        maximum=65535,
    )
    tls: Literal["off", "explicit", "implicit"] = key(
        "`explicit` asks for TLS on the usual port (AUTH TLS), `implicit` speaks it from the "
        "beginning.",
        default="off",
    )
    verify: bool = key("Refuse a certificate that cannot be verified.", default=True)
    ca_file: str = key("PEM file of the authorities to trust instead of the system's.", default="")
    ip: Literal["any", "ipv4", "ipv6"] = key("Which addresses to use.", default="any")

    def __post_init__(self) -> None:
        wrong = refused_path(self.path, self.pattern)
        if wrong:
            raise ValueError(wrong)

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Look once."""
        if not self.pattern:
            size, at = f"SIZE {self.path}", f"MDTM {self.path}"
            answered = await self._asked(world, ("TYPE I", f"*{size}", f"*{at}"))
            if answered.reason:
                return self._observed([answered], None, world)
            facts = _file(self.path.rpartition("/")[2], answered.reply(size), answered.reply(at))
            return self._observed([answered], Files((facts,) if facts else ()), world)
        if world.kept != _PLAIN_LIST:
            answered = await self._asked(world, (f"CWD {self.path}",), "MLSD")
            if answered.reply("MLSD").code not in _UNKNOWN_COMMAND:
                files = None if answered.reason else listed(answered.body, self.pattern)
                return self._observed([answered], files, world)
        return await self._one_by_one(world)

    async def _one_by_one(self, world: ProbeWorld) -> Observation:
        """The files of a folder on a server that only lists names."""
        cwd = f"CWD {self.path}"
        names = await self._asked(world, (cwd,), "NLST")
        # Some servers answer 550 where there is nothing to list.
        if names.reason and names.reply("NLST").code != _NO_SUCH:
            return self._observed([names], None, world)
        wanted, truncated = named(names.body, self.pattern)
        if not wanted:
            return self._observed([names], Files((), self.pattern, truncated), world, keep=True)
        commands = [f"*{verb} {name}" for name in wanted for verb in ("SIZE", "MDTM")]
        facts = await self._asked(world, (cwd, "TYPE I", *commands))
        if facts.reason:
            return self._observed([names, facts], None, world)
        replies = {turn.command: turn for turn in facts.turns}
        found = [
            _file(name, replies.get(f"SIZE {name}"), replies.get(f"MDTM {name}")) for name in wanted
        ]
        files = Files([file for file in found if file], self.pattern, truncated)
        return self._observed([names, facts], files, world, keep=True)

    async def _asked(
        self,
        world: ProbeWorld,
        commands: tuple[str, ...],
        listing: Literal["", "MLSD", "NLST"] = "",
    ) -> FtpAnswered:
        asked = FtpAsked(
            self.host_,
            self.port or _PORTS[self.tls],
            self.user,
            world.secrets.reveal(self.password) if self.password else "sentinel@",
            commands,
            listing,
            self.tls,
            self.verify,
            self.ca_file,
            _FAMILIES[self.ip],
        )
        return await world.transport.ftp(asked, world.deadline)

    def _observed(
        self,
        talks: Sequence[FtpAnswered],
        files: Files | None,
        world: ProbeWorld,
        *,
        keep: bool = False,
    ) -> Observation:
        last = talks[-1]
        reason, text = last.reason, last.text
        if files is None and last.reply(f"CWD {self.path}").code == _NO_SUCH:
            reason, text = "no_such_folder", last.reply(f"CWD {self.path}").text
        if reason in ("login_refused", "server_refused", "ftp_failed"):
            text = next((t.text for t in reversed(last.turns) if t.code >= 400), text)
        total_s = sum(talk.exchange.duration_s for talk in talks)
        timing = {f"{phase}_s": seconds for phase, seconds in last.exchange.phases.items()}
        values: dict[str, Any] = {
            "timing": {"tls_s": 0.0, **timing, "total_s": total_s},
            "address": last.exchange.address,
        }
        samples = [Sample("timing.total_s", total_s, "s")]
        metrics = {**address_metrics(last.exchange), **tls_metrics(last.exchange)}
        if last.exchange.certificates:
            values["certificate"] = certificate_values(last.exchange, world.now)
            days_left = last.exchange.certificates[0].days_left(world.now)
            samples.append(Sample("certificate.days_left", days_left, "d"))
        if files is not None:
            values |= files.values(world.now)
            samples += files.samples(world.now)
            metrics |= files.metrics(world.now)
            reason, text = files.verdict(world.needed), files.text(world.now)
        ours = reason in (Reason.client_failed, Reason.invalid_request)
        return Observation(
            values=values,
            duration_s=total_s,
            reason=reason,
            text=shortened(text, 300),
            network=last.network and files is None,
            outcome=(Outcome.unknown if ours else Outcome.failed) if reason else None,
            phases=last.exchange.phases,
            address=last.exchange.address,
            samples=samples,
            evidence=_evidence(talks),
            metrics=metrics,
            keep=_PLAIN_LIST if keep else None,
        )


def listed(body: bytes, pattern: str) -> Files:
    """The files of an MLSD list: ``type=file;size=20;modify=20260301093000; name`` a line."""
    found: list[File] = []
    lines = body.decode("utf-8", "replace").splitlines()
    for line in lines[:MOST_NAMES]:
        told, _, name = line.partition(" ")
        pairs = (fact.partition("=") for fact in told.lower().split(";"))
        facts = {word: value for word, _, value in pairs}
        if facts.get("type", "file") in ("dir", "cdir", "pdir") or not fits(name, pattern):
            continue
        size = facts.get("size", "")
        size_bytes = int(size) if size.isascii() and size.isdigit() and len(size) < 20 else 0
        found.append(File(name, size_bytes, instant(facts.get("modify", ""))))
    return Files(found, pattern, truncated=len(lines) > MOST_NAMES)


def named(body: bytes, pattern: str) -> tuple[Sequence[str], bool]:
    """The names of an NLST list that fit, the last `MOST_ASKED` by name; whether there are more."""
    lines = body.decode("utf-8", "replace").splitlines()
    names = {line.strip().rpartition("/")[2] for line in lines[:MOST_NAMES]}
    fitting = sorted(n for n in names if n.isprintable() and "\ufffd" not in n and fits(n, pattern))
    more = len(lines) > MOST_NAMES or len(fitting) > MOST_ASKED
    return fitting[-MOST_ASKED:], more


def instant(text: str) -> datetime | None:
    """``20260301093000`` (RFC 3659, 2.3: UTC, perhaps with a fraction); None for what is none."""
    written = _AT.fullmatch(text.strip())
    if written is None:
        return None
    try:
        return datetime.strptime(written[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _file(name: str, size: Turn | None, at: Turn | None) -> File | None:
    """A file from the replies to SIZE and MDTM; None when the server knows neither."""
    sized = size is not None and size.code == _DONE
    dated = at is not None and at.code == _DONE
    if not (sized or dated):
        return None
    digits = size.text if size is not None and sized else ""
    plain = digits.isascii() and digits.isdigit() and len(digits) < 20
    return File(name, int(digits) if plain else 0, instant(at.text) if at and dated else None)


def _evidence(talks: Sequence[FtpAnswered]) -> Evidence:
    """The last lines said and heard."""
    turns = [turn for talk in talks for turn in talk.turns][-60:]
    said = "\n".join(turn.command for turn in turns if turn.command)
    heard = "\n".join(f"{turn.code} {shortened(turn.text, 200)}" for turn in turns if turn.code)
    return Evidence(request=said, response=heard, facts=facts_of(talks[-1].exchange))
