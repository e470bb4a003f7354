"""The log of ``sentinel blackbox`` on standard error, in the formats of Go's slog that its users parse."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from sentinel.web.blackbox_history import logfmt

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_NAMES = {number: name for name, number in _LEVELS.items()} | {logging.CRITICAL: "error"}


class SlogFormatter(logging.Formatter):
    """``time=… level=info msg=… key=value``, or the same as one JSON object."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": _NAMES.get(record.levelno, "info"),
            "msg": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _OWN}
        if record.exc_info:
            line["err"] = self.formatException(record.exc_info)
        if self._form == "json":
            return json.dumps(line, default=str, ensure_ascii=False)
        return " ".join(f"{name}={logfmt(_shown(value))}" for name, value in line.items())


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def log_as(form: str, level: str, probe_level: str) -> None:
    """Log to standard error from `level` on, probes from the higher of both levels on."""
    talk = logging.StreamHandler(sys.stderr)
    talk.setFormatter(SlogFormatter(form))
    logging.basicConfig(level=_LEVELS[level], handlers=[talk], force=True)
    probes = max(_LEVELS[level], _LEVELS[probe_level])
    logging.getLogger("sentinel.blackbox.probe").setLevel(probes)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
