"""What migrations leave behind: the schema that the code knows, history that nobody can change, least privilege."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier
from sqlalchemy import CheckConstraint, MetaData, create_engine, inspect, make_url
from sqlalchemy.dialects.postgresql.base import ischema_names

from ordersaga.database import schema
from ordersaga.database.migrate import UnknownSchema, migrate
from tests.conftest import AnyServers
from tests.support.counting import GROUP
from tests.support.databases import SCHEMAS, Database, Databases

MIGRATE = (sys.executable, "-m", "ordersaga.cli", "--app", "tests.support.counting", "migrate")
EVENT = """
insert into stored_events (originator_id, originator_version, topic, state, actor, hash)
values ('01890000-0000-7000-8000-000000000001', 1, 'counter.kept', '{}', 'alice', '\\x00')
"""
CHANGES = {
    "update": "update stored_events set topic = 'counter.shredded'",
    "update of no row": "update stored_events set topic = 'counter.shredded' where false",
    "delete": "delete from stored_events",
    "truncate": "truncate stored_events",
    "upsert": EVENT + "on conflict (originator_id, originator_version) do update set actor = 'mallory'",
    "merge": "merge into stored_events using (values (1)) as one (n) on true when matched then delete",
}
REFUSED = {
    GROUP: [
        "alter table stored_events disable trigger all",
        "drop table stored_events",
        "create table other (id int)",
        "update snapshots set state = ''",
        "update outbox set body = ''",
        "delete from outbox",
        "update inbox set contract = ''",
        "update idempotency_keys set body = ''",
        "select * from relay_cursor",
        "update personal_keys set subject = ''",
        "delete from personal_keys",
    ],
    "relay": [
        "select * from stored_events",
        EVENT,
        "insert into outbox (contract) values ('')",
        "update outbox set body = ''",
        "delete from relay_cursor",
        "select * from inbox",
        "select * from idempotency_keys",
        "select * from parked_messages",
    ],
}


@pytest.fixture
def store(database: Databases) -> Database:
    store = database()
    with store.connect() as connection:
        connection.execute(EVENT)
    return store


def known_to_the_code(kind: str) -> MetaData:
    """The shared tables and the package's own."""
    known = MetaData()
    for metadata in (schema.metadata, *SCHEMAS[kind].tables):
        for table in metadata.tables.values():
            table.to_metadata(known)
    return known


def differences(database: Database, known: MetaData) -> list[Any]:
    url = make_url(database.owner_url).set(drivername="postgresql+psycopg")
    options = {"compare_type": True, "compare_server_default": True, "include_object": is_not_a_version_table}
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection, opts=options), known))
    finally:
        engine.dispose()


def is_not_a_version_table(_: object, name: str | None, kind: str, *__: object) -> bool:
    return not (kind == "table" and name is not None and name.endswith("_version"))


@pytest.fixture(autouse=True)
def types_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLAlchemy has no names for these two types of Postgres when it looks at a table."""
    monkeypatch.setitem(ischema_names, "xid8", schema.Xid8)
    monkeypatch.setitem(ischema_names, "pg_snapshot", schema.PgSnapshot)


@pytest.mark.filterwarnings("ignore:Computed default on")
def test_a_migrated_database_is_what_the_code_believes_it_to_be(database: Databases) -> None:
    assert differences(database(), known_to_the_code(GROUP)) == []


@pytest.mark.parametrize(
    "change",
    [
        "alter table inbox add column more text",
        "alter table outbox alter column key type varchar(10)",
        "alter table outbox alter column key drop not null",
        "alter table parked_messages alter column attempts set default 1",
        "alter table stored_events drop constraint stored_events_position",
        "drop index outbox_window",
        "comment on column parked_messages.key is 'other'",
    ],
)
def test_a_difference_would_be_seen(database: Databases, change: str) -> None:
    changed = database()
    with psycopg.connect(changed.owner_url) as connection:
        connection.execute(SQL(change))
    assert differences(changed, known_to_the_code(GROUP))


def test_the_checks_of_the_database_are_those_that_the_code_knows(database: Databases) -> None:
    """The comparison above leaves them out."""
    url = make_url(database().owner_url).set(drivername="postgresql+psycopg")
    known = {
        table.name: sum(
            isinstance(constraint, CheckConstraint) for owner in (table, *table.c) for constraint in owner.constraints
        )
        for table in schema.metadata.tables.values()
    }
    known["outbox"] += 1  # `outbox_source`, which `migrate` adds
    engine = create_engine(url)
    found = {name: len(inspect(engine).get_check_constraints(name)) for name in known}
    engine.dispose()
    assert found == known
    assert sum(known.values()) > 0


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_service_lacks_the_privilege_to_change_history(store: Database, change: str) -> None:
    with store.connect() as connection, pytest.raises(InsufficientPrivilege, match="permission denied for table"):
        connection.execute(change)
    assert store.rows("select topic, actor from stored_events") == [("counter.kept", "alice")]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_not_even_the_owner_changes_history(store: Database, change: str) -> None:
    with (
        psycopg.connect(store.owner_url) as owner,
        pytest.raises(InsufficientPrivilege, match="is append-only") as error,
    ):
        owner.execute(change)
    assert error.value.diag.message_hint == "Record a new event that corrects the old one."
    assert store.rows("select topic, actor from stored_events") == [("counter.kept", "alice")]


@pytest.mark.parametrize(("role", "statement"), [(role, each) for role, all_ in REFUSED.items() for each in all_])
def test_a_role_may_do_no_more_than_its_process_does(store: Database, role: str, statement: str) -> None:
    url = store.relay_url if role == "relay" else store.url
    with psycopg.connect(url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


CATALOG = """
select 'column', table_name || '.' || column_name, data_type || is_nullable || coalesce(column_default, '')
    from information_schema.columns where table_schema = 'public'
union all select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
union all select 'constraint', conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace
union all select 'trigger', tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all select 'grant', relname, relacl::text from pg_class where relnamespace = 'public'::regnamespace
union all select 'version', 'ordersaga', version_num from ordersaga_version
order by 1, 2, 3
"""


@pytest.fixture
def empty(servers: AnyServers) -> Iterator[str]:
    """URL of a database without any table."""
    name = Identifier("not_yet_migrated")
    with psycopg.connect(servers.postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(name))
        yield servers.postgres.superuser_url("not_yet_migrated")
        connection.execute(SQL("drop database {} with (force)").format(name))


def catalog(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(CATALOG).fetchall()


def test_migrating_again_changes_nothing(empty: str) -> None:
    migrate(SCHEMAS[GROUP], empty)
    first = catalog(empty)
    migrate(SCHEMAS[GROUP], empty)
    assert catalog(empty) == first
    assert len(first) > 80


def test_processes_that_migrate_at_once_all_succeed(empty: str) -> None:
    command = [*MIGRATE, GROUP]
    environment = {**os.environ, "COUNTING_DATABASE_URL": empty}
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    assert [process.communicate() for process in running] == [("migrated counting\n", "")] * 3
    assert [process.returncode for process in running] == [0] * 3
    with psycopg.connect(empty) as connection:
        assert connection.execute("select count(*) from ordersaga_version").fetchone() == (1,)


def test_a_database_with_a_table_of_another_application_is_refused_and_left_as_it_is(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as owner:
        owner.execute("create table outbox (id int)")
        before = owner.execute("select relname from pg_class where relnamespace = 'public'::regnamespace").fetchall()
        with pytest.raises(UnknownSchema, match='relation "outbox" already exists, and no revision of this version'):
            migrate(SCHEMAS[GROUP], empty)
        after = owner.execute("select relname from pg_class where relnamespace = 'public'::regnamespace").fetchall()
    assert after == before


def test_a_database_of_an_unreleased_version_is_refused_at_once_with_what_it_lacks(database: Databases) -> None:
    check_outdated(database(), MIGRATE, "drop table idempotency_keys", "idempotency_keys (")


def check_outdated(outdated: Database, migrate: tuple[str, ...], damage: str, named: str) -> None:
    kind = outdated.role
    with psycopg.connect(outdated.owner_url, autocommit=True) as owner:
        owner.execute(SQL(damage))
    done = subprocess.run(
        [*migrate, kind],
        env={**os.environ, f"{kind.upper()}_DATABASE_URL": outdated.owner_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"the database {kind} is at the newest revision, but lacks {named}" in done.stderr
    assert "Start with an empty database" in done.stderr
