"""PEM texts as files for a library that takes nothing else: in memory only, never on a disk.

Each is an anonymous file of this process (``memfd_create``), which has a path under
``/proc/self/fd`` for as long as it is kept. A path is to be used at once: a text that was not
asked for in a while gives its place to others.
"""

import os
from functools import lru_cache

MOST_KEPT = 128


class _Kept:
    """One file; closed when nobody keeps it."""

    def __init__(self, pem: str) -> None:
        self._fd = os.memfd_create("pem", os.MFD_CLOEXEC)
        content = memoryview(pem.encode())
        while content:  # bounded by the text
            content = content[os.write(self._fd, content) :]
        self.path = f"/proc/self/fd/{self._fd}"

    def __del__(self) -> None:
        os.close(self._fd)


@lru_cache(maxsize=MOST_KEPT)
def _kept(pem: str) -> _Kept:
    return _Kept(pem)


def path_of(pem: str) -> str:
    """A path that holds this text now; ``""`` for an empty one. Raises OSError."""
    return _kept(pem).path if pem else ""
