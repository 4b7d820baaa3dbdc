"""`ordersaga doctor` names what stalls a database: each kind of finding is caused here on a real server."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from devstack.servers.databases import connections_of
from ordersaga.broker import pause_locks
from ordersaga.cli.diagnosis_text import lock_lines
from ordersaga.database import locks
from ordersaga.database.locks import RELAY_LEAD, try_lock
from ordersaga.diagnosis.database.migrations import migrations
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.limits import DiagnosisLimits
from ordersaga.diagnosis.party import shortened
from ordersaga.diagnosis.questions import AskedDatabase, Terms, utc_now
from ordersaga.parked import group_pause
from ordersaga.parked.operator import Operator
from ordersaga.relay import detached
from tests.support.counting import GROUP, service
from tests.support.databases import Database, Databases
from tests.support.doctor import asked, found
from tests.support.pgbouncer import needs_pgbouncer, pooled
from tests.support.relays import announce_many
from tests.support.wait import until

WAITING = "select count(*) from pg_locks where not granted"


@pytest.fixture(scope="module")
def database(databases: Databases) -> Database:
    """One for all tests of this file; each leaves it as it was."""
    return databases()


@contextmanager
def owner(database: Database) -> Iterator[Connection[Any]]:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        yield connection


def only(findings: list[DiagnosisFinding]) -> DiagnosisFinding:
    [finding] = findings
    return finding


def test_a_session_that_is_idle_in_a_transaction_is_named_with_what_ends_it(database: Database) -> None:
    with database.connect(application_name="forgotten") as idle:
        idle.execute("begin")
        idle.execute("select 'a name', 42 from outbox where body = 'secret'")
        named = only(found("open transaction", database.owner_url, transaction=0))
        assert named.who
        assert named.since == named.who.transaction_since
        assert (named.who.pid, named.who.application_name, named.who.client) == (
            idle.info.backend_pid,
            "forgotten",
            "127.0.0.1",
        )
        assert (named.who.database, named.who.role, named.who.state) == (database.name, GROUP, "idle in transaction")
        assert named.who.statement == "select ?, ? from outbox where body = ?"
        assert found("open transaction", database.owner_url) == []
        with owner(database) as connection:
            connection.execute(named.remedy.encode())
        with pytest.raises(psycopg.OperationalError):
            idle.execute("select 1")
    until(lambda: not found("open transaction", database.owner_url, transaction=0))


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("select 'it''s', E'\\'', \"a'b\", $1 -- 'c\nfrom t", 'select ?, ?, "a\'b", $1 from t'),
        ("select $x$ ' $x$, 'cut off", "select ?, ?"),
        ("select 'back\\', 'secret' /* ' */ from t2 where n > -1.5e3", "select ?, ? from t2 where n > -?"),
        (f"select {'a, ' * 100}b", f"select {'a, ' * 50}..."),
    ],
    ids=["quotes", "dollars", "backslash", "long"],
)
def test_a_statement_is_shown_without_its_values(statement: str, shown: str) -> None:
    assert shortened(statement) == shown


def test_the_holder_of_a_lock_is_named_with_all_who_wait_behind_it(database: Database) -> None:
    table, key = "lock table inbox in share mode", "select pg_advisory_xact_lock(7)"
    with database.connect() as holder, database.connect() as second, database.connect() as third:
        pids = [connection.info.backend_pid for connection in (holder, second, third)]
        with ThreadPoolExecutor(2) as executor:
            holder.execute("begin; lock table inbox in row exclusive mode")
            second.execute(f"begin; {key}".encode())
            waits = [executor.submit(second.execute, table)]
            until(lambda: database.rows(WAITING) == [(1,)])
            waits += [executor.submit(third.execute, key)]
            until(lambda: database.rows(WAITING) == [(2,)])
            named = only(found("lock", database.owner_url, wait=0))
            holder.execute("rollback")
            waits[0].result()
            second.execute("rollback")
            waits[1].result()
    assert named.who
    assert named.who.pid == pids[0]
    assert re.sub(r"\d+ s", "N s", named.what) == (
        f"pid {pids[0]} keeps 2 waiting: pid {pids[1]} waits N s for the table inbox, behind pid {pids[0]}; "
        f"pid {pids[2]} waits N s for the lock of an aggregate, behind pid {pids[1]}"
    )
    assert named.remedy == f"select pg_terminate_backend({pids[0]})"


def test_a_table_that_the_questions_need_and_cannot_read_is_named_with_who_has_locked_it(database: Database) -> None:
    with owner(database) as holder, holder.transaction():
        pid = holder.info.backend_pid
        holder.execute("lock table deadlines in access exclusive mode")
        answered = asked(database.owner_url)
    [text] = [finding.what for finding in answered.findings if finding.kind == "lock"]
    assert text.startswith(f"the table deadlines is locked by process {pid}")
    assert ["deadlines" in unseen.what for unseen in answered.unseen] == [True]


def test_what_a_role_may_not_see_is_said_with_the_right_that_it_lacks(database: Database) -> None:
    with database.connect(application_name="somebody") as idle:
        idle.execute("begin; select pg_advisory_lock_shared(7236, 844)")
        answered = asked(database.relay_url, DiagnosisLimits(transaction=0))
        idle.execute("rollback")
    hidden, *others = answered.unseen
    assert [(lock.name, lock.who.application_name, lock.who.statement) for lock in answered.locks] == [
        ("gate of the workers", "somebody", None)
    ]
    assert (hidden.what, hidden.remedy) == (
        f"transactions, ages, addresses and statements of the sessions of {GROUP} (1)",
        'grant pg_read_all_stats to "relay"',
    )
    assert {unseen.remedy for unseen in others} >= {"grant select on ordersaga_version to relay"}
    assert [finding for finding in answered.findings if finding.kind == "open transaction"] == []
    assert asked(database.owner_url).unseen == []


@pytest.mark.parametrize("command", [pause_locks.QUEUES_SET, pause_locks.SEED])
def test_a_command_that_has_paused_the_relays_is_named_and_no_relay_is_called_missing(
    database: Database, command: str
) -> None:
    assert only(found("relay", database.owner_url)).what == "no relay is active"
    with pause_locks.connect("counting", database.owner_url, command) as session:
        pause_locks.take_lead("counting", session)
        answered = asked(database.owner_url)
    assert "held lock" in {finding.kind for finding in answered.findings}
    assert "relay" not in {finding.kind for finding in answered.findings}
    [lock] = [lock for lock in answered.locks if lock.name == "lead of the relays"]
    assert lock.who.application_name.startswith(f"{command} ")
    assert lock_lines(lock)[0].endswith(f"pid {lock.who.pid}, has the lead of the relays")


def test_every_lock_of_the_library_has_a_name() -> None:
    assert locks.NAMES.keys() == {lock for lock in vars(locks).values() if isinstance(lock, tuple)}


def test_a_role_and_a_server_that_are_near_their_most_connections_are_named(database: Database) -> None:
    limit = SQL("alter role relay connection limit {}")
    with owner(database) as connection, database.connect_as_relay():
        connection.execute(limit.format(1))
        try:
            named = only(found("connections", database.owner_url))
            [finding] = asked(database.relay_url).findings
        finally:
            connection.execute(limit.format(connections_of("relay")))
    assert named.what.startswith("1 of the 1 connections of the role relay are taken; most by ")
    assert 'alter role "relay" connection limit N' in named.remedy
    assert (finding.kind, "too many connections for role" in finding.what) == ("connections", True)
    assert "of the server are taken" in only(found("connections", database.owner_url, connections=0.001)).what


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("update ordersaga_version set version_num = '0001'", "ordersaga_version is at 0001, this code needs 0"),
        ("update ordersaga_version set version_num = 'next'", "at next, which this code does not know"),
        ("drop table ordersaga_version", "there are no migrations in ordersaga_version"),
        ("alter table parked_messages drop column held", "parked_messages lacks held"),
    ],
    ids=["behind", "ahead", "none", "column"],
)
def test_migrations_behind_or_ahead_of_this_code_are_named(database: Database, change: str, said: str) -> None:
    with owner(database) as connection, connection.transaction(force_rollback=True):
        connection.execute(change.encode())
        [named] = migrations(AskedDatabase(service, connection, Terms(), ()))
    assert isinstance(named, DiagnosisFinding)
    assert said in named.what
    assert found("migrations", database.owner_url) == []


def test_settings_of_a_database_that_a_crash_can_take_commits_back_with_are_named(database: Database) -> None:
    name = Identifier(database.name)
    with owner(database) as connection:
        connection.execute(SQL("alter database {} set synchronous_commit = off").format(name))
        try:
            named = only(found("unsafe durability", database.owner_url))
        finally:
            connection.execute(SQL("alter database {} reset synchronous_commit").format(name))
    assert named.what.startswith("synchronous_commit is off: a crash would take back")
    assert named.remedy == "Set it to on for this database"


def test_dead_rows_missing_statistics_and_an_index_that_is_invalid_are_named(database: Database) -> None:
    limits = DiagnosisLimits(dead_rows=100, unanalyzed_rows=100, transaction=0)
    with owner(database) as connection, database.connect() as reader:
        connection.execute("create table busy (n int) with (autovacuum_enabled = false)")
        connection.execute("insert into busy select generate_series(1, 300) / 2")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("create unique index concurrently busy_n on busy (n)")
        pid = reader.info.backend_pid
        reader.execute("begin transaction isolation level repeatable read; select count(*) from inbox")
        connection.execute("delete from busy")
        connection.execute("select pg_stat_force_next_flush()")
        findings = asked(database.owner_url, limits).findings
        reader.execute("rollback")
        connection.execute("drop table busy")
    texts = [finding.what for finding in findings if finding.kind in ("vacuum", "statistics", "invalid index")]
    assert sorted(texts) == [
        f'"busy" has 300 dead rows beside 0 live ones; it was never vacuumed, and pid {pid} keeps them',
        '600 rows were written to "busy" and it was never analyzed: statements may read the whole table',
        'autovacuum is off for the table "busy": dead rows stay',
        "the index busy_n of busy is invalid: no statement uses it, and every write still keeps it",
    ]


def test_the_age_of_the_oldest_transaction_id_and_a_clock_that_is_off_are_named(database: Database) -> None:
    [first, *_] = found("wraparound", database.owner_url, transaction_ids=1)
    assert (first.severity, "accepts no writes" in first.what) == ("critical", True)

    def an_hour_fast() -> datetime:
        return utc_now() + timedelta(hours=1)

    [named] = [each for each in asked(database.owner_url, clock=an_hour_fast).findings if each.kind == "clock"]
    assert named.what.startswith("its clock is 3600.0 s behind the clock of this machine")
    assert found("clock", database.owner_url) == []


@pytest.fixture
def latin(database: Database) -> Iterator[str]:
    """The URL of a database whose encoding is not UTF-8."""
    name = f"{database.name}_latin1"
    with owner(database) as connection:
        made = SQL("create database {} encoding 'LATIN1' locale 'C' template template0")
        connection.execute(made.format(Identifier(name)))
        try:
            yield database.server.superuser_url(name)
        finally:
            connection.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def test_a_database_that_is_not_utf8_is_named(latin: str) -> None:
    named = only(asked(latin).findings)
    assert (named.kind, named.remedy) == ("unusable database", "Create it with `encoding 'UTF8' template template0`.")
    assert "has the encoding LATIN1" in named.what


@needs_pgbouncer
def test_a_pooler_that_shares_sessions_is_named(database: Database, tmp_path: Path) -> None:
    with pooled(database.url, "transaction", tmp_path) as url:
        named = only(asked(url).findings)
    assert named.kind == "unusable database"
    assert "Pool it by session (PgBouncer: pool_mode = session)" in named.remedy


def test_an_outbox_that_nothing_publishes_is_named_although_a_relay_leads(database: Database) -> None:
    announce_many(database, 3)
    with owner(database) as connection, psycopg.connect(database.relay_url, autocommit=True) as relay:
        connection.execute("update outbox set time = now() - interval '1 hour'")
        relay.execute("set application_name = 'relay somewhere 1'")
        assert try_lock(relay, RELAY_LEAD)
        named = only(found("relay", database.owner_url))
        relay.execute(
            "insert into relay_cursor (system_identifier, published, problem) "
            "select system_identifier, '3:3:', 'RabbitMQ blocks publishers' from pg_control_system()"
        )
        told = only(found("relay", database.owner_url))
        connection.execute("delete from relay_cursor")
        connection.execute("delete from outbox")
    assert named.what == "announcements wait (3), and nothing is published"
    assert named.since
    assert timedelta(minutes=59) < utc_now() - named.since < timedelta(minutes=61)
    assert told.what == "RabbitMQ blocks publishers"


CAUSES = """
insert into parked_messages (message_id, key, routing_key, headers, body, state, parked_at)
    values (gen_random_uuid(), 'a', '', '{}', '', 'dead', now() - interval '1 hour'),
        (gen_random_uuid(), 'a', '', '{}', '', 'waiting', now());
insert into deadlines select name, gen_random_uuid(), now() - interval '1 min', gen_random_uuid(), null, '', ''
    from (values ('closing'), ('gone')) as of (name);
insert into inbox values (gen_random_uuid(), 'a.b.v1', 'a', '', now() - interval '31 days');
insert into relay_cursor (system_identifier, published, problem)
    select system_identifier, pg_current_snapshot(), null from pg_control_system();
insert into undeliverable select message_id, position, contract, source, key, sequence, time, event_hash,
    correlation_id, causation_id, actor, traceparent, tracestate, body, 'returned', '312 NO_ROUTE', 1, null from outbox;
update outbox set time = now() - interval '26 hours';
"""


def test_what_the_tables_of_the_library_tell_is_named(databases: Databases) -> None:
    outbox = databases()
    announce_many(outbox, 1)
    with owner(outbox) as connection:
        connection.execute(CAUSES)
        group_pause.pause(connection, Operator("alice", "the supplier is down"))
        findings = {finding.kind: finding for finding in asked(outbox.owner_url).findings}
        purged = [finding.what for finding in found("purge", outbox.owner_url)]
        late = [finding.what for finding in found("overdue deadlines", outbox.owner_url)]
        detached.detach(connection, f"{GROUP}.1", [1, 3])
        silent = only(found("detached queue", outbox.owner_url))
    assert {kind: finding.what.partition(";")[0] for kind, finding in findings.items() if kind != "purge"} == {
        "relay": "no relay is active",
        "paused group": f"the group {GROUP} is paused by alice: the supplier is down",
        "parked messages": "messages are parked: 1 dead, 1 waiting",
        "overdue deadlines": "deadlines of the name gone are overdue (1): this code has no reaction to them",
        "undeliverable messages": "messages are undeliverable (1), the first because of returned: 312 NO_ROUTE",
    }
    assert [text.partition(" are ")[0] for text in purged] == ["rows of inbox", "rows of outbox"]
    assert late[0] == "deadlines of the name closing are overdue (1): no worker reacts to them"
    assert silent.what.startswith(f"queue {GROUP}.1 gives no answer since ")
    since = findings["parked messages"].since
    assert since
    assert timedelta(minutes=59) < utc_now() - since < timedelta(minutes=61)
    assert findings["paused group"].remedy == f"ordersaga resume {GROUP}"


def test_a_seeding_is_named_while_it_runs_and_when_it_was_interrupted_at_its_very_end(database: Database) -> None:
    """Then the broker has no mark of it any more, and `reconcile` would be silent about the group for ever."""
    with owner(database) as connection:
        connection.execute("update group_history set being_seeded = true")
        interrupted = only(found("unfinished seeding", database.owner_url))
        assert ("was interrupted" in interrupted.what, interrupted.remedy) == (True, f"`ordersaga seed {GROUP}`")
        assert try_lock(connection, locks.SEEDING)
        running = only(found("unfinished seeding", database.owner_url))
        assert running.who
        assert (running.who.pid, "is being seeded" in running.what) == (connection.info.backend_pid, True)
        connection.execute("update group_history set being_seeded = false")
    assert found("unfinished seeding", database.owner_url) == []
