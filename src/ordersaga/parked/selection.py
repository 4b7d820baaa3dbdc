"""One action on several parked messages, or the skip of a whole failure group."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.errors import LockNotAvailable

from ordersaga.database.locks import BRIEFLY
from ordersaga.parked import inspection, operations, operator_actions, running_attempt
from ordersaga.parked.listing import ParkedFilter, messages
from ordersaga.parked.operator import ActionRefused, Changed, Operator, TookEffect, UnknownMessage
from ordersaga.parked.refused_by import RefusedBy, statement
from ordersaga.parked.running_attempt import AttemptRuns

MAX_MESSAGES = 100
"""The most messages of one selection."""
MAX_SKIPPED = 1000
"""The most messages of a failure group that are skipped at once."""

Verb = Literal["retry", "skip", "hold", "release"]
Known = Callable[[Connection[Any], Sequence[UUID]], dict[UUID, bytes]]
"""`Handler.known`: which of these messages took effect."""


class Choice(NamedTuple):
    """A message, who refused it, and the version at which the person decided; None is any."""

    message_id: UUID
    refused_by: RefusedBy | None = None
    seen: str | None = None


class ActionResult(NamedTuple):
    """What came of the action on one message: its new state, or why nothing was done."""

    choice: Choice
    outcome: str
    detail: str = ""


class CountChanged(Exception):
    """The failure group has another number of messages than the person saw."""


def act(connection: Connection[Any], verb: Verb, choice: Choice, operator: Operator, known: Known) -> str:
    """Act on one message that `running_attempt.await_end` keeps from being tried. Returns its new state.

    Raises:
        TookEffect: it took effect, or was skipped, before.
        UnknownMessage: it is not parked here.
        Changed: another person has acted on it since.
    """
    message_id, refused_by, _ = choice
    with before_attempts(connection, choice, known) as version:
        match verb:
            case "retry":
                return operations.retry(connection, message_id, operator, version, refused_by)
            case "skip":
                operations.skip(connection, message_id, operator, version, refused_by)
                return "skipped"
            case "hold":
                return operations.hold(connection, message_id, operator, version, refused_by)
            case "release":
                return operations.release(connection, message_id, operator, version, refused_by)


@contextmanager
def before_attempts(connection: Connection[Any], choice: Choice, known: Known) -> Iterator[str | None]:
    """Surrounds an action that comes before the next attempt, and yields the version to act on.

    An error says what became of a message that has gone; after a refusal, attempts at the message may begin again.
    Raises as `act` does.
    """
    message_id, refused_by, seen = choice
    try:
        yield running_attempt.version_by_person(connection, message_id, seen, refused_by)
    except UnknownMessage as error:
        raise explained(connection, message_id, error, known) from None
    except (Changed, ActionRefused):
        running_attempt.let_go(connection, [message_id])
        raise


SKIPPED = """
select actor, acted_at from parked_actions where message_id = %s and action = 'skip' order by position desc limit 1
"""


def explained(connection: Connection[Any], message_id: UUID, error: UnknownMessage, known: Known) -> UnknownMessage:
    """The error, or TookEffect when the message was here and has gone."""
    skipped = connection.execute(SKIPPED, (message_id,)).fetchone()
    if skipped:
        return TookEffect(f"{skipped[0]} skipped message {message_id} at {skipped[1]:%H:%M:%S}")
    if known(connection, [message_id]):
        return TookEffect(f"message {message_id} took effect before")
    return error


def act_on_each(
    connection: Connection[Any], verb: Verb, choices: Sequence[Choice], operator: Operator, known: Known
) -> list[ActionResult]:
    """Act on several messages, each in a transaction of its own; running attempts are waited for together."""
    ids = [choice.message_id for choice in choices]
    with suppress(AttemptRuns):
        running_attempt.await_end(connection, ids)
    results = [result_of(connection, verb, choice, operator, known) for choice in choices]
    running_attempt.let_go(connection, ids)
    return results


def result_of(
    connection: Connection[Any], verb: Verb, choice: Choice, operator: Operator, known: Known
) -> ActionResult:
    try:
        with connection.transaction():
            connection.execute(BRIEFLY)
            return ActionResult(choice, act(connection, verb, choice, operator, known))
    except TookEffect as error:
        return ActionResult(choice, "took-effect", str(error))
    except UnknownMessage as error:
        return ActionResult(choice, "gone", str(error))
    except Changed as error:
        return ActionResult(choice, "changed", str(error))
    except ActionRefused as error:
        return ActionResult(choice, "refused", str(error))
    except LockNotAvailable:
        return ActionResult(choice, "changed", "an attempt at a message of its key runs")


class GroupSkip(NamedTuple):
    """How many messages were skipped, had gone by themselves, and are left for the next request."""

    skipped: int
    gone: int
    left: int


def skip_group(
    connection: Connection[Any], failure: str, seen: int, operator: Operator, at_most: int = MAX_SKIPPED
) -> GroupSkip:
    """Skip the messages of a failure group, the oldest first, at most so many.

    Args:
        seen: the number of its messages at which the person decided.

    Raises:
        CountChanged: it has another number of messages now; nothing was done.
    """
    group = next((each for each in inspection.failure_groups(connection) if each.failure == failure), None)
    now = group.messages if group else 0
    if now != seen:
        raise CountChanged(f"failure {failure} had {seen} messages when this was decided, and has {now} now")
    wanted = ParkedFilter(failure=failure, failed=True)
    found = [Choice(row["message_id"], row["refused_by"]) for row in messages(connection, wanted, at_most)]
    running_attempt.await_end(connection, [choice.message_id for choice in found])
    done: list[bool] = []
    with suppress(LockNotAvailable):
        done.extend(skip_each(connection, failure, found, operator))
    running_attempt.let_go(connection, [choice.message_id for choice in found[len(done) :]])
    skipped = sum(done)
    operator_actions.record(connection, "skip group", operator, failure, details={"skipped": skipped, "seen": seen})
    return GroupSkip(skipped, len(done) - skipped, seen - len(done))


def skip_each(connection: Connection[Any], failure: str, found: Sequence[Choice], operator: Operator) -> Iterator[bool]:
    """Whether each was skipped. Raises LockNotAvailable at one whose key is locked; the others are left."""
    for choice in found:
        yield skip_one(connection, failure, choice, operator)


FAILS_AS = """
select exists (select from {rows} where message_id = %s and {failure} = %s and state <> 'waiting')
"""


def skip_one(connection: Connection[Any], failure: str, choice: Choice, operator: Operator) -> bool:
    """Whether it was skipped: one that has gone, or fails otherwise by now, is not."""
    message_id, by, _ = choice
    assert by
    try:
        with connection.transaction():
            connection.execute(BRIEFLY)
            refused = operations.lock(connection, message_id, None, by)
            row = connection.execute(statement(FAILS_AS, by), (message_id, failure)).fetchone()
            if not (row and row[0]):
                running_attempt.let_go(connection, [message_id])
                return False
            operations.record(connection, "skip", refused, operator)
            refused.skip(connection)
            return True
    except UnknownMessage:
        return False
