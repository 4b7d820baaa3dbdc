"""`./ordersaga parked`: what it prints, for people and for programs, and what it refuses."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result

from contracts.orders import OrderLine, OrderPlaced
from devstack.cli import main
from devstack.processes import GROUPS
from devstack.state import ROOT
from ordersaga.envelope.message import Message, to_properties
from ordersaga.inbox.delivery import Delivery
from ordersaga.parked import table
from ordersaga.runtime.errors import Failure
from ordersaga.runtime.settings import url_variable
from tests.conftest import AnyServers
from tests.support.databases import Database, Databases
from tests.support.workers import counted

Run = Callable[..., Result]
FAILURE = Failure("StockLost", "inventory_service/stock.py:1 reserve", "gone \x1b[2J", "Traceback: StockLost")


@pytest.fixture
def stores(servers: AnyServers, database: Databases, monkeypatch: pytest.MonkeyPatch) -> dict[str, Database]:
    """One database for each group, named in the environment."""
    stores = {group: database(group) for group in GROUPS}
    for group, store in stores.items():
        monkeypatch.setenv(url_variable(group), store.url)
    monkeypatch.setenv("AMQP_URL", servers.amqp_url("provisioner"))
    monkeypatch.setenv("USER", "alice")
    return stores


@pytest.fixture
def run(stores: dict[str, Database], tmp_path: Path) -> Iterator[Run]:
    """`run("list", ...)` as a person would; a result of another exit code than `expect` fails the test."""

    def run(verb: str, *arguments: object, expect: int = 0, given: str | None = None) -> Result:
        command = ["parked", verb, "--state", str(tmp_path), *map(str, arguments)]
        result = CliRunner().invoke(main, command, input=given)
        assert result.exit_code == expect, result.output
        return result

    yield run
    assert list(tmp_path.iterdir()) == []


def placed(sku: str = "unheard-of") -> Message:
    """An order for something that is not on hand."""
    line = OrderLine(sku=sku, quantity=1, unit_price=100)
    order = OrderPlaced(order_id=uuid4(), customer="bob", lines=(line,), total=100, currency="EUR", card="pm_card_visa")
    message = counted(order.order_id, 1)
    return replace(message, contract=order.NAME, body=order.model_dump_json())


def park(store: Database, message: Message, state: str = "dead", failure: Failure = FAILURE, key: str = "") -> UUID:
    delivery = Delivery(1, message.routing_key, to_properties(message).headers, message.body.encode())
    entry = table.NewlyParked(message.id, key or message.key, message.contract, delivery, state, failure, 8)
    with store.connect() as connection:
        table.append(connection, [entry])
    return message.id


def waiting(store: Database, key: str) -> UUID:
    return park(store, placed(), "waiting", Failure("", "", "", ""), key)


def answer(result: Result) -> Any:
    return json.loads(result.stdout)


def test_list_groups_messages_by_contract_exception_and_function(stores: dict[str, Database], run: Run) -> None:
    assert run("list").stdout == "Nothing is parked.\n"
    store = stores["inventory_service"]
    first, second = placed(), placed()
    park(store, first)
    waiting(store, first.key)
    park(store, second)
    park(stores["projections"], first, failure=FAILURE._replace(error="Other"))
    [stock, other] = answer(run("list", "--json"))["failures"]
    assert {
        name: stock[name] for name in ("group", "contract", "error", "place", "messages", "dead", "keys", "followers")
    } == {
        "group": "inventory_service",
        "contract": first.contract,
        "error": "StockLost",
        "place": FAILURE.place,
        "messages": 2,
        "dead": 2,
        "keys": 2,
        "followers": 1,
    }
    assert (stock["first"], other["group"], other["error"]) == (str(first.id), "projections", "Other")
    heading, line, _ = run("list").stdout.splitlines()
    columns = [
        "FAILURE",
        "GROUP",
        "REFUSED",
        "BY",
        "MESSAGES",
        "DEAD",
        "KEYS",
        "WAITING",
        "OLDEST",
        "CONTRACT",
        "ERROR",
    ]
    assert heading.split() == columns
    assert line.split()[:3] == [stock["failure"], "inventory_service", "reaction"]
    assert line.endswith(f"StockLost at {FAILURE.place}")
    assert len(answer(run("list", "--messages", "--json"))["messages"]) == 4
    assert len(run("list", "--messages", "--failure", stock["failure"]).stdout.splitlines()) == 3
    assert answer(run("list", "--group", "payment_service", "--json")) == {"failures": []}


def test_show_tells_all_about_one_message_and_nothing_steers_the_terminal(
    stores: dict[str, Database], run: Run
) -> None:
    message = placed()
    park(stores["inventory_service"], message)
    follower = waiting(stores["inventory_service"], message.key)
    found = answer(run("show", message.id, "--json"))
    assert (found["group"], found["state"], found["attempts"]) == ("inventory_service", "dead", 8)
    assert (found["followers"], found["before"], found["actions"]) == ([str(follower)], [], [])
    assert found["body"] == message.body
    assert found["headers"]["ce-actor"] == "tester"
    text = run("show", message.id).stdout
    for part in (FAILURE.traceback, FAILURE.place, message.body, str(follower), "ce-actor: tester", r"gone \x1b[2J"):
        assert part in text
    assert "\x1b" not in text


def test_retry_makes_one_a_failure_group_or_all_due(stores: dict[str, Database], run: Run) -> None:
    store = stores["inventory_service"]
    messages = [placed() for _ in range(3)]
    for message in messages[:2]:
        park(store, message)
    park(store, messages[2], failure=FAILURE._replace(error="Other"))
    done = answer(run("retry", messages[0].id, "--reason", "perhaps now", "--json"))
    place = {"group": "inventory_service", "refused_by": "reaction"}
    assert done == {"messages": [{**place, "message_id": str(messages[0].id), "state": "retrying"}]}
    failure = answer(run("list", "--json"))["failures"][0]["failure"]
    assert run("retry", "--failure", failure, "--reason", "mended").stdout == "inventory_service: 2 due now\n"
    assert run("retry", "--all", "--actor", "carol", "--reason", "all of it").stdout == "inventory_service: 3 due now\n"
    assert store.rows("select distinct state, attempts from parked_messages") == [("retrying", 0)]
    assert store.rows("select actor, reason, count(*) from parked_actions group by 1, 2 order by 1, 2") == [
        ("alice", "mended", 2),
        ("alice", "perhaps now", 1),
        ("carol", "all of it", 3),
    ]


def test_dry_run_shows_rows_rolls_back_and_leaves_out_outside_steps(stores: dict[str, Database], run: Run) -> None:
    message = placed()
    park(stores["inventory_service"], message)
    [tried] = answer(run("dry-run", message.id, "--json"))["dry_runs"]
    made = [(row["table"], row["row"].get("contract")) for row in tried["rows"]]
    assert ("outbox", "inventory.stock_rejected.v1") in made
    assert ("inbox", OrderPlaced.NAME) in made
    text = run("dry-run", "--all").stdout
    assert "+ outbox\n" in text
    assert text.endswith("Everything was rolled back.\n")
    assert stores["inventory_service"].rows("select from outbox") == []

    cancelled = replace(placed(), contract="orders.order_cancelled.v1")
    park(stores["payment_service"], replace(cancelled, body=f'{{"order_id": "{cancelled.key}", "reason": "x"}}'))
    [tried] = answer(run("dry-run", "--all", "--group", "payment_service", "--json"))["dry_runs"]
    assert (tried["outside"], tried["rows"]) == ("not called", [])
    assert "With --outside that call is made" in run("dry-run", cancelled.id).stdout


def test_dry_run_of_what_would_fail_again_says_why_and_exits_with_1(stores: dict[str, Database], run: Run) -> None:
    message = replace(placed(), body="{}")
    park(stores["inventory_service"], message)
    assert (
        "would FAIL: UnreadableMessage: the body is not a orders.order_placed.v1: 6 validation errors"
        in run("dry-run", message.id, expect=1).stdout
    )


def test_dry_run_with_outside_calls_the_outside_step_with_the_workers_settings(
    stores: dict[str, Database], tmp_path: Path
) -> None:
    """In a process of its own: the settings become its environment."""
    message = replace(placed(), contract="orders.order_cancelled.v1")
    park(stores["payment_service"], replace(message, body=f'{{"order_id": "{message.key}", "reason": "x"}}'))
    command = [sys.executable, "-m", "devstack", "parked", "dry-run", str(message.id), "--outside", "--json"]
    ended = subprocess.run([*command, "--state", str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert ended.stderr == "Outside steps of payment_service are called for real.\n"
    [tried] = json.loads(ended.stdout)["dry_runs"]
    assert (tried["outside"], tried["failure"]) == ("called", None)
    assert [row["table"] for row in tried["rows"]] == ["inbox", "stored_events", "stored_events"]
    assert stores["payment_service"].rows("select from stored_events") == []


def test_edit_takes_the_body_from_a_file_or_standard_input(
    stores: dict[str, Database], run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store, message = stores["inventory_service"], placed()
    park(store, replace(message, body="{}"))
    file = tmp_path_factory.mktemp("bodies") / "body.json"
    file.write_text(message.body.replace("bob", "ben"))
    why = ("--reason", "typing error", "--json")
    assert answer(run("edit", message.id, "--file", file, *why))["messages"][0]["state"] == "retrying"
    run("edit", message.id, "--file", "-", *why, given=message.body)
    assert store.rows("select body, original_body from parked_messages") == [(message.body.encode(), b"{}")]
    assert "original body\n  {}" in run("show", message.id).stdout
    refused = run("edit", message.id, "--file", "-", *why, given="[]", expect=1)
    assert "Nothing was done: the body is not a orders.order_placed.v1" in refused.stderr


def test_edit_opens_the_editor(stores: dict[str, Database], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    store, message = stores["inventory_service"], placed()
    park(store, message)
    monkeypatch.setenv("EDITOR", "true")
    assert "The body was not changed" in run("edit", message.id, "--reason", "x", expect=1).stderr
    monkeypatch.setenv("EDITOR", "sed -i s/bob/ben/")
    run("edit", message.id, "--reason", "x")
    assert store.rows("select convert_from(body, 'UTF8') from parked_messages") == [
        (message.body.replace("bob", "ben"),)
    ]


def test_skip_asks_before_it_gives_up_several_messages(stores: dict[str, Database], run: Run) -> None:
    store, message = stores["inventory_service"], placed()
    park(store, message)
    follower = waiting(store, message.key)
    park(store, placed())
    why = ("--reason", "order was a test")
    run("skip", "--all", *why, given="n\n", expect=1)
    assert store.rows("select count(*) from parked_messages") == [(3,)]
    assert run("skip", "--all", *why, "--yes").stdout == "inventory_service: 2 skipped\n"
    assert store.rows("select message_id, state from parked_messages") == [(follower, "retrying")]
    assert answer(run("skip", follower, *why, "--json"))["messages"][0]["state"] == "skipped"
    assert store.rows("select count(*) from inbox") == [(3,)]


def test_actions_tells_who_did_what_also_to_messages_that_have_left(stores: dict[str, Database], run: Run) -> None:
    assert run("actions").stdout == "None.\n"
    messages = [placed(), placed()]
    for message, group in zip(messages, ("inventory_service", "payment_service"), strict=True):
        park(stores[group], message)
        run("retry", message.id, "--actor", "carol", "--reason", "mended")
        run("skip", message.id, "--reason", "a\x1btest")
    found = answer(run("actions", "--json"))["actions"]
    assert [(each["group"], each["action"], each["actor"]) for each in found] == [
        ("payment_service", "skip", "alice"),
        ("payment_service", "retry", "carol"),
        ("inventory_service", "skip", "alice"),
        ("inventory_service", "retry", "carol"),
    ]
    newest, _ = run("actions", messages[0].id).stdout.splitlines()
    assert newest.startswith(f"{messages[0].id} in inventory_service (reaction): ")
    assert newest.endswith(r" skip by alice: a\x1btest")


@pytest.mark.parametrize(
    "arguments",
    [
        ("retry", "--reason", "x"),
        ("skip", "--reason", "x"),
        ("edit", "--reason", "x", "--file", "-"),
        ("dry-run",),
        ("show",),
    ],
)
def test_an_unknown_message_is_a_clear_error(run: Run, arguments: tuple[str, ...]) -> None:
    nobody = uuid4()
    result = run(*arguments, nobody, expect=1)
    assert result.stderr.startswith(f"Error: Message {nobody} is not parked.")


def test_a_database_that_is_not_migrated_is_a_clear_error(
    stores: dict[str, Database], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stores["order_service"]
    monkeypatch.setenv(url_variable("order_service"), store.server.superuser_url())
    for command in (("list",), ("retry", "--all", "--reason", "x")):
        said = run(*command, expect=1).stderr
        assert said.startswith("Error: The database of order_service failed: relation")
        assert "Is it up and migrated?" in said


def test_a_wrong_choice_of_messages_is_a_clear_error(stores: dict[str, Database], run: Run) -> None:
    why = ("--reason", "mended")
    assert "Say which: message ids, or --failure ID, or --key KEY, or --all." in run("retry", *why, expect=2).stderr
    assert "Say which" in run("retry", uuid4(), "--all", *why, expect=2).stderr
    assert "No message of the failure group 12345678" in run("retry", "--failure", "12345678", *why, expect=1).stderr
    for action in ("retry", "skip"):
        assert "Missing option '--reason'" in run(action, "--all", expect=2).stderr
        assert "say why" in run(action, "--all", "--reason", " ", expect=2).stderr
    message = placed()
    for group in ("inventory_service", "projections"):
        park(stores[group], message)
    twice = run("retry", message.id, *why, expect=1).stderr
    assert "is parked by inventory_service (reaction) and projections (reaction): say which with --group" in twice
    run("retry", message.id, "--group", "projections", *why)
