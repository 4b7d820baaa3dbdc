"""What a failure says about the message that met it: the one place that tells transient from permanent."""

import traceback
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import psycopg
from pika.exceptions import AMQPError

from ordersaga.envelope.message import UnreadableMessage
from ordersaga.store.transaction import AlreadyReceived, Conflict


class Away(Exception):
    """A server that is needed does not answer, or is not ready for this service."""


class Fate(Enum):
    """What becomes of a message after a failure."""

    AWAY = "a server is away: nothing is wrong with the message, keep it and go on when the server is back"
    CONTENDED = "someone else was first: do the same again, soon and a bounded number of times"
    FAILED = "the reaction failed: park the message and try again later, a bounded number of times"
    BROKEN = "the message cannot be handled as it is: park it for a person"


CONTENDED_STATES = ("40",)
AWAY_STATES = ("08", "25006", "25P03", "28", "3D000", "53", "55P03", "57P", "58")
"""SQLSTATE prefixes: connection, read-only after a failover, sign-in, resources, lock timeout, shutdown, system errors.

What waited in vain for a lock waits for whoever has it, such as a person with LOCK TABLE: trying the same again at once
or in halves would wait as long each time.

A cancelled statement (57014) and a limit exceeded (54) are not among them: the message itself may be the reason.
"""


def judge(error: BaseException) -> Fate:
    if isinstance(error, Conflict | AlreadyReceived):
        return Fate.CONTENDED
    if isinstance(error, UnreadableMessage):
        return Fate.BROKEN
    if isinstance(error, Away | AMQPError | psycopg.InterfaceError):
        return Fate.AWAY
    if isinstance(error, psycopg.Error):
        return judge_sqlstate(error)
    return Fate.FAILED


def judge_sqlstate(error: psycopg.Error) -> Fate:
    state = error.sqlstate or ""
    if state.startswith(CONTENDED_STATES):
        return Fate.CONTENDED
    lost = isinstance(error, psycopg.OperationalError) and not state
    return Fate.AWAY if lost or state.startswith(AWAY_STATES) else Fate.FAILED


class Failure(NamedTuple):
    """A failure as it is shown to a person; same error and place are one group."""

    error: str
    place: str
    message: str
    traceback: str


LONGEST_MESSAGE = 4_000
LONGEST_TRACEBACK = 40_000


def describe(error: BaseException) -> Failure:
    trace = "".join(traceback.format_exception(error))
    return Failure(type(error).__name__, place_of(error), str(error)[:LONGEST_MESSAGE], trace[-LONGEST_TRACEBACK:])


def place_of(error: BaseException) -> str:
    """`folder/file.py:line function` of the frame that raised, empty when nothing was raised."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        place = f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{line} {frame.f_code.co_name}"
    return place
