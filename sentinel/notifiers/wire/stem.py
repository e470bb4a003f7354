"""The stem: a small process that has loaded Apprise, and from which senders are forked.

Loading Apprise takes 1.4 s of CPU and 40 MB; a fork of the stem takes 10 ms and some 8 MB of
its own, so a sender that hangs is killed and replaced without a thought, and a storm of dead
endpoints cannot starve the machine. The stem has one thread and never sends, so forking is
safe. It is told over a control socket, 5 bytes at a time: ``F`` and a number with a socket (fork
a sender that serves it), ``K`` and a number (kill that one). It dies with the node, because the
control socket then ends, and the senders die with the stem (``PR_SET_PDEATHSIG``).

Run as ``python -m sentinel.notifiers.wire.stem FD``.
"""

import ctypes
import gc
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable

import msgspec

from sentinel.notifiers.wire import address
from sentinel.notifiers.wire.frames import (
    FORK,
    KILL,
    LENGTH,
    LETTERS,
    MAX_FRAME,
    ORDER,
    READY,
    Letter,
    Reply,
)
from sentinel.notifiers.wire.send import send

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Serve orders until the control socket ends."""
    control = socket.socket(fileno=int(argv[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    address.check_address("json://localhost")
    gc.collect()
    gc.freeze()
    control.sendall(READY)
    _serve_orders(control, {})


def _serve_orders(control: socket.socket, pids: dict[int, int]) -> None:
    while True:
        select.select([control], [], [], 1.0)
        _reap(pids)
        try:
            order, sockets, _, _ = socket.recv_fds(control, ORDER.size, 1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue
        if len(order) < ORDER.size:
            return
        what, number = ORDER.unpack(order)
        if what == FORK and sockets:
            pids[number] = _fork(sockets[0], lambda: control.close())
            os.close(sockets[0])
        elif what == KILL and number in pids:
            os.kill(pids[number], signal.SIGKILL)


def _reap(pids: dict[int, int]) -> None:
    """Forget senders that ended. A pid is killed only while it is here, so never another's."""
    for number, pid in list(pids.items()):
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if ended:
            del pids[number]


def _fork(descriptor: int, close_control: Callable[[], None]) -> int:
    stem = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == stem:
            close_control()
            _serve_letters(socket.socket(fileno=descriptor))
            status = 0
    finally:
        os._exit(status)


def _serve_letters(line: socket.socket) -> None:
    for _ in range(LETTERS):
        frame = _receive(line)
        if not frame:
            return
        reply = _send(msgspec.json.decode(frame, type=Letter))
        content = msgspec.json.encode(reply)
        line.sendall(LENGTH.pack(len(content)) + content)


def _send(letter: Letter) -> Reply:
    """Whatever a service raises is its failure, not the sender's; its words may hold secrets."""
    try:
        return send(letter)
    except Exception as error:
        return Reply("uncertain", "sender_error", f"the service raised {type(error).__name__}")


def _receive(line: socket.socket) -> bytes:
    """One frame, empty at the end of the line."""
    head = line.recv(LENGTH.size, socket.MSG_WAITALL)
    if len(head) < LENGTH.size:
        return b""
    (size,) = LENGTH.unpack(head)
    return line.recv(size, socket.MSG_WAITALL) if size <= MAX_FRAME else b""


if __name__ == "__main__":
    main(sys.argv)
