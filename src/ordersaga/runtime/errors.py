"""The errors of the library, and the one place that tells transient from permanent."""

import traceback
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import psycopg
from pika.exceptions import AMQPError

from ordersaga.envelope.message import UnreadableMessage


class Conflict(Exception):
    """Another writer recorded the next version of an aggregate first; load again and decide again.

    `decide` and the worker retry; a caller sees this error after five failed attempts."""


class AlreadyReceived(Exception):
    """Another consumer received one of these messages first; look at the inbox again."""


class KeyTaken(Exception):
    """Another request with the same idempotency key was stored first; its answer is the answer to this one too."""


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

    The worker parks the message and tries again. After some such errors in a row it calls the system no more, but for
    one message every few seconds, until the system answers.
    """


class CircuitOpen(ResourceUnavailable):
    """The outside step was not called: the system that it calls has not answered for some time."""


class ErrorKind(Enum):
    """The kinds of errors, each with what the worker does with the message."""

    UNAVAILABLE = "a server does not answer: nothing is wrong with the message; keep it and wait for the server"
    CONFLICT = "another writer was first: do the same again, soon and a bounded number of times"
    FAILED = "the reaction failed: park the message and try again later, a bounded number of times"
    INVALID = "the message cannot be handled as it is: park it for a person"


CONFLICT_STATES = ("40",)
UNAVAILABLE_STATES = ("08", "25006", "25P03", "28", "3D000", "53", "55P03", "57P", "58")
"""SQLSTATE prefixes: connection, read-only after a failover, sign-in, resources, lock timeout, shutdown, system errors.

A lock timeout (55P03) counts as unavailable: the holder of the lock, such as a person with LOCK TABLE, still holds it,
and another attempt, also with half the batch, would wait as long.

A cancelled statement (57014) and an exceeded limit (54) are not listed: the message itself may be the reason.
"""


def classify(error: BaseException) -> ErrorKind:
    """The kind of an error: the only place that decides between transient and permanent."""
    if isinstance(error, Conflict | AlreadyReceived | KeyTaken):
        return ErrorKind.CONFLICT
    if isinstance(error, UnreadableMessage):
        return ErrorKind.INVALID
    if isinstance(error, Unavailable | AMQPError | psycopg.InterfaceError):
        return ErrorKind.UNAVAILABLE
    if isinstance(error, psycopg.Error):
        return classify_sqlstate(error)
    return ErrorKind.FAILED


def classify_sqlstate(error: psycopg.Error) -> ErrorKind:
    state = error.sqlstate or ""
    if state.startswith(CONFLICT_STATES):
        return ErrorKind.CONFLICT
    connection_lost = isinstance(error, psycopg.OperationalError) and not state
    if connection_lost or state.startswith(UNAVAILABLE_STATES):
        return ErrorKind.UNAVAILABLE
    return ErrorKind.FAILED


def reason_of(error: psycopg.Error) -> str:
    """The reason in one line without its full stop; Postgres' own text repeats the statement above a caret."""
    given = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    sentences = [text.strip().rstrip(".") for text in given if text] or [str(error).rstrip(".\n")]
    return " ".join(". ".join(sentences).split())


def is_outage(error: BaseException) -> bool:
    """Whether an outside step failed because the system that it calls does not answer."""
    return isinstance(error, ResourceUnavailable | OSError)


class Failure(NamedTuple):
    """A failure as operators see it; `place` is shown, and without its line it is part of the failure's identity."""

    error: str
    place: str
    message: str
    traceback: str


MAX_MESSAGE = 4_000
MAX_TRACEBACK = 40_000


def describe(error: BaseException) -> Failure:
    trace = "".join(traceback.format_exception(error))
    return Failure(type(error).__name__, place_of(error), str(error)[:MAX_MESSAGE], trace[-MAX_TRACEBACK:])


def place_of(error: BaseException) -> str:
    """`folder/file.py:line Class.function` of the frame that raised, empty when nothing was raised."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        place = f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{line} {frame.f_code.co_qualname}"
    return place
