"""What node, stem and senders say to each other. Imports nothing of Apprise, so the node may."""

import struct

import msgspec

ORDER = struct.Struct(">cI")
"""One order to the stem: what, and the sender's number."""
FORK, KILL, READY = b"F", b"K", b"R"

LENGTH = struct.Struct(">I")
"""The length of a request or reply that follows, in bytes."""
MAX_FRAME = 1 << 20

LETTERS = 200
"""A sender retires after so many letters, so that what a service leaks does not grow."""


class Letter(msgspec.Struct, frozen=True):
    """What a sender process is asked to send. `short` holds the acknowledge link and the code."""

    url: str
    title: str
    short: str
    body: str


class Reply(msgspec.Struct, frozen=True):
    """What came of it. `status` is ``accepted``, ``refused`` or ``uncertain``."""

    status: str
    reason: str = ""
    text: str = ""
