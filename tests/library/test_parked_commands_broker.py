"""`parked` and `relay status` on what the broker refused: what a person sees of it and can do about it."""

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner

from ordersaga.cli.app import Application
from ordersaga.cli.main import main
from ordersaga.runtime.settings import url_variable
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, services
from tests.support.databases import Database
from tests.support.refusals import HEARD, UNBOUND, bind, refusing, undeliverable
from tests.support.relays import Relays, all_published, announce, listen, relays_of
from tests.support.wait import until
from tests.support.workers import ROOT

WHY = ("--reason", "mended")
HERE = ("--group", GROUP)


@pytest.fixture
def relays(outbox: Database, broker: TestBroker, servers: AnyServers) -> Iterator[Relays]:
    with refusing(broker), relays_of(outbox, servers.amqp_url("relay")) as relays:
        relays.start()
        with outbox.connect() as connection, connection.transaction():
            announce(connection, "a", 1, UNBOUND)
            announce(connection, "a", 2, HEARD)
            announce(connection, "b", 1, HEARD)
            announce(connection, "c", 1, UNBOUND)
        until(lambda: all_published(outbox))
        yield relays


def ordersaga(outbox: Database, *arguments: str, code: int = 0) -> str:
    """What the command says, with the rights of the service for `parked` and of the relay for `relay`."""
    url = outbox.relay_url if arguments[0] == "relay" else outbox.url
    variables = {url_variable(GROUP): url, "AMQP_URL": "amqp://nobody@127.0.0.1:1/", "USER": "alice"}
    done = CliRunner().invoke(main, arguments, env=variables, obj=Application(lambda: services))
    assert done.exit_code == code, done.output
    return done.output


def test_the_list_tells_every_message_its_reason_and_what_it_waits_for(outbox: Database, relays: Relays) -> None:
    lines = ordersaga(outbox, "parked", "list", *HERE, "--messages").splitlines()
    ids = [str(id_) for (id_,) in outbox.rows("select message_id from undeliverable order by position")]
    assert [line.split()[0] for line in lines[1:] if not line.startswith("  ")] == ids
    assert lines[1].split()[1:4] == [GROUP, "broker", "retrying"]
    assert "returned" in lines[1]
    assert "312 NO_ROUTE: no queue is bound for test.unbound.v1" in lines[2]
    assert "waiting" in lines[3]
    assert "in turn" in lines[3]
    found = json.loads(ordersaga(outbox, "parked", "list", *HERE, "--messages", "--json"))
    assert [(row["message_id"], row["refused_by"], row["state"], row["error"]) for row in found["messages"]] == list(
        zip(ids, ["broker"] * 3, ["retrying", "waiting", "retrying"], ["returned", "", "returned"], strict=True)
    )
    listed = ordersaga(outbox, "parked", "list", *HERE, "--messages", "--limit", "1")
    assert listed.count(GROUP) == 1
    assert "Nothing is parked" in ordersaga(outbox, "parked", "list", *HERE, "--refused-by", "reaction")


def test_a_failure_group_of_the_broker_is_its_refusal_of_one_contract(outbox: Database, relays: Relays) -> None:
    [failure] = json.loads(ordersaga(outbox, "parked", "list", *HERE, "--json"))["failures"]
    shown = ("refused_by", "error", "place", "messages", "dead", "keys", "followers")
    assert [failure[name] for name in shown] == ["broker", "returned", UNBOUND, 2, 0, 2, 1]
    assert f"returned at {UNBOUND}" in ordersaga(outbox, "parked", "list", *HERE)
    found = json.loads(ordersaga(outbox, "parked", "show", *HERE, str(failure["first"]), "--json"))
    assert (found["headers"]["ce-type"], found["routing_key"][:-3], found["body"]) == (UNBOUND, UNBOUND, "{}")
    assert len(found["followers"]) == 1


def test_the_status_counts_them_and_tells_the_first_reason(outbox: Database, relays: Relays) -> None:
    found = json.loads(ordersaga(outbox, "relay", "status", GROUP, "--seconds", "0.1", "--json"))
    [database] = found["databases"]
    assert (found["healthy"], database["undeliverable"], database["lag_rows"]) == (True, 3, 0)
    assert database["undeliverable_reason"].startswith("returned: 312 NO_ROUTE")
    said = ordersaga(outbox, "relay", "status", GROUP, "--seconds", "0.1")
    assert f"{GROUP}: 3 undeliverable since" in said


def test_a_retry_publishes_what_can_be_published_in_order_and_tells_what_cannot(
    outbox: Database, relays: Relays, broker: TestBroker
) -> None:
    outbox.rows("update undeliverable set next_attempt_at = now() + interval '1 hour', attempts = 9 returning 1")
    said = ordersaga(outbox, "parked", "retry", *HERE, "--key", "c", "--wait", "2", *WHY, code=1)
    assert re.search(r"is still parked \(attempts: [1-3]\): 312 NO_ROUTE", said)
    bind(broker, UNBOUND)
    first = undeliverable(outbox, "message_id")[0][0]
    said = ordersaga(outbox, "parked", "retry", *HERE, str(first), "--wait", "20", *WHY)
    assert "None of them is parked any more" in said
    until(lambda: undeliverable(outbox) in ([("c", 1, "returned")], []))
    ordersaga(outbox, "parked", "retry", *HERE, "--all", "--reason", "bound now")
    until(lambda: undeliverable(outbox) == [])
    heard = [(message.key, message.sequence) for message in listen(broker)]
    assert [each for each in heard if each[0] == "a"] == [("a", 1), ("a", 2)]
    assert ("c", 1) in heard
    done = outbox.rows("select refused_by, action, actor, key, attempts from parked_actions")
    assert ("broker", "retry", "alice", "a", 9) in done


def test_a_retry_without_a_relay_says_that_nobody_publishes(outbox: Database, relays: Relays) -> None:
    for process in relays.processes:
        process.kill()
    until(lambda: relays.leader() is None)
    [failure] = json.loads(ordersaga(outbox, "parked", "list", *HERE, "--json"))["failures"]
    said = ordersaga(outbox, "parked", "retry", *HERE, "--failure", failure["failure"], *WHY)
    assert "no relay is active" in said


def test_a_retry_while_a_relay_publishes_does_not_say_that_nobody_does(outbox: Database, relays: Relays) -> None:
    assert "no relay is active" not in ordersaga(outbox, "parked", "retry", *HERE, "--key", "c", *WHY)


def test_a_skipped_message_lets_its_key_go_on_and_is_on_record(
    outbox: Database, relays: Relays, broker: TestBroker
) -> None:
    [(gone,)] = outbox.rows("select message_id from undeliverable where key = 'a' and kind = 'returned'")
    assert f"{GROUP}: 1 skipped" in ordersaga(outbox, "parked", "skip", *HERE, str(gone), "--reason", "a test order")
    until(lambda: undeliverable(outbox) == [("c", 1, "returned")])
    until(lambda: len([message for message in listen(broker) if message.key == "a"]) == 1)
    kept = "select refused_by, action, message_id, actor, reason, error, message, body from parked_actions"
    [record] = outbox.rows(kept)
    assert record[:6] == ("broker", "skip", gone, "alice", "a test order", "returned")
    assert record[6].startswith("312 NO_ROUTE")
    assert record[7] == b"{}"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        outbox.rows("delete from parked_actions returning 1")
    assert f"{gone} in {GROUP} (broker)" in ordersaga(outbox, "parked", "actions", *HERE)


def test_what_is_not_there_or_not_said_or_not_possible_is_refused(outbox: Database, relays: Relays) -> None:
    unknown = str(uuid4())
    for verb in ("skip", "retry"):
        assert f"{unknown} is not parked" in ordersaga(outbox, "parked", verb, *HERE, unknown, *WHY, code=1)
        assert "Say which" in ordersaga(outbox, "parked", verb, *HERE, *WHY, code=2)
    for unsaid in ((), ("--reason", "")):
        assert "--reason" in ordersaga(outbox, "parked", "retry", *HERE, "--all", *unsaid, code=2)
    first = str(undeliverable(outbox, "message_id")[0][0])
    edit = ordersaga(outbox, "parked", "edit", *HERE, first, "--file", str(ROOT / "pyproject.toml"), *WHY, code=1)
    assert "must not change" in edit
    assert "no reaction to run" in ordersaga(outbox, "parked", "dry-run", *HERE, first, code=1)
    assert outbox.rows("select count(*) from parked_actions") == [(0,)]
