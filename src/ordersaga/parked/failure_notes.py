"""What people write about a failure group: note, owner, link, on hold. It stays when the last message is gone."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.parked import operator_actions, retry_runs
from ordersaga.parked.operator import ActionRefused, Operator
from ordersaga.parked.refused_by import FAILURE, ON_HOLD, REFUSED_BY, RefusedBy, statement
from ordersaga.parked.table import UNKNOWN, clean

if TYPE_CHECKING:
    from ordersaga.parked.inspection import FailureGroup

COLUMNS = "failure, refused_by, contract, error, place, note, owner, link, held_since, held_by, held_reason, last_seen"


class UnknownFailure(LookupError):
    """No parked message has failed so, and nobody has written about it."""


@dataclass(frozen=True)
class FailureNote:
    """A failure group as people know it, also while no message of it is parked."""

    failure: str
    refused_by: RefusedBy
    contract: str | None
    error: str
    place: str
    note: str
    owner: str
    link: str
    held_since: datetime | None
    """None: it is not on hold."""
    held_by: str | None
    held_reason: str | None
    last_seen: datetime
    """When a message last failed so, to ten seconds."""

    @classmethod
    def of_group(cls, group: "FailureGroup") -> "FailureNote":
        """An empty note about a group that has messages."""
        said = {name: getattr(group, name) for name in COLUMNS.split(", ")}
        return cls(**said)


ALL = f"select {COLUMNS} from failure_notes order by last_seen desc"  # noqa: S608 - a constant
ONE = f"select {COLUMNS} from failure_notes where failure = %s"  # noqa: S608 - a constant
FOUND = """
select {failure} as failure, %(refused_by)s::text as refused_by, contract, error, place, '' as note, '' as owner,
    '' as link, null::timestamptz as held_since, null::text as held_by, null::text as held_reason,
    last_failed_at as last_seen
from {rows} where state <> 'waiting' and {failure} = %(failure)s order by position desc limit 1
"""
STORE = f"""
insert into failure_notes ({COLUMNS})
values (%(failure)s, %(refused_by)s, %(contract)s, %(error)s, %(place)s, '', '', '', null, null, null, %(last_seen)s)
on conflict (failure) do nothing
"""  # noqa: S608 - a constant


def written(connection: Connection[Any]) -> list[FailureNote]:
    """All failure groups about which people have written, the last seen first."""
    with connection.cursor(row_factory=class_row(FailureNote)) as cursor:
        return cursor.execute(ALL).fetchall()


def find(connection: Connection[Any], failure: str) -> FailureNote:
    """What is written about a failure group, or an empty note. Raises UnknownFailure."""
    with connection.cursor(row_factory=class_row(FailureNote)) as cursor:
        note = cursor.execute(ONE, (failure,)).fetchone()
        for by in () if note else REFUSED_BY:
            note = cursor.execute(statement(FOUND, by), {"refused_by": by, "failure": failure}).fetchone()
            if note:
                break
    if note is None:
        raise UnknownFailure(f"no message failed as {failure}, and nobody has written about it")
    return note


def stored(connection: Connection[Any], failure: str) -> FailureNote:
    """The note, which is in the table from now on. Raises UnknownFailure."""
    note = find(connection, failure)
    connection.execute(STORE, vars(note))
    return note


ANNOTATE = """
update failure_notes set note = coalesce(%(note)s, note), owner = coalesce(%(owner)s, owner),
    link = coalesce(%(link)s, link)
where failure = %(failure)s
"""


def annotate(
    connection: Connection[Any],
    failure: str,
    operator: Operator,
    note: str | None = None,
    owner: str | None = None,
    link: str | None = None,
) -> FailureNote:
    """Write note, owner or link; None leaves what is written, an empty text removes it.

    Raises:
        UnknownFailure: there is no such failure group.
        ActionRefused: the link is not one of http or https.
    """
    said = {"note": clean(note), "owner": clean(owner), "link": clean(link)}
    given = {name: text for name, text in said.items() if text is not None}
    with connection.transaction():
        stored(connection, failure)
        require_web_link(link or "")
        if given:
            connection.execute(ANNOTATE, {**said, "failure": failure})
            operator_actions.record(connection, "annotate", operator, failure, details=given)
        return find(connection, failure)


def require_web_link(link: str) -> None:
    """Raises ActionRefused: a page that shows the link would run or open something else."""
    try:
        parts = urlsplit(link)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and link.isprintable() and " " not in link
    except ValueError:
        is_one = False
    if link and not is_one:
        raise ActionRefused(f"{link!r} is not a link of http or https, such as https://tickets.example.org/4711")


HOLD = """
update failure_notes set held_since = now(), held_by = %(actor)s, held_reason = %(reason)s
where failure = %(failure)s and held_since is null returning failure
"""
FOLLOW = {
    "reaction": f"update parked_messages set held = null where not held and {FAILURE} = %s",  # noqa: S608
    "broker": """
        update undeliverable set held = null
        where not held and position = any(select position from {rows} where {failure} = %s)""",
}
# Messages without a time are not looked at for each attempt, however many they are.
SETTLE = f"""
update parked_messages set next_attempt_at = case when {ON_HOLD} then null else now() end
where state = 'retrying' and error <> %s and (next_attempt_at is null) <> {ON_HOLD}
"""  # noqa: S608 - a constant


def hold(connection: Connection[Any], failure: str, operator: Operator) -> FailureNote:
    """Put a failure group on hold: workers and relay try none of its messages, nor those that will fail so.

    A run that retries it is stopped. A message that a person retries by itself is tried all the same, and so is what a
    run retries that is started afterwards. One that is on hold already stays as it is.

    Raises:
        UnknownFailure: there is no such failure group.
    """
    with connection.transaction():
        note = stored(connection, failure)
        if connection.execute(HOLD, {**operator.storable()._asdict(), "failure": failure}).fetchone():
            operator_actions.record(connection, "hold", operator, failure)
            # Before the messages are locked: a run locks itself, then a message.
            retry_runs.stop_of_failure(connection, failure, operator._replace(reason=f"put on hold: {operator.reason}"))
            connection.execute(statement(FOLLOW[note.refused_by], note.refused_by), (failure,))
            settle(connection)
        return find(connection, failure)


RELEASE = """
update failure_notes set held_since = null, held_by = null, held_reason = null
where failure = %s and held_since is not null returning failure
"""


def release(connection: Connection[Any], failure: str, operator: Operator) -> FailureNote:
    """End the hold: its messages are due now, each that a person does not hold by itself.

    Raises:
        UnknownFailure: there is no such failure group.
    """
    with connection.transaction():
        find(connection, failure)
        if connection.execute(RELEASE, (failure,)).fetchone():
            operator_actions.record(connection, "release", operator, failure)
            settle(connection)
        return find(connection, failure)


def settle(connection: Connection[Any]) -> None:
    """Take the next attempt from messages that are on hold, and give one to those that no longer are.

    Workers repeat it: a message that fails while its group is put on hold is not seen by the transaction that does so.
    """
    connection.execute(SETTLE, (UNKNOWN,))


SEEN = f"""
update failure_notes set last_seen = now() where last_seen < now() - interval '10 seconds' and failure in (
    select {FAILURE} from (values (%s::text, %s::text, %s::text)) as failed (error, contract, place))
"""  # noqa: S608 - a constant


def seen(connection: Connection[Any], error: str, contract: str | None, place: str) -> None:
    """A message has failed so just now."""
    connection.execute(SEEN, (error, contract, place))
