"""The path of a unix socket, however deep its folder lies.

The kernel takes 107 bytes (unix(7)), and a workspace may lie deeper. Through a descriptor of its folder
every socket has a short path.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 107


@contextmanager
def fitting(path: Path) -> Iterator[str]:
    """A path by which the socket can be bound or connected to while this lasts. Raises OSError when its
    folder is not there."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
