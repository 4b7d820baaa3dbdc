"""`relay status` tells who publishes a database, how far behind it is, and how fast it goes."""

import json
import socket
from typing import Any

from ordersaga.relay import session, window
from ordersaga.relay.status import RelayStatus, relay_status
from tests.conftest import AnyServers
from tests.library.three_services import services
from tests.support.broker import TestBroker
from tests.support.databases import Database, Databases
from tests.support.ordersaga_command import ordersaga
from tests.support.relays import EVERYTHING, RelayProcess, all_published, announce, announce_many, relays_of
from tests.support.wait import until

LIMITS = window.PageLimits(largest=1000, budget=1_000_000)
APP = "tests.library.three_services"


def asked(outbox: Database, seconds: float = 0.1) -> RelayStatus:
    return relay_status("counting", outbox.relay_url, seconds)


def status(urls: dict[str, str], *options: str) -> tuple[int, str]:
    environment = {f"{name.upper()}_DATABASE_URL": url for name, url in urls.items()}
    done = ordersaga("--app", APP, "relay", "status", "--seconds", "0.1", *options, **environment)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_before_a_relay_has_run_everything_is_behind(outbox: Database) -> None:
    with outbox.connect() as connection:
        first = announce(connection, "first", 1)
    announce_many(outbox, 9)
    outbox.rows("update outbox set time = time - interval '1 hour' where position = 1 returning 1")
    found = asked(outbox)
    assert (found.lag_rows, found.oldest_message_id, found.oldest_contract) == (10, first, "test.happened.v1")
    assert 3600 < found.lag_seconds < 3700
    assert found.active is None
    assert "no relay is active" in (found.problem or "")


def test_a_relay_that_does_not_reach_the_broker_is_not_called_missing(outbox: Database) -> None:
    with relays_of(outbox, "amqp://relay:none@127.0.0.1:1/") as relays:
        running = relays.start()
        until(lambda: "is away" in running.log())
        assert running.poll() is None
        assert "do not reach RabbitMQ" in (asked(outbox).problem or "")


def test_what_is_behind_is_counted_within_a_window_and_across_late_commits(outbox: Database) -> None:
    with outbox.connect() as late, session.connect(outbox.relay_url) as relay:
        with late.transaction():
            oldest = announce(late, "late", 1)
            announce_many(outbox, 20)
            opened = window.open_window(relay, window.load_cursor(relay), LIMITS)
            window.save_cursor(relay, window.Cursor(opened.target))
            assert asked(outbox).lag_rows == 0
        assert (asked(outbox).lag_rows, asked(outbox).oldest_message_id) == (1, oldest)
        announce_many(outbox, 20)
        cursor = window.load_cursor(relay)
        under_way = window.open_window(relay, cursor, LIMITS)
        window.save_cursor(relay, window.Cursor(cursor.published, under_way.target, under_way.positions[4]))
        announce_many(outbox, 3)
        assert asked(outbox).lag_rows == 21 - 5 + 3


def test_the_active_relay_its_standbys_and_the_rate_are_told(
    outbox: Database, broker: TestBroker, servers: AnyServers
) -> None:
    broker.declare(EVERYTHING)
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        leader = relays.start()
        relays.wait_for_leader(leader)
        standby = relays.start()
        until(lambda: relays.connected() == 2)
        announce_many(outbox, 20_000)
        rates = []
        while not all_published(outbox):
            rates.append(asked(outbox).published_per_second)
        found = asked(outbox)
    assert max(rates) > 500
    assert found.active
    assert (found.active.host, found.active.pid) == (socket.gethostname(), leader.pid)
    assert [process.pid for process in found.standbys] == [standby.pid]
    assert (found.lag_rows, found.lag_seconds, found.problem) == (0, 0.0, None)
    assert (found.oldest_message_id, found.oldest_contract, found.oldest_time) == (None, None, None)


def test_a_foreign_cursor_is_named_and_so_is_a_server_that_is_away(outbox: Database) -> None:
    outbox.rows("insert into relay_cursor (system_identifier, published) values ('1', '9:9:') returning 1")
    assert "restored from another server" in (asked(outbox).problem or "")
    away = relay_status("counting", "postgresql://relay@127.0.0.1:1/counting", 0.1)
    assert "refused" in (away.problem or "")


def test_the_command_answers_for_every_database_and_fails_when_one_has_no_relay(
    database: Databases, broker: TestBroker, servers: AnyServers
) -> None:
    broker.declare(EVERYTHING)
    databases = {service.name: database() for service in services}
    urls = {name: outbox.relay_url for name, outbox in databases.items()}
    announce_many(databases["second"], 7)
    with relays_of(databases["first"], servers.amqp_url("relay")) as relays:
        relays.wait_for_leader(leader := relays.start())
        code, text = status(urls, "--json")
        found: dict[str, Any] = json.loads(text)
        assert (code, found["healthy"]) == (1, False)
        first, second, third = found["databases"]
        assert (first["active"]["pid"], first["problem"]) == (leader.pid, None)
        assert (second["active"], second["lag_rows"]) == (None, 7)
        assert "no relay is active" in third["problem"]
        code, text = status(urls, "first")
        assert code == 0
        assert f"{socket.gethostname()} {leader.pid}" in text


def test_the_command_without_a_subcommand_runs_a_relay(
    outbox: Database, broker: TestBroker, servers: AnyServers
) -> None:
    broker.declare(EVERYTHING)
    urls = {"FIRST_DATABASE_URL": outbox.relay_url, "AMQP_URL": servers.amqp_url("relay")}
    with relays_of(outbox, servers.amqp_url("relay")) as relays:
        process = RelayProcess(["-m", "ordersaga.cli", "--app", APP, "relay", "first"], urls)
        relays.processes.append(process)
        relays.wait_for_leader(process)
