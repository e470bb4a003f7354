"""Uvicorn without its own signals: a command ends in its own order."""

import contextlib
from collections.abc import Iterator

import uvicorn


class Server(uvicorn.Server):
    """A server that stops when `should_exit` is set, and not by itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
