"""`./ordersaga audit`: what its commands answer, and what they say when they cannot."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result

from devstack.cli import main
from devstack.state import IMPORT_PATH, State
from ordersaga.audit.note import VerifierKey
from ordersaga.parked import operations
from ordersaga.parked.operator import Operator
from ordersaga.runtime.settings import url_variable
from projections.audit.text import cell
from projections.audit.trail import Trail, TrailCursor, TrailFilter
from tests.shop.support.audited import AuditedShop
from tests.shop.support.audited_shop import audited_shop, skip_a_message
from tests.shop.support.reconciled_shop import Shop
from tests.support.databases import Databases

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    return State(tmp_path_factory.mktemp("state")).create()


@pytest.fixture(scope="module")
def shop(databases: Databases, state: State) -> Iterator[Shop]:
    with audited_shop(databases, state) as shop:
        yield shop


@pytest.fixture
def run(shop: Shop, state: State, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, url in shop.urls.items():
        monkeypatch.setenv(url_variable(name), url)
    monkeypatch.setenv("AMQP_URL", "amqp://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("ORDERSAGA_STATE", str(state.directory))
    return lambda *arguments: CliRunner().invoke(main, ["audit", *map(str, arguments)])


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_trail_of_an_order_says_who_what_when_why_from_where_and_what_came_of_it(run: Run, shop: Shop) -> None:
    order = shop.saga.orders[1]
    entries = lines(run("trail", "--order", order, "--json"))
    assert {entry["key"] for entry in entries} == {str(order)}
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    assert len(entries) == len(shop.messages_of(order))
    cancelled = next(entry for entry in entries if entry["what"] == "orders.order_cancelled.v1")
    assert cancelled["outcome"].startswith("cancelled")
    captured = next(entry for entry in entries if entry["what"] == "payments.payment_captured.v1")
    assert captured["why"] == "after inventory.stock_reserved.v1"
    assert captured["where"] == "payment_service"
    said = run("trail", "--order", order)
    assert said.stdout.splitlines()[0].split()[:5] == ["WHEN", "WHO", "WHAT", "FROM", "KEY"]
    assert len(said.stdout.splitlines()) == 1 + len(entries)


def test_the_trail_is_read_newest_first_too_page_by_page_and_whole(run: Run, shop: Shop) -> None:
    whole = [entry["id"] for entry in lines(run("trail", "--json"))]
    with shop.projections.connect() as connection:
        trail, seen, behind = Trail({"projections": connection}), list[str](), None
        while page := trail.page(TrailFilter(), behind, 7, newest_first=True):
            seen += [entry.id for entry in page]
            behind = TrailCursor(page[-1].time, page[-1].id)
    messages = {entry for entry in whole if ":" not in entry}
    assert [entry for entry in seen if entry in messages] == [entry for entry in reversed(whole) if entry in messages]
    assert len(seen) == len(set(seen))


def test_what_operators_did_is_part_of_the_trail(run: Run, shop: Shop) -> None:
    treated = shop.message("payment_service", "payments.payment_captured.v1")
    [action] = lines(run("trail", "--actor", "bob", "--json"))
    assert (action["what"], action["why"], action["key"]) == ("operator.skip", "sent twice", treated.key)
    assert action["where"] == "order_service"
    assert action["cause"] == str(treated.id)
    for narrowed in (
        ("--type", "operator.skip"),
        ("--order", treated.key),
        ("--correlation", treated.cause.correlation_id),
    ):
        assert action in lines(run("trail", *narrowed, "--json"))


def test_what_operators_did_to_messages_that_were_never_heard_is_part_of_the_trail(run: Run, shop: Shop) -> None:
    """A message that the broker refused, and one that the read side itself had parked."""
    lost = replace(shop.message("order_service", "orders.order_placed.v1"), id=uuid4(), key=str(uuid4()))
    lost = replace(lost, cause=replace(lost.cause, correlation_id=uuid4()))
    ids = {"id": lost.id, "key": lost.key, "correlation": lost.cause.correlation_id}
    shop.by_hand("order_service", REFUSED, ids)
    with psycopg.connect(shop.urls["order_service"], autocommit=True) as connection:
        operations.skip(connection, lost.id, Operator("carol", "a test order"))
    skip_a_message(shop.projections, replace(lost, id=uuid4()), Operator("carol", "the same"))
    done = lines(run("trail", "--correlation", lost.cause.correlation_id, "--json"))
    assert {(entry["what"], entry["where"]) for entry in done} == {
        ("operator.skip", "order_service"),
        ("operator.skip", "projections"),
    }
    assert {entry["correlation"] for entry in done} == {str(lost.cause.correlation_id)}
    [refusal] = [entry["outcome"] for entry in done if entry["where"] == "order_service"]
    assert refusal.startswith("312 NO_ROUTE: ")
    assert lines(run("trail", "--order", lost.key, "--json")) == done


def test_a_parked_message_without_an_envelope_does_not_keep_the_trail_from_being_read(run: Run, shop: Shop) -> None:
    message = replace(shop.message("order_service", "orders.order_placed.v1"), id=uuid4())
    headers = {"ce-correlationid": "not an id"}
    skip_a_message(shop.projections, message, Operator("dora", "rubbish"), headers)
    [action] = lines(run("trail", "--actor", "dora", "--json"))
    assert (action["what"], action["correlation"]) == ("operator.skip", None)


def test_a_database_that_is_away_is_named_and_takes_only_its_own_actions_with_it(
    run: Run, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lines(run("trail", "--json"))
    monkeypatch.setenv(url_variable("order_service"), "postgresql://nobody@127.0.0.1:1/order_service")
    found = run("trail", "--json")
    assert lines(found) == [entry for entry in whole if not entry["id"].startswith("order_service:")] != whole
    assert found.stderr == "Operators' actions at order_service are missing: the database does not answer.\n"
    monkeypatch.setenv(url_variable("projections"), "postgresql://nobody@127.0.0.1:1/projections")
    assert "The database of projections failed" in run("trail").stderr


REFUSED = """
insert into undeliverable (message_id, position, contract, source, key, sequence, time, event_hash, correlation_id,
    actor, traceparent, tracestate, body, kind, reason, attempts)
select %(id)s, position, contract, source, %(key)s, sequence, time, event_hash, %(correlation)s,
    actor, traceparent, tracestate, body, 'returned', '312 NO_ROUTE', 1
from outbox limit 1 returning 1
"""


def test_the_trail_is_narrowed_by_type_and_time(run: Run, shop: Shop) -> None:
    placed = lines(run("trail", "--type", "orders.order_placed.v1", "--json"))
    assert {entry["key"] for entry in placed} == {str(order) for order in shop.saga.orders}
    whole = lines(run("trail", "--json"))
    middle = whole[len(whole) // 2]["time"]
    before, after = lines(run("trail", "--until", middle, "--json")), lines(run("trail", "--since", middle, "--json"))
    assert before + after == whole
    assert lines(run("trail", "--since", "2999-01-01", "--json")) == []


def test_what_is_wrong_with_a_question_is_said(run: Run) -> None:
    unknown = run("trail", "--order", uuid4())
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "Nothing is known of order" in unknown.stderr
    for wrong, said in (
        (("trail", "--since", "yesterday"), "is not a time such as"),
        (("trail", "--type", "order_placed"), "is none of: "),
        (("trail", "--order", "42"), "is not an id, or at least 4 of its hexadecimal digits"),
        (("why", "nonsense"), "is not an id, or at least 4 of its hexadecimal digits"),
        (("state", uuid4(), "--as-of", "0"), "versions begin at 1"),
        (("state", uuid4(), "--as-of", "noon"), "is not a time such as"),
    ):
        result = run(*wrong)
        assert result.exit_code == 2
        assert said in result.stderr
    nothing = run("why", uuid4())
    assert nothing.exit_code == 1
    assert "is in the event log" in nothing.stderr


def test_why_shows_the_way_from_the_request_and_everything_below(run: Run, shop: Shop) -> None:
    order = shop.saga.orders[0]
    asked = next(m for m in shop.messages_of(order) if m.contract == "inventory.stock_reserved.v1")
    first = json.loads(run("why", asked.id, "--json").stdout)
    assert (first["contract"], first["asked"]) == ("orders.order_placed.v1", False)
    [reserved] = first["effects"]
    assert (reserved["id"], reserved["asked"]) == (str(asked.id), True)
    assert [effect["contract"] for effect in reserved["effects"]] == ["payments.payment_captured.v1"]
    said = run("why", asked.id).stdout
    assert said.startswith("request ")
    assert f"inventory.stock_reserved.v1 {asked.id}" in said
    assert said.index("orders.order_placed.v1") < said.index("<- asked for") < said.index("orders.order_confirmed.v1")


def test_the_short_ids_that_pages_show_are_enough_and_an_ambiguous_one_names_the_candidates(
    run: Run, shop: Shop
) -> None:
    order = shop.saga.orders[0]
    assert run("trail", "--order", str(order)[-8:]).stdout == run("trail", "--order", order).stdout
    assert run("state", str(order)[-8:], "--as-of", 1).stdout == run("state", order, "--as-of", 1).stdout
    message = shop.messages_of(order)[0].id
    assert run("why", str(message)[:8]).stdout == run("why", message).stdout
    unknown = run("trail", "--order", "00000000")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "No key of the event log ends with 00000000. Give its last digits, or the whole id." in unknown.stderr
    other = UUID(int=order.int ^ 1 << 60)
    [(position,)] = shop.projections.rows("select min(position) from event_log where key = %s", (str(order),))
    with psycopg.connect(shop.urls["projections"]) as connection:
        connection.execute(TWIN, (str(other), position))
        connection.commit()
        try:
            several = run("trail", "--order", str(order)[-8:])
        finally:
            connection.execute("delete from event_log where key = %s", (str(other),))
    assert several.exit_code == 1
    assert str(order) in several.stderr
    assert str(other) in several.stderr


TWIN = """
insert into event_log (message_id, contract, source, key, sequence, time, event_hash, correlation_id, actor,
    traceparent, tracestate, body)
select gen_random_uuid(), contract, source, %s, sequence, time, event_hash, correlation_id, actor, traceparent,
    tracestate, body
from event_log where position = %s
"""
"""A first message of another order."""


def test_an_order_is_shown_as_it_was(run: Run, shop: Shop) -> None:
    order = shop.saga.orders[0]
    reserved = next(m for m in shop.messages_of(order) if m.contract == "inventory.stock_reserved.v1")
    then = json.loads(run("state", order, "--as-of", reserved.time.isoformat(), "--json").stdout)
    assert (then["known"]["state"], then["known"]["waits_for"]) == ("placed", "payment")
    assert then["known"]["order_id"] == str(order)
    now = json.loads(run("state", order, "--as-of", (datetime.now(UTC) + timedelta(1)).isoformat(), "--json").stdout)
    [(state_now,)] = shop.projections.rows("select state from saga_view where order_id = %s", (order,))
    assert now["known"]["state"] == state_now
    first = json.loads(run("state", order, "--as-of", "1", "--json").stdout)
    assert (first["recorded"]["version"], first["recorded"]["state"], first["known"]) == (1, "placed", None)
    assert "state         placed" in run("state", order, "--as-of", 1).stdout
    assert run("state", order, "--as-of", "2000-01-01").exit_code == 1
    assert shop.projections.rows("select count(*) from saga_view where order_id <> all(%s)", (shop.saga.orders,)) == [
        (0,)
    ]


def test_an_export_is_verified_on_a_machine_that_has_nothing_else(run: Run, tmp_path: Path) -> None:
    key = run("key").stdout.strip()
    assert str(VerifierKey.parse(key)) == key
    exported = tmp_path / "export.jsonl"
    assert run("export", "-o", exported).exit_code == 0
    proven = elsewhere(tmp_path, "--export", str(exported), "--key", key, "--json")
    assert proven.returncode == 0, proven.stderr
    said = json.loads(proven.stdout)
    assert (said["clean"], said["findings"]) == (True, [])
    assert {store["store"] for store in said["stores"]} == {"order_service", "payment_service", "inventory_service"}
    exported.write_text(exported.read_text().replace('"actor":""', '"actor":"mallory"', 1))
    found = elsewhere(tmp_path, "--export", str(exported), "--key", key)
    assert found.returncode == 1
    assert found.stdout.startswith("edited in order_service: ")
    stranger = AuditedShop({}, tmp_path).signer.verifier
    assert "bad signature" in elsewhere(tmp_path, "--export", str(exported), "--key", str(stranger)).stdout


def elsewhere(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With no server, no state and no environment."""
    command = [sys.executable, "-m", "devstack", "audit", "verify", "--state", str(directory / "none"), *arguments]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": IMPORT_PATH}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60)


def test_the_table_for_people_is_csv_that_no_spreadsheet_takes_for_a_formula(run: Run, shop: Shop) -> None:
    rows = list(csv.DictReader(io.StringIO(run("export", "--format", "csv", "--order", shop.saga.orders[0]).stdout)))
    assert {row["key"] for row in rows} == {str(shop.saga.orders[0])}
    assert [cell(text) for text in ("=1+1", "-1", "one", None)] == ["'=1+1", "'-1", "one", ""]


def test_live_databases_are_verified_and_what_was_altered_is_named(run: Run, shop: Shop, state: State) -> None:
    clean = run("verify", "--json")
    assert clean.exit_code == 0, clean.stdout
    assert run("verify").stdout.endswith("Clean: every sealed event is as it was signed.\n")
    order = shop.saga.orders[2]
    update = (
        "update stored_events set recorded_at = recorded_at - interval '{}1 s' where originator_id = %s returning 1"
    )
    shop.by_hand("payment_service", update.format(""), (order,))
    found = run("verify")
    shop.by_hand("payment_service", update.format("-"), (order,))
    assert found.exit_code == 1
    assert found.stdout.startswith("re-stamped in payment_service: payment.")
    assert str(order) in found.stdout


def test_a_message_that_told_of_another_event_is_named(run: Run, shop: Shop) -> None:
    told = shop.message("order_service", "orders.order_placed.v1")
    update = "update event_log set event_hash = %s where message_id = %s returning 1"
    shop.by_hand("projections", update, (bytes(32), told.id))
    found = run("verify")
    shop.by_hand("projections", update, (told.event_hash, told.id))
    assert found.exit_code == 1
    assert found.stdout.startswith(f"contradicted in order_service: order.placed, version 1 of {told.key}, position ")
    assert f"message {told.id} announced an event with another hash" in found.stdout


def test_checkpoints_kept_elsewhere_are_compared(run: Run, state: State, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text((state.directory / "audit" / "order_service.checkpoints").read_text())
    assert run("verify", "--checkpoints", kept).exit_code == 0
    kept.write_text(kept.read_text().replace("ordersaga/order_service", "ordersaga/another"))
    assert "a checkpoint is not good" in run("verify", "--checkpoints", kept).stderr


def test_what_keeps_a_log_from_being_verified_is_said(run: Run, tmp_path: Path) -> None:
    for arguments, said in (
        (("verify", "--log", tmp_path), "Nothing of order_service has been sealed into"),
        (("verify", "--key", "hello+you"), "--key: 'hello+you' is neither a verifier key"),
        (("verify", "--key", "/nowhere"), "--key: '/nowhere' is neither a verifier key (NAME+ID+KEY) nor a file"),
        (("verify", "--state", tmp_path / "none"), "No audit key is in"),
        (("export", "-o", tmp_path / "none" / "file"), "cannot be written: No such file or directory"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1, result.stdout
        assert said in result.stderr
    empty = tmp_path / "empty"
    empty.write_text("")
    assert "is empty: it is not an audit export" in run("verify", "--export", empty).stderr
    empty.write_text("nothing of the kind\n")
    assert "line 1 is not a line of an audit export" in run("verify", "--export", empty).stderr
