"""An outbox takes what consumers would take, from its own service: the database refuses everything else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from ordersaga.database.migrate import migrate
from ordersaga.database.service_schema import ServiceSchema
from ordersaga.envelope import limits
from ordersaga.envelope.message import COLUMNS, Cause, Message, from_row, to_row
from tests.support.counting import GROUP
from tests.support.databases import Database, Databases

INSERT = f"insert into outbox ({', '.join(COLUMNS)}) values ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608
FIRST, LAST = datetime(limits.FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(limits.LAST_YEAR + 1, 1, 1, tzinfo=UTC)
AT_THE_LIMIT: list[tuple[str, Any, Any]] = [
    ("contract", "a.b.v1" + "1" * (limits.MAX_CONTRACT - 6), "a.b.v1" + "1" * (limits.MAX_CONTRACT - 5)),
    ("contract", "a-b.c_d.v12", "a.b"),
    ("contract", "a.b.v1", "*.b.v1"),
    ("contract", "a.b.v1", "a.b.v1\n"),
    ("key", "ü" * (limits.MAX_KEY // 2), "ü" * (limits.MAX_KEY // 2) + "u"),
    ("key", " ", ""),
    ("sequence", 0, -1),
    ("time", FIRST, FIRST - timedelta(microseconds=1)),
    ("time", LAST - timedelta(microseconds=1), LAST),
    ("event_hash", bytes(limits.HASH_BYTES), bytes(limits.HASH_BYTES - 1)),
    ("event_hash", bytes(limits.HASH_BYTES), b""),
    ("actor", "ü" * (limits.MAX_ACTOR // 2), "ü" * (limits.MAX_ACTOR // 2) + "u"),
    ("body", "ü" * (limits.MAX_BODY // 2), "ü" * (limits.MAX_BODY // 2) + "u"),
]
IN_NO_ENVELOPE = [
    ("time", "infinity"),
    ("time", "0044-03-15 BC"),
    ("traceparent", "x" * 56),
    ("tracestate", "x" * 513),
]


@pytest.fixture(scope="module")
def outbox(databases: Databases) -> Database:
    return databases()


def row(**changed: Any) -> tuple[Any, ...]:
    message = Message(uuid4(), "a.b.v1", GROUP, "key", 1, datetime.now(UTC), bytes(32), Cause(uuid4()), "{}")
    return tuple({**dict(zip(COLUMNS, to_row(message), strict=True)), **changed}.values())


@pytest.mark.parametrize(("column", "good", "bad"), AT_THE_LIMIT)
def test_the_database_has_the_limits_of_the_envelope(outbox: Database, column: str, good: Any, bad: Any) -> None:
    assert limits.violation(from_row(row(**{column: good}))) == ""
    assert limits.violation(from_row(row(**{column: bad})))
    with outbox.connect() as connection:
        connection.execute(INSERT, row(**{column: good}))
        with pytest.raises(CheckViolation, match=f"outbox_{column}"):
            connection.execute(INSERT, row(**{column: bad}))


@pytest.mark.parametrize(("column", "bad"), IN_NO_ENVELOPE)
def test_the_database_refuses_what_no_envelope_can_hold(outbox: Database, column: str, bad: str) -> None:
    with outbox.connect() as connection, pytest.raises(CheckViolation, match="outbox_t"):
        connection.execute(INSERT, row(**{column: bad}))


def test_a_service_announces_in_its_own_name_alone_and_cannot_take_the_constraint_away(outbox: Database) -> None:
    with outbox.connect() as connection:
        with pytest.raises(CheckViolation, match="outbox_source"):
            connection.execute(INSERT, row(source="billing"))
        for taken_away in (
            "alter table outbox drop constraint outbox_source",
            "alter table outbox alter column source drop not null",
        ):
            with pytest.raises(InsufficientPrivilege):
                connection.execute(taken_away)


def test_a_service_that_changes_its_source_keeps_its_rows_and_announces_under_the_new_one(database: Databases) -> None:
    renamed = database()
    with renamed.connect() as connection:
        connection.execute(INSERT, row())
        migrate(ServiceSchema(GROUP, GROUP, "o'brien"), renamed.owner_url)
        connection.execute(INSERT, row(source="o'brien"))
        with pytest.raises(CheckViolation, match="outbox_source"):
            connection.execute(INSERT, row())


def test_rows_of_before_stay_and_the_constraint_is_validated_once_they_are_gone(database: Databases) -> None:
    old = database()
    validated = "select convalidated from pg_constraint where conname = 'outbox_key'"
    with psycopg.connect(old.owner_url, autocommit=True) as owner:
        owner.execute("alter table outbox drop constraint outbox_key")
        owner.execute(INSERT, row(key="k" * 600))
        owner.execute("alter table outbox add constraint outbox_key check (octet_length(key) <= 512) not valid")
        migrate(ServiceSchema(GROUP, GROUP, GROUP), old.owner_url)
        assert old.rows(validated) == [(False,)]
        owner.execute("delete from outbox")
        migrate(ServiceSchema(GROUP, GROUP, GROUP), old.owner_url)
    assert old.rows(validated) == [(True,)]


def test_migrating_again_takes_no_lock_on_an_outbox_whose_source_is_the_same(database: Databases) -> None:
    migrated = database()
    with psycopg.connect(migrated.owner_url) as writing:
        writing.execute(INSERT, row())
        migrate(ServiceSchema(GROUP, GROUP, GROUP), migrated.owner_url)
