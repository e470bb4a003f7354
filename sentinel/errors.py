"""What can go wrong, and which of the four shapes it takes.

A *sick target* is an observation, never an exception. A *wrong document* is a list of
problems with lines (``library``), raised once as `DocumentsRefused`. A *refused command*
is a value (``incident.commands``). Only *our own or a vendor's failure* is an exception,
and it carries whether trying again can help and a `FailureReason`, which is also the
metric's label::

    Exception
    ├── DocumentsRefused            a workspace that cannot be activated
    ├── ExpressionRefused           an expression that does not compile (becomes a problem)
    ├── ExpressionFailed            an expression that could not be evaluated on these values
    └── Failure                     ours or a vendor's; retryable, reason
        ├── JournalUnavailable      the store refuses or is away: blind mode after 10 s
        ├── Outdated                decided on what is no longer so: plan again
        ├── LeaseLost               a worker came back too late; its outcome is refused
        ├── StoreTooNew             the store was written by a later Sentinel
        ├── ChainBroken             a stream's hashes do not follow from its facts
        ├── SecretMissing           ``env:`` or ``file:`` names nothing
        └── ExtraMissing            a kind needs a package that is not installed
"""

from collections.abc import Sequence
from enum import StrEnum


class FailureReason(StrEnum):
    """The closed set of reasons for a failure of our own; the label ``reason`` in metrics."""

    JOURNAL_UNAVAILABLE = "journal_unavailable"
    OUTDATED = "outdated"
    LEASE_LOST = "lease_lost"
    STORE_TOO_NEW = "store_too_new"
    CHAIN_BROKEN = "chain_broken"
    SECRET_MISSING = "secret_missing"
    EXTRA_MISSING = "extra_missing"
    INTERNAL = "internal"


class Failure(Exception):
    """Our own or a vendor's failure. `retryable` says whether the same call may succeed later."""

    reason = FailureReason.INTERNAL
    retryable = False


class JournalUnavailable(Failure):
    """The store refused a commit or cannot be reached (disk full, locked, connection lost)."""

    reason = FailureReason.JOURNAL_UNAVAILABLE
    retryable = True


class Outdated(Failure):
    """The streams locked are not those the decision needs now; `streams` are missing ones, where
    known. Nothing was written."""

    reason = FailureReason.OUTDATED
    retryable = True

    def __init__(self, text: str, *, streams: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.streams = tuple(streams)


class LeaseLost(Failure):
    """The work row is no longer held by this node, epoch and attempt. Nothing was written."""

    reason = FailureReason.LEASE_LOST


class StoreTooNew(Failure):
    """The store's schema is newer than this code; a downgrade would lose facts."""

    reason = FailureReason.STORE_TOO_NEW


class ChainBroken(Failure):
    """A fact's hash does not follow from its bytes and its predecessor."""

    reason = FailureReason.CHAIN_BROKEN


class SecretMissing(Failure):
    """A secret's source is not there. The message names the source, never a value."""

    reason = FailureReason.SECRET_MISSING


class ExtraMissing(Failure):
    """A kind needs an optional package; the message is the ``pip install`` that mends it."""

    reason = FailureReason.EXTRA_MISSING


class ExpressionRefused(Exception):
    """An expression does not compile or names what is not declared.

    `column` counts from 1 within the expression's own text.
    """

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column


class ExpressionFailed(Exception):
    """An expression could not be evaluated on these values.

    `reason` is ``field_missing`` (no such key or index), ``field_type`` (all else over what
    a target sent) or ``expression_error`` (over our own typed names): rule "Expressions" of
    the document reference.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class DocumentsRefused(Exception):
    """A workspace has problems that keep it from being activated; each has a place and a mend."""

    def __init__(self, problems: Sequence[object]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
