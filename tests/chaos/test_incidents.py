"""An incident of a running stack is a test: it fails on the build that made it, and passes on one that is mended."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.sql import SQL, Literal
from rich.console import Console

from devstack.chaos.builds.build import imported_from
from devstack.chaos.builds.catalogue import BUILDS
from devstack.cli import main
from devstack.demo.shop import Shop
from devstack.environment import Change, unchanged
from devstack.incident.command import how_to_run
from devstack.incident.incident import Passed, Received
from devstack.running import running_stack
from devstack.servers import rabbitmq
from devstack.state import IMPORT_PATH, ROOT, State
from inventory_service.stock import stock_item_id
from ordersaga.broker.topology import side_exchange_of
from ordersaga.envelope.message import Message, to_properties
from payment_service.payment import Payment
from tests.shop.support.replay import AnyServers, replaying
from tests.shop.support.whole_stack import WholeStack
from tests.shop.test_incident import CANCELLED
from tests.support.broker import TestBroker
from tests.support.databases import Databases
from tests.support.party import message_of
from tests.support.wait import until

CONTACT = {
    "name": "Grace Hopper",
    "email": "grace@example.org",
    "address": {"lines": ["Harbour 1"], "postal_code": "22765", "city": "Arlington", "country": "US"},
}
PERSONAL = (
    "grace",
    "Hopper",
    "example.org",
    "Harbour",
    "22765",
    "Arlington",
    "tea-for-grace",
    "changed_my_mind",
    "v1.",
)
TESTS = ("the_order_ends_as_it_must", "it_happens_again_as_it_happened")
OUTBOX = """
select correlation_id, causation_id, actor, traceparent, tracestate,
    message_id, contract, source, key, sequence, time, event_hash, body
from outbox where key = %s order by position
"""


@contextmanager
def stack(directory: Path, change: Change = unchanged) -> Iterator[WholeStack]:
    settings = {"ORDER_DEADLINE_SECONDS": "3", "STRIPE_TIMEOUT_SECONDS": "8", "LOG_LEVEL": "ERROR"}
    state = State(directory / "state")
    with running_stack(state, Console(quiet=True), fresh=True, caller={**os.environ, **settings}, change=change):
        found = WholeStack(state)
        for sku in ("tea-for-grace", "locked"):
            found.shop().stock(sku, sku.title(), 350, 100)
        yield found


def incident(stack: WholeStack, order: UUID | str, *arguments: str) -> Result:
    said = CliRunner().invoke(main, ["incident", str(order), "--state", str(stack.state.directory), *arguments])
    assert said.exit_code in (0, 1), said.output
    return said


def erase(stack: WholeStack, customer: str) -> None:
    command = ["audit", "erase", customer, "--yes", "--actor", "tester", "--reason", "asked for"]
    said = CliRunner().invoke(main, [*command, "--state", str(stack.state.directory)])
    assert said.exit_code == 0, said.output


def written(stack: WholeStack, order: UUID, file: Path) -> str:
    said = incident(stack, order, "--out", str(file))
    assert said.exit_code == 0, said.output
    text = file.read_text()
    assert [word for word in (*PERSONAL, str(order), order.hex) if word.lower() in text.lower()] == []
    return text


def outcomes(files: Path, source: Path = ROOT) -> dict[str, str]:
    """Run the pytests in a folder with the shop and the library of `source`: `file::test` -> outcome."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-p", "tests.conftest", "-o", f"pythonpath={source} {source / 'src'}"]
        + ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(files), "-rA", "-q", str(files)],
        cwd=files,
        env={**os.environ, "PYTHONPATH": f"{source}:{source / 'src'}:{IMPORT_PATH}"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(("PASSED ", "FAILED ", "ERROR "))]
    assert lines, done.stdout + done.stderr
    return {name.rpartition("/")[2]: outcome for outcome, name, *_ in lines}


def ended(stack: WholeStack, order: UUID, customer: str, *states: str) -> None:
    until(lambda: state_of(stack.shop(), order, customer) in states, seconds=30, every=0.1)


def state_of(shop: Shop, order: UUID, customer: str) -> str:
    return str(shop.order_of(customer, order)["state"])


def payment_is(stack: WholeStack, order: UUID, *states: str) -> None:
    query = "select topic from stored_events where originator_id = %s order by originator_version desc limit 1"
    until(lambda: rows_of(stack, "payment_service", query, order) in [[(f"payment.{each}",)] for each in states], 40)


def rows_of(stack: WholeStack, database: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    return stack.rows(database, query, *parameters)


def messages_of(stack: WholeStack, order: UUID) -> list[Message]:
    services = ("order_service", "payment_service", "inventory_service")
    return [message_of(*row) for name in services for row in stack.rows(name, OUTBOX, str(order))]


def deliver_again(stack: WholeStack, order: UUID, group: str) -> None:
    """Copies of all messages of an order, to one group."""
    with TestBroker(rabbitmq.url(stack.state, "provisioner")).channel() as channel:
        for message in messages_of(stack, order):
            channel.basic_publish(
                side_exchange_of(group), message.routing_key, message.body.encode(), to_properties(message)
            )


LOCK = SQL("""
create function refuses() returns trigger language plpgsql as $$ begin raise exception 'locked'; end $$;
create trigger refuses before insert on stored_events for each row when (new.originator_id = {})
    execute function refuses()
""")


def lock_stock(stack: WholeStack, sku: str) -> None:
    with psycopg.connect(stack.urls["inventory_service"], autocommit=True) as connection:
        connection.execute(LOCK.format(Literal(str(stock_item_id(sku)))))


def test_orders_that_ended_right_pass_and_happen_again(tmp_path: Path) -> None:
    files = tmp_path / "incidents"
    files.mkdir()
    with stack(tmp_path) as running:
        shop, tea = running.shop(), [("tea-for-grace", 2)]
        late = shop.order("grace", tea, "pm_sim_delay_5000")
        under_way = json.loads(incident(running, late, "--json").stdout)
        confirmed = shop.order("grace", tea, "pm_card_visa", CONTACT)
        declined = shop.order("grace", tea, "pm_card_chargeDeclinedInsufficientFunds")
        rejected = shop.order("grace", [("tea-for-grace", 1000)], "pm_card_visa")
        ended(running, confirmed, "grace", "confirmed")
        shop.refund_part(confirmed, 100, "Grace had a broken one")
        payment_is(running, confirmed, "part_refunded")
        deliver_again(running, confirmed, "payment_service")
        deliver_again(running, confirmed, "inventory_service")
        shop.cancel("grace", confirmed)
        for order, end in ((declined, "declined"), (late, "refunded"), (confirmed, "refunded")):
            payment_is(running, order, end)
        ended(running, rejected, "grace", "cancelled")
        until(lambda: not running.command("reconcile")["findings"], seconds=30, every=0.5)
        for name, order in (("late", late), ("confirmed", confirmed), ("declined", declined), ("rejected", rejected)):
            written(running, order, files / f"test_{name}.py")
        erase(running, "grace")
        written(running, confirmed, files / "test_erased.py")
        unknown = incident(running, uuid4())
    assert "The order was still under way; the replay lets it go on to its end." in under_way["notes"]
    assert (under_way["end"]["order"], under_way["steps"][0]["action"]) == ("placed", "place")
    assert (files / "test_erased.py").read_text() == (files / "test_confirmed.py").read_text()
    assert unknown.exit_code == 1
    assert "No order" in unknown.stderr
    found = outcomes(files)
    assert set(found.values()) == {"PASSED"}, found
    assert len(found) == 10


def test_an_order_that_waits_behind_a_refused_message_is_led_to_its_end(tmp_path: Path) -> None:
    files = tmp_path / "incidents"
    files.mkdir()
    with stack(tmp_path) as running:
        lock_stock(running, "locked")
        order = running.shop().order("grace", [("locked", 1)], "pm_card_visa")
        until(lambda: rows_of(running, "inventory_service", "select from parked_messages"))
        written(running, order, files / "test_locked.py")
    found = outcomes(files)
    must, again = (f"test_locked.py::test_{each}" for each in TESTS)
    assert found == {must: "PASSED", again: "FAILED"}, "the lock was in the database of then, not in the code"


@pytest.mark.parametrize("name", ["refund-left-out", "stock-not-released"])
def test_an_incident_of_a_broken_build_fails_with_it_and_passes_once_it_is_mended(tmp_path: Path, name: str) -> None:
    [build] = [build for build in BUILDS if build.name == name]
    source, files = build.make(tmp_path / "build"), tmp_path / "incidents"
    files.mkdir()
    with stack(tmp_path, imported_from(source)) as running:
        order = running.shop().order("grace", [("tea-for-grace", 2)], "pm_card_visa", CONTACT)
        ended(running, order, "grace", "confirmed")
        running.shop().cancel("grace", order)
        until(lambda: not running.command("reconcile")["findings"], seconds=30, every=0.5)
        text = written(running, order, files / "test_broken.py")
    assert "WRONG" in text
    must, again = (
        "test_broken.py::test_the_order_ends_as_it_must",
        "test_broken.py::test_it_happens_again_as_it_happened",
    )
    assert outcomes(files, source) == {must: "FAILED", again: "PASSED"}
    assert outcomes(files) == {must: "PASSED", again: "FAILED"}


def test_an_order_that_ends_wrong_does_so_again_until_the_cause_is_mended(
    servers: AnyServers, database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    visa = replace(CANCELLED, card="pm_card_visa")
    with monkeypatch.context() as broken:
        broken.setattr(Payment, "is_refundable", property(lambda self: self.state == "charged_late"))
        with replaying(visa, servers, database) as replayed:
            assert "nothing is kept of a cancelled order" in "".join(replayed.wrong)
            assert replayed.end.payment == "captured"
    with replaying(visa, servers, database) as replayed:
        assert replayed.wrong == []
        assert replayed.end.payment == "refunded"


def test_a_charge_that_was_withdrawn_is_withdrawn_again(servers: AnyServers, database: Databases) -> None:
    """The card processor had not answered when the order timed out."""
    steps = [
        *CANCELLED.steps[:2],
        Received(0.02, "payment_service", "inventory.stock_reserved.v1", processor="silent"),
        Passed(3.0, "order_service", "completion"),
        Received(3.1, "inventory_service", "orders.order_cancelled.v1"),
        Received(3.2, "payment_service", "orders.order_cancelled.v1"),
    ]
    with replaying(replace(CANCELLED, card="pm_card_visa", steps=steps), servers, database) as replayed:
        assert replayed.wrong == []
        assert replayed.end.events["payment"] == ["payment.opened", "payment.voided"]


def test_the_command_that_is_printed_runs_a_file_that_is_not_among_the_tests(tmp_path: Path) -> None:
    """With `how_to_run` as it is printed, from the root, and without what makes pytest find the packages here."""
    file = tmp_path / "test_elsewhere.py"
    file.write_text(
        "from tests.shop.support.replay import replaying\n\n\ndef test_it() -> None:\n    assert replaying\n"
    )
    said = how_to_run(file).replace(".venv/bin/python", sys.executable)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "PYTEST_"))}
    done = subprocess.run(
        ["/bin/sh", "-c", said], cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
