"""`./ordersaga parked` over the shop's groups: the library's commands on the stack of a state directory."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
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
    return replace(message, contract=order.NAME, source=order.SOURCE, body=order.model_dump_json())


def park(store: Database, message: Message, state: str = "dead", failure: Failure = FAILURE, key: str = "") -> UUID:
    delivery = Delivery(1, message.routing_key, to_properties(message).headers, message.body.encode())
    entry = table.NewlyParked(message.id, key or message.key, message.contract, delivery, state, failure, 8)
    with store.connect() as connection:
        table.append(connection, [entry])
    return message.id


def test_messages_of_all_groups_are_listed_and_no_state_directory_is_made(
    stores: dict[str, Database], run: Run
) -> None:
    for group in GROUPS:
        park(stores[group], placed())
    found = json.loads(run("list", "--json").stdout)["failures"]
    assert [failure["group"] for failure in found] == list(GROUPS)
    assert "+ outbox\n" in run("dry-run", "--all", "--group", "inventory_service").stdout


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
