"""Sets limits, then becomes the program. Run as ``python -I -S launcher.py PROGRAM ARGV0 ARGV…``.

Only the standard library, and as little of it as possible: this starts before every command.
"""

import ctypes
import os
import resource
import signal
import sys

LIMITS = (
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 1 << 30),
    (resource.RLIMIT_NOFILE, 4096),
    (resource.RLIMIT_CPU, 3600),
)
"""No core dumps (they hold secrets), files up to 1 GiB, an hour of CPU."""

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Never returns: the program replaces this one, or a line on standard error says why not."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for limit, most in LIMITS:
        _, hard = resource.getrlimit(limit)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (allowed, allowed))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    program, *arguments = argv
    try:
        os.execv(program, arguments)  # noqa: S606 - there is no shell, and that is the point
    except OSError as error:
        sys.stderr.write(f"cannot run {program}: {error.strerror}\n")
        os._exit(126)


if __name__ == "__main__":
    main(sys.argv[1:])
