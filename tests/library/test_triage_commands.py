"""`ordersaga parked note | hold | release | retry --first | runs | stop` and `ordersaga pause | resume`."""

import json
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from psycopg import Connection

from ordersaga.cli.app import Application
from ordersaga.cli.main import main
from ordersaga.parked import inspection, retry_runs
from ordersaga.parked.retry_runner import RetryRunner
from ordersaga.runtime.settings import url_variable
from tests.library.test_triage import try_all
from tests.support.counting import GROUP, service
from tests.support.parking import fail
from tests.support.workers import Counting

WHY = ("--reason", "looked into it")


def said(*arguments: object, expect: int = 0) -> str:
    result = CliRunner().invoke(main, list(map(str, arguments)), obj=Application(lambda: [service]))
    assert result.exit_code == expect, result.output
    return result.stdout if "--json" in arguments else result.output


def told(*arguments: object, expect: int = 0) -> Any:
    return json.loads(said(*arguments, "--json", expect=expect))


@pytest.fixture(autouse=True)
def environment(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(url_variable(GROUP), counting.database.url)
    monkeypatch.setenv("AMQP_URL", counting.broker.url)
    monkeypatch.setenv("USER", "alice")


def test_a_failure_is_noted_held_and_released_and_the_list_shows_it(
    counting: Counting, connection: Connection[Any]
) -> None:
    [dead] = fail(counting, connection, uuid4(), 1)
    failure = inspection.failure_groups(connection)[0].failure
    assert "Say what to write" in said("parked", "note", failure, *WHY, expect=2)
    said("parked", "note", failure, "--note", "no weight", "--link", "ftp://x", *WHY, expect=1)
    said("parked", "note", failure, "--note", "no weight", "--owner", "team supply", *WHY)
    assert "on hold by alice" in said("parked", "hold", "--failure", failure, *WHY)
    listed = said("parked", "list")
    assert "owner: team supply" in listed
    assert "no weight" in listed
    assert "on hold by alice" in listed
    assert "on hold" in said("parked", "list", "--messages")
    assert told("parked", "release", "--failure", failure, *WHY)["failures"][0]["held_since"] is None
    assert "held until you release" in said("parked", "hold", dead.id, *WHY)
    assert told("parked", "release", dead.id, *WHY)["messages"][0]["state"] == "released"
    assert "There is no failure" in said("parked", "hold", "--failure", "00000000", *WHY, expect=1)
    assert "Say which" in said("parked", "hold", *WHY, expect=2)


def test_a_run_is_started_watched_listed_and_stopped(
    counting: Counting, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        fail(counting, connection, uuid4(), 1)
    failure = inspection.failure_groups(connection)[0].failure
    [run] = told("parked", "retry", "--failure", failure, "--first", 2, "--rate", 20, *WHY)["runs"]
    assert (run["state"], run["first"], run["rate"], run["actor"]) == ("running", 2, 20, "alice")
    assert "retries these messages already" in said("parked", "retry", "--all", "--watch", *WHY, expect=1)
    assert "alice: not now" in said("parked", "stop", run["run"], "--reason", "not now")
    assert "0 of 3 retried" in said("parked", "runs")
    assert "There is no run 9" in said("parked", "stop", 9, *WHY, expect=1)

    def look(connection: Connection[Any], number: int) -> retry_runs.RetryRun:
        connection.execute("update retry_runs set next_at = now()")
        RetryRunner().step(connection)
        try_all(connection)
        return found(connection, number)

    found = retry_runs.find
    monkeypatch.setattr("ordersaga.cli.parked.runs.POLL_SECONDS", 0)
    monkeypatch.setattr("ordersaga.cli.parked.runs.find", look)
    [done] = told("parked", "retry", "--failure", failure, "--watch", *WHY)["runs"]
    assert (done["state"], done["retried"], done["succeeded"], done["remaining"]) == ("done", 3, 3, 0)
    assert said("parked", "retry", uuid4(), "--watch", *WHY, expect=1)


def test_a_service_is_paused_and_resumed_and_no_command_takes_it_for_a_stuck_one(counting: Counting) -> None:
    assert "is paused by alice since" in said("pause", GROUP, *WHY)
    assert "is already paused by alice" in said("pause", GROUP, "--actor", "bob", *WHY)
    assert "`ordersaga resume counting`" not in said("queues", "show", "--json")
    assert "resume counting` ends it" in said("queues", "show")
    assert told("queues", "show")["groups"][0]["paused"] is True
    assert "cannot be drained" in said("queues", "set", 4, expect=1)
    assert told("resume", GROUP) == {"group": GROUP, "paused": False, "since": None, "actor": None, "reason": None}
    assert "was not paused" in said("resume", GROUP)
    assert "--reason" in said("pause", GROUP, expect=2)
