"""The errors of the library, and the one place that tells transient from permanent."""

import traceback
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import psycopg
from pika.exceptions import AMQPError

from ordersaga.envelope.message import UnreadableMessage
from ordersaga.runtime.reasons import advised_reason_of


class Conflict(Exception):
    """Another writer recorded the next version of an aggregate first; load again and decide again.

    `decide` and the worker retry; a caller sees this error after five failed attempts."""


class AlreadyReceived(Exception):
    """Another consumer received one of these messages first; look at the inbox again."""


class ParkedMeanwhile(Exception):
    """A message of the same key was parked after this one was looked for; look at the parked messages again."""


class KeyTaken(Exception):
    """Another request with the same idempotency key was stored first; its answer is the answer to this one too."""


class KeyHeld(Exception):
    """A request with the same idempotency key is being stored at this moment; nothing was written for this one."""


class NoTransaction(Exception):
    """The connection is in autocommit outside a transaction: the message would be stored without the change."""


class Unavailable(Exception):
    """A server that is needed does not answer, or is not ready for this service.

    When a reaction raises it, the worker holds the message and retries until the server answers; nothing is parked.
    Raised by an outside step, it counts as `ResourceUnavailable`.
    """


class UnusableDatabase(Exception):
    """The database answers, but cannot be used until a person changes something; the message says what."""


class ResourceUnavailable(Exception):
    """A system that an outside step calls gives no usable answer; calling it again later is safe.

    The worker parks the message and retries it. After five such errors in a row it stops calling the system, except
    with one message every five seconds, until the system answers.
    """


class NotCalled(ResourceUnavailable):
    """The outside step was not called, for now; the attempt does not count."""


class CircuitOpen(NotCalled):
    """The outside step was not called: the system that it calls has not answered for some time."""


class RateLimited(ResourceUnavailable):
    """The system that an outside step calls answers that it is called too often, as HTTP does with 429.

    It is no outage: no circuit breaker opens. Nothing of the system is called for `retry_after` seconds (None: for
    a pause that grows with each such answer), then the step runs again.
    """

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class TooManyLocks(Exception):
    """A batch needs more locks than one transaction may take; its halves may need few enough."""


def session_ended(error: BaseException) -> Unavailable:
    """In place of an error that ended the session; the caller records the error itself in the next session."""
    return Unavailable(f"Postgres ended the session: {advised_reason_of(error)}")


class ErrorKind(Enum):
    """The kinds of errors, each with what the worker does with the message."""

    UNAVAILABLE = "a server does not answer: nothing is wrong with the message; keep it and wait for the server"
    CONFLICT = "another writer was first: do the same again, soon and a bounded number of times"
    LOCKED = "another session holds a lock for too long: handle what does not need it, park the rest as FAILED"
    TOO_LARGE = "its size may be the reason: halve the batch; a single message is FAILED"
    FAILED = "the reaction failed: park the message and try again later, a bounded number of times"
    INVALID = "the message cannot be handled as it is: park it for a person"


OUR_DATABASE = (ErrorKind.UNAVAILABLE, ErrorKind.LOCKED)
"""Kinds that say nothing about a step that only reads, which nothing but a locked table keeps waiting."""

SQLSTATES = {
    "08": ErrorKind.UNAVAILABLE,  # connection
    "22": ErrorKind.INVALID,  # data that the type of a column or parameter can never hold
    "22012": ErrorKind.FAILED,  # division by zero: other rows take part, and may change
    "2201E": ErrorKind.FAILED,  # logarithm, as above
    "2201F": ErrorKind.FAILED,  # power, as above
    "2201G": ErrorKind.FAILED,  # width_bucket, as above
    "25006": ErrorKind.UNAVAILABLE,  # read-only after a failover
    "25P03": ErrorKind.TOO_LARGE,  # idle in a transaction: the reactions of the batch took too long
    "28": ErrorKind.UNAVAILABLE,  # sign-in
    "3D000": ErrorKind.UNAVAILABLE,  # no such database
    "40": ErrorKind.CONFLICT,
    "53": ErrorKind.UNAVAILABLE,  # connections, disk
    "53200": ErrorKind.TOO_LARGE,  # shared memory, which holds the locks, or memory
    "53400": ErrorKind.TOO_LARGE,  # a configured limit, such as temp_file_limit
    "54": ErrorKind.TOO_LARGE,  # a limit of Postgres itself
    "55P03": ErrorKind.LOCKED,
    "57014": ErrorKind.TOO_LARGE,  # statement timeout
    "57P": ErrorKind.UNAVAILABLE,  # shutdown
    "58": ErrorKind.UNAVAILABLE,  # system errors
}
"""Prefix of SQLSTATE -> kind; the longest prefix counts, and every other state is FAILED."""


def classify(error: BaseException) -> ErrorKind:
    """The kind of an error: the only place that decides between transient and permanent."""
    if isinstance(error, Conflict | AlreadyReceived | ParkedMeanwhile | KeyTaken):
        return ErrorKind.CONFLICT
    if isinstance(error, TooManyLocks | MemoryError):
        return ErrorKind.TOO_LARGE
    if isinstance(error, UnreadableMessage | UnicodeEncodeError):
        return ErrorKind.INVALID
    if isinstance(error, Unavailable | AMQPError | psycopg.InterfaceError):
        return ErrorKind.UNAVAILABLE
    if isinstance(error, psycopg.Error):
        return classify_sqlstate(error)
    return ErrorKind.FAILED


def classify_sqlstate(error: psycopg.Error) -> ErrorKind:
    """Errors without a state come from the client: the connection is lost, or psycopg cannot send the data."""
    state = error.sqlstate
    if state:
        prefixes = (state[:length] for length in (5, 3, 2))
        return next((SQLSTATES[prefix] for prefix in prefixes if prefix in SQLSTATES), ErrorKind.FAILED)
    if isinstance(error, psycopg.OperationalError):
        return ErrorKind.UNAVAILABLE
    return ErrorKind.INVALID if isinstance(error, psycopg.DataError) else ErrorKind.FAILED


def is_outage(error: BaseException) -> bool:
    """Whether an outside step failed because the system that it calls does not answer."""
    return isinstance(error, ResourceUnavailable | OSError) and not isinstance(error, RateLimited)


class Failure(NamedTuple):
    """A failure as operators see it; `place` is shown, and without its line it is part of the failure's identity."""

    error: str
    place: str
    message: str
    traceback: str


MAX_MESSAGE = 4_000
MAX_TRACEBACK = 40_000


def describe(error: BaseException) -> Failure:
    """The failure, with what to do where a setting is the reason."""
    trace = "".join(traceback.format_exception(error))
    return Failure(
        type(error).__name__, place_of(error), advised_reason_of(error)[:MAX_MESSAGE], trace[-MAX_TRACEBACK:]
    )


def place_of(error: BaseException) -> str:
    """`folder/file.py:line Class.function` of the frame that raised, empty when nothing was raised.

    The folder is there when it is a package: any other, such as `site-packages`, `python3.11` or that of a release, is
    another one at the next deploy, and place without line is the identity of a failure.
    """
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        place = f"{file_of(frame)}:{line} {frame.f_code.co_qualname}"
    return place


def file_of(frame: FrameType) -> str:
    path, module = Path(frame.f_code.co_filename), str(frame.f_globals.get("__name__", ""))
    is_in_package = bool(frame.f_globals.get("__package__")) or "." in module or not module
    return "/".join(path.parts[-2:]) if is_in_package else path.name
