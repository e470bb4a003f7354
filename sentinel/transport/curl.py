"""HTTP and raw TCP connections on libcurl, driven by one poller."""


class Transport:
    """All sockets of a node."""
