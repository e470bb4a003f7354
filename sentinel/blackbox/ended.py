"""The one exception inside this package: the probe is over, for a reason that was noted."""


class Ended(Exception):
    """Raised by what a prober calls, caught by `probing.probe`; `reason` is the stable code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
