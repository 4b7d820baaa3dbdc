"""`ordersaga doctor` names what is wrong with a Postgres server itself: caused on one that may be made unsafe."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devstack.servers.postgres import Postgres
from ordersaga.diagnosis.limits import DiagnosisLimits
from ordersaga.diagnosis.server.primaries import answering, primaries
from tests.support.doctor import asked
from tests.support.second_server import second_server

UNSAFE = ("fsync = off", "full_page_writes = off", "autovacuum = off", "max_prepared_transactions = 2")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One that loses commits when it crashes."""
    with second_server(tmp_path_factory.mktemp("unsafe")) as server:
        with psycopg.connect(server.superuser_url(), autocommit=True) as connection:
            for setting in UNSAFE:
                connection.execute(f"alter system set {setting}".encode())
        server.stop()
        server.start()
        yield server


@pytest.fixture
def connection(server: Postgres) -> Iterator[Connection[Any]]:
    with psycopg.connect(server.superuser_url(), autocommit=True) as connection:
        yield connection


def test_settings_that_lose_commits_or_rows_are_named(server: Postgres) -> None:
    findings = asked(server.superuser_url()).findings
    named = [each.what.partition(":")[0] for each in findings if each.kind in ("unsafe durability", "vacuum")]
    assert named == ["fsync is off", "full_page_writes is off", "autovacuum is off"]


def test_a_prepared_transaction_and_a_slot_that_nobody_uses_are_named_with_what_ends_them(
    server: Postgres, connection: Connection[Any]
) -> None:
    connection.execute("create table t ()")
    connection.execute("begin; lock table t; prepare transaction 'it''s left'")
    connection.execute("select pg_create_physical_replication_slot('left_behind', true)")
    findings = {each.kind: each for each in asked(server.superuser_url(), DiagnosisLimits(transaction=0)).findings}
    prepared, slot = findings["prepared transaction"], findings["replication slot"]
    assert "'it''s left' of ordersaga is prepared and neither committed nor rolled back" in prepared.what
    assert prepared.since
    assert slot.what.startswith("the replication slot left_behind keeps 0 MiB of WAL: nobody uses it")
    _, rollback, _ = prepared.remedy.replace("in this database: ", ", ").split(", ")
    connection.execute(rollback.encode())
    connection.execute(slot.remedy.partition(", or ")[2].encode())
    left = {each.kind for each in asked(server.superuser_url(), DiagnosisLimits(transaction=0)).findings}
    assert not left & {"prepared transaction", "replication slot"}


def test_commits_that_do_not_wait_for_the_synchronous_standby_are_named(
    server: Postgres, connection: Connection[Any]
) -> None:
    connection.execute("alter database postgres set synchronous_commit = local")
    connection.execute("alter system set synchronous_standby_names = 'away'")
    connection.execute("select pg_reload_conf()")
    findings = {each.what for each in asked(server.superuser_url()).findings}
    connection.execute("alter system reset synchronous_standby_names")
    connection.execute("select pg_reload_conf()")
    connection.execute("alter database postgres reset synchronous_commit")
    assert "commits do not wait for the synchronous standby (away): synchronous_commit is local" in findings


def test_two_addresses_of_one_server_are_no_two_primaries(server: Postgres) -> None:
    given = conninfo_to_dict(server.superuser_url())
    twice = {name: f"{given[name]},{given[name]}" for name in ("host", "port")}
    assert list(primaries("shop", make_conninfo(server.superuser_url(), **twice))) == []


def test_each_server_of_a_url_with_addresses_beside_or_in_place_of_names_is_asked(server: Postgres) -> None:
    """Libpq connects to `hostaddr`; `host` is then a name that is not looked up."""
    given: dict[str, Any] = conninfo_to_dict(server.superuser_url())
    port = given.pop("port")
    del given["host"]
    named = make_conninfo(**{**given, "host": "one,two", "hostaddr": "127.0.0.1,127.0.0.1", "port": port})
    nameless = make_conninfo(**{**given, "hostaddr": "127.0.0.1,::1,127.0.0.1", "port": f"{port},1,{port}"})
    assert [each.address for each in answering(named)] == [f"one:{port}", f"two:{port}"]
    assert [each.address for each in answering(nameless)] == [f"127.0.0.1:{port}"] * 2


def test_a_url_with_an_address_beside_a_name_is_asked_everything_and_named_by_its_name(server: Postgres) -> None:
    given = conninfo_to_dict(server.superuser_url())
    url = make_conninfo(server.superuser_url(), host="somename", hostaddr="127.0.0.1")
    plain, answered = asked(server.superuser_url()), asked(url)
    by_name = "postgres somename:", f"postgres {given['host']}:"
    assert [(each.kind, each.place.replace(*by_name)) for each in answered.findings] == [
        (each.kind, each.place) for each in plain.findings
    ]
    assert answered.unseen == plain.unseen
    ahead = asked(url, clock=lambda: datetime.now(UTC) - timedelta(hours=1)).findings
    assert [each.place for each in ahead if each.kind == "clock"] == [f"postgres somename:{given['port']}"]
    assert str(given["password"]) not in str([answered, ahead])


def test_a_standby_is_named(server: Postgres, connection: Connection[Any]) -> None:
    [(directory,)] = connection.execute("select current_setting('data_directory')")
    server.stop()
    Path(directory, "standby.signal").touch()
    server.start()
    findings = {each.kind: each for each in asked(server.superuser_url()).findings}
    assert findings["standby"].what == "the server is a standby and accepts no writes"
