"""`ordersaga parked`: what it prints, for people and for programs, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result

from ordersaga.cli.app import Application
from ordersaga.cli.main import main
from ordersaga.envelope.message import Message
from ordersaga.parked import table
from ordersaga.runtime.errors import Failure
from ordersaga.runtime.settings import url_variable
from tests.support.counting import GROUP, Asked, Counted, CountKept
from tests.support.counting_read_side import read_side, services
from tests.support.databases import SCHEMAS, Database, Databases
from tests.support.parking import delivery
from tests.support.workers import counted

Run = Callable[..., Result]
FAILURE = Failure("CountLost", "counting/counter.py:1 keep", "gone \x1b[2J", "Traceback: CountLost")
KEPT = read_side.group
SCHEMAS[KEPT] = read_side.schema


@pytest.fixture
def stores(database: Databases, monkeypatch: pytest.MonkeyPatch) -> dict[str, Database]:
    """One database for each group, named in the environment; both have the counting service's role."""
    stores = {name: replace(database(name), role=GROUP) for name in (GROUP, KEPT)}
    for group, store in stores.items():
        monkeypatch.setenv(url_variable(group), store.url)
    monkeypatch.setenv("USER", "alice")
    return stores


@pytest.fixture
def run(stores: dict[str, Database]) -> Run:
    """`run("list", ...)` as a person would; a result of another exit code than `expect` fails the test."""

    def run(verb: str, *arguments: object, expect: int = 0, given: str | None = None) -> Result:
        command = ["parked", verb, *map(str, arguments)]
        result = CliRunner().invoke(main, command, input=given, obj=Application(lambda: services))
        assert result.exit_code == expect, result.output
        return result

    return run


def heard() -> Message:
    """The first message of another counter."""
    return counted(uuid4(), 1)


def park(store: Database, message: Message, state: str = "dead", failure: Failure = FAILURE, key: str = "") -> UUID:
    entry = table.NewlyParked(message.id, key or message.key, message.contract, delivery(message), state, failure, 8)
    with store.connect() as connection:
        table.append(connection, [entry])
    return message.id


def waiting(store: Database, key: str) -> UUID:
    return park(store, heard(), "waiting", Failure("", "", "", ""), key)


def answer(result: Result) -> Any:
    return json.loads(result.stdout)


def test_list_groups_messages_by_contract_exception_and_function(stores: dict[str, Database], run: Run) -> None:
    assert run("list").stdout == "Nothing is parked.\n"
    store = stores[GROUP]
    first, second = heard(), heard()
    park(store, first)
    waiting(store, first.key)
    park(store, second)
    park(stores[KEPT], first, failure=FAILURE._replace(error="Other"))
    [counting, other] = answer(run("list", "--json"))["failures"]
    assert {
        name: counting[name]
        for name in ("group", "contract", "error", "place", "messages", "dead", "keys", "followers")
    } == {
        "group": GROUP,
        "contract": first.contract,
        "error": "CountLost",
        "place": FAILURE.place,
        "messages": 2,
        "dead": 2,
        "keys": 2,
        "followers": 1,
    }
    assert (counting["first"], other["group"], other["error"]) == (str(first.id), KEPT, "Other")
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
    assert line.split()[:3] == [counting["failure"], GROUP, "reaction"]
    assert line.endswith(f"CountLost at {FAILURE.place}")
    assert len(answer(run("list", "--messages", "--json"))["messages"]) == 4
    assert len(run("list", "--messages", "--failure", counting["failure"]).stdout.splitlines()) == 3
    assert answer(run("list", "--group", KEPT, "--json"))["failures"] == [other]


def test_show_tells_all_about_one_message_and_nothing_steers_the_terminal(
    stores: dict[str, Database], run: Run
) -> None:
    message = heard()
    park(stores[GROUP], message)
    follower = waiting(stores[GROUP], message.key)
    found = answer(run("show", message.id, "--json"))
    assert (found["group"], found["state"], found["attempts"]) == (GROUP, "dead", 8)
    assert (found["followers"], found["before"], found["actions"]) == ([str(follower)], [], [])
    assert found["body"] == message.body
    assert found["headers"]["ce-actor"] == "tester"
    text = run("show", message.id).stdout
    for part in (FAILURE.traceback, FAILURE.place, message.body, str(follower), "ce-actor: tester", r"gone \x1b[2J"):
        assert part in text
    assert "\x1b" not in text
    park(stores[GROUP], replace(heard(), key="\x1b[2J\n"))
    assert r" \x1b[2J\n " in run("list", "--messages").stdout


def test_some_digits_of_a_message_are_enough_where_they_fit_one_alone(stores: dict[str, Database], run: Run) -> None:
    messages = [replace(heard(), id=UUID(f"{first}-0000-4000-8000-00000000beef")) for first in ("1234abcd", "5678abcd")]
    for message, group in zip(messages, (GROUP, KEPT), strict=True):
        park(stores[group], message)
    assert answer(run("show", "1234abcd", "--json"))["message_id"] == str(messages[0].id)
    assert answer(run("show", "beef", "--group", KEPT, "--json"))["message_id"] == str(messages[1].id)
    several = run("retry", "beef", "--reason", "x", expect=1).stderr
    assert all(str(message.id) in several for message in messages)
    assert run("show", "0000beee", expect=1).stderr.startswith("Error: Message 0000beee is not parked.")
    run("retry", "5678-abcd", "--reason", "x")
    assert str(messages[1].id) in run("actions", "5678abcd").stdout


def test_retry_makes_one_a_failure_group_or_all_due(stores: dict[str, Database], run: Run) -> None:
    store = stores[GROUP]
    messages = [heard() for _ in range(3)]
    for message in messages[:2]:
        park(store, message)
    park(store, messages[2], failure=FAILURE._replace(error="Other"))
    done = answer(run("retry", messages[0].id, "--reason", "perhaps now", "--json"))
    place = {"group": GROUP, "refused_by": "reaction"}
    assert done == {"messages": [{**place, "message_id": str(messages[0].id), "state": "retrying"}]}
    failure = answer(run("list", "--json"))["failures"][0]["failure"]
    assert run("retry", "--failure", failure, "--reason", "mended").stdout == f"{GROUP}: 2 due now\n"
    assert run("retry", "--all", "--actor", "carol", "--reason", "all of it").stdout == f"{GROUP}: 3 due now\n"
    assert store.rows("select distinct state, attempts from parked_messages") == [("retrying", 0)]
    assert store.rows("select actor, reason, count(*) from parked_actions group by 1, 2 order by 1, 2") == [
        ("alice", "mended", 2),
        ("alice", "perhaps now", 1),
        ("carol", "all of it", 3),
    ]


def test_dry_run_shows_rows_rolls_back_and_leaves_out_outside_steps(stores: dict[str, Database], run: Run) -> None:
    message = heard()
    park(stores[GROUP], message)
    [tried] = answer(run("dry-run", message.id, "--json"))["dry_runs"]
    made = [(row["table"], row["row"].get("contract")) for row in tried["rows"]]
    assert ("outbox", CountKept.NAME) in made
    assert ("inbox", Counted.NAME) in made
    text = run("dry-run", "--all").stdout
    assert "+ outbox\n" in text
    assert text.endswith("Everything was rolled back.\n")
    assert stores[GROUP].rows("select from outbox") == []

    asked = counted(uuid4(), 1, Asked)
    park(stores[GROUP], asked)
    [tried] = answer(run("dry-run", asked.id, "--json"))["dry_runs"]
    assert (tried["outside"], tried["rows"]) == ("not called", [])
    assert "With --outside that call is made" in run("dry-run", asked.id).stdout


def test_dry_run_of_what_would_fail_again_says_why_and_exits_with_1(stores: dict[str, Database], run: Run) -> None:
    message = replace(heard(), body="{}")
    park(stores[GROUP], message)
    assert (
        "would FAIL: UnreadableMessage: the body is not a test.counted.v1: 2 validation errors"
        in run("dry-run", message.id, expect=1).stdout
    )


def test_edit_takes_the_body_from_a_file_or_standard_input(
    stores: dict[str, Database], run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store, message = stores[GROUP], heard()
    park(store, replace(message, body="{}"))
    file = tmp_path_factory.mktemp("bodies") / "body.json"
    file.write_text(message.body.replace(":1}", ":2}"))
    why = ("--reason", "typing error", "--json")
    assert answer(run("edit", message.id, "--file", file, *why))["messages"][0]["state"] == "retrying"
    run("edit", message.id, "--file", "-", *why, given=message.body)
    assert store.rows("select body, original_body from parked_messages") == [(message.body.encode(), b"{}")]
    assert "original body\n  {}" in run("show", message.id).stdout
    refused = run("edit", message.id, "--file", "-", *why, given="[]", expect=1)
    assert "Nothing was done: the body is not a test.counted.v1: it is unacceptable JSON: an object" in refused.stderr


def test_edit_opens_the_editor(stores: dict[str, Database], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    store, message = stores[GROUP], heard()
    park(store, message)
    monkeypatch.setenv("EDITOR", "true")
    assert "The body was not changed" in run("edit", message.id, "--reason", "x", expect=1).stderr
    monkeypatch.setenv("EDITOR", "sed -i s/:1}/:2}/")
    run("edit", message.id, "--reason", "x")
    assert store.rows("select convert_from(body, 'UTF8') from parked_messages") == [
        (message.body.replace(":1}", ":2}"),)
    ]


def test_skip_asks_before_it_gives_up_several_messages(stores: dict[str, Database], run: Run) -> None:
    store, message = stores[GROUP], heard()
    park(store, message)
    follower = waiting(store, message.key)
    park(store, heard())
    why = ("--reason", "order was a test")
    run("skip", "--all", *why, given="n\n", expect=1)
    assert store.rows("select count(*) from parked_messages") == [(3,)]
    assert run("skip", "--all", *why, "--yes").stdout == f"{GROUP}: 2 skipped\n"
    assert store.rows("select message_id, state from parked_messages") == [(follower, "retrying")]
    assert answer(run("skip", follower, *why, "--json"))["messages"][0]["state"] == "skipped"
    assert store.rows("select count(*) from inbox") == [(3,)]


def test_actions_tells_who_did_what_also_to_messages_that_have_left(stores: dict[str, Database], run: Run) -> None:
    assert run("actions").stdout == "None.\n"
    messages = [heard(), heard()]
    for message, group in zip(messages, (GROUP, KEPT), strict=True):
        park(stores[group], message)
        run("retry", message.id, "--actor", "carol", "--reason", "mended")
        run("skip", message.id, "--reason", "a\x1btest")
    found = answer(run("actions", "--json"))["actions"]
    assert [(each["group"], each["action"], each["actor"]) for each in found] == [
        (KEPT, "skip", "alice"),
        (KEPT, "retry", "carol"),
        (GROUP, "skip", "alice"),
        (GROUP, "retry", "carol"),
    ]
    newest, _ = run("actions", messages[0].id).stdout.splitlines()
    assert newest.startswith(f"{messages[0].id} in {GROUP} (reaction): ")
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


COMMANDS = [
    ("parked", "list"),
    ("parked", "retry", "--all", "--reason", "x"),
    ("reconcile", "--patience", "0"),
    ("relay", "status", "--seconds", "0.1"),
    ("relay", "republish"),
    ("projections", "status"),
    ("projections", "rebuild"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_is_not_migrated_is_a_clear_error_without_the_statement(
    stores: dict[str, Database], monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    for group, store in stores.items():
        monkeypatch.setenv(url_variable(group), store.owner_url)
        with psycopg.connect(store.owner_url) as owner:
            owner.execute("drop schema public cascade; create schema public")
    result = CliRunner().invoke(main, command, obj=Application(lambda: services))
    assert result.exit_code == 1, result.output
    said = [line for line in result.output.splitlines() if 'relation "' in line]
    assert all("does not exist. Run `ordersaga migrate`." in line for line in said)
    assert said, result.output
    assert "LINE" not in result.output


def test_a_role_without_rights_is_told_which_role_is_needed(
    stores: dict[str, Database], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(url_variable(GROUP), stores[GROUP].relay_url)
    said = run("list", expect=1).stderr
    assert "permission denied for table parked_messages. Its URL must be that of the role counting or of" in said


def test_a_wrong_choice_of_messages_is_a_clear_error(stores: dict[str, Database], run: Run) -> None:
    why = ("--reason", "mended")
    assert "Say which: message ids, or --failure ID, or --key KEY, or --all." in run("retry", *why, expect=2).stderr
    assert "Say which" in run("retry", uuid4(), "--all", *why, expect=2).stderr
    assert "No message of the failure group 12345678" in run("retry", "--failure", "12345678", *why, expect=1).stderr
    for action in ("retry", "skip"):
        assert "Missing option '--reason'" in run(action, "--all", expect=2).stderr
        assert "say why" in run(action, "--all", "--reason", " ", expect=2).stderr
    message = heard()
    for group in (GROUP, KEPT):
        park(stores[group], message)
    twice = run("retry", message.id, *why, expect=1).stderr
    assert f"is parked by {GROUP} (reaction) and {KEPT} (reaction): say which with --group" in twice
    run("retry", message.id, "--group", KEPT, *why)
