"""Running an app on loopback as a child of somebody: says when it is ready, ends on SIGTERM."""

import json
import os
import signal
import socket
import sys
import threading
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 3


def listening(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 is any free one. Raises OSError when it is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def address_of(listener: socket.socket) -> str:
    """``http://127.0.0.1:PORT``, without a slash at its end."""
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


def say(**words: object) -> None:
    """One JSON object on one line of stdout, at once: what the parent reads."""
    print(json.dumps(words), flush=True)


def end_with_parent(*, watch: bool) -> None:
    """Leave with exit code 0 on SIGTERM and, if `watch`, when the parent's pipe on stdin closes.

    A parent that was killed cannot end its children; its end of the pipe closes all the same.
    """
    signal.signal(signal.SIGTERM, _leave)
    if watch:
        threading.Thread(target=_wait_for_end_of_stdin, daemon=True).start()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _wait_for_end_of_stdin() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM. Requests under way get a few seconds to end."""
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[listener])
