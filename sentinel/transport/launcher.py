"""Sets limits, then becomes the program. Run as ``python -I -S launcher.py LIMITS PROGRAM ARGV0 ARGV…``.

LIMITS are ``name=most`` joined by commas, named as ``resource.RLIMIT_*`` names them in small
letters (``core=0,nofile=256``). Only the standard library, and as little of it as possible: this
starts before every command.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Never returns: the program replaces this one, or a line on standard error says why not."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    limits, program, *arguments = argv
    for each in limits.split(","):
        name, _, most = each.partition("=")
        _limit(getattr(resource, f"RLIMIT_{name.upper()}"), int(most))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execv(program, arguments)  # noqa: S606 - there is no shell, and that is the point
    except OSError as error:
        sys.stderr.write(f"cannot run {program}: {error.strerror}\n")
        os._exit(126)


def _limit(limit: int, most: int) -> None:
    """Never more than what this process itself is allowed."""
    _, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY:
        # A second between SIGXCPU, which says why it ended, and SIGKILL, which does not.
        hard = most + 1 if limit == resource.RLIMIT_CPU else most
    allowed = min(most, hard)
    resource.setrlimit(limit, (allowed, hard if limit == resource.RLIMIT_CPU else allowed))


if __name__ == "__main__":
    main(sys.argv[1:])
