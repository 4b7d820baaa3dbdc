"""The service that docs/ADD_A_SERVICE.md adds does what the page says, with the code as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.state import ROOT
from tests.shop.support.whole_stack import WholeStack, whole_stack
from tests.support.wait import until

BLOCK = re.compile(r"```python\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)
TEST = "tests/shop/unit/test_delivery_service.py"
CHANGES = (
    ("contracts/__init__.py", "import inventory,", "import delivery, inventory,"),
    (
        "contracts/__init__.py",
        "        orders.OrderPlaced,\n",
        "        delivery.ParcelDispatched,\n        orders.OrderPlaced,\n",
    ),
    (
        "shop/__init__.py",
        "from inventory_service.service",
        "from delivery_service.service import delivery_service\nfrom inventory_service.service",
    ),
    ("shop/__init__.py", "services = (order_service,", "services = (delivery_service, order_service,"),
    (
        "projections/sources.py",
        "from inventory_service.service",
        "from delivery_service.service import delivery_service\nfrom inventory_service.service",
    ),
    ("projections/sources.py", "in (order_service,", "in (delivery_service, order_service,"),
    ("devstack/processes.py", '"inventory_service")\n', '"inventory_service", "delivery_service")\n'),
    (
        "devstack/processes.py",
        '    worker("projections-worker",',
        '    worker("delivery-worker", "delivery_service"),\n    relay("delivery-relay", "delivery_service"),\n'
        '    worker("projections-worker",',
    ),
)
"""What section 4 tells to change before the stack runs: (file, before, after)."""


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A copy of the repository with the fourth service."""
    copy = tmp_path / "grown"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "docs", "__pycache__"))
    for block in BLOCK.finditer((ROOT / "docs" / "ADD_A_SERVICE.md").read_text()):
        file = copy / block["path"]
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(block["code"])
    for name, before, after in CHANGES:
        text = (copy / name).read_text()
        assert text.count(before) == 1, f"{name} has changed: {before!r}"
        (copy / name).write_text(text.replace(before, after))
    return copy


def test_the_service_of_the_page_passes_the_tests_of_the_page(grown: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST],
        cwd=grown,
        env={**os.environ, "PYTHONPATH": f"{grown}:{grown / 'src'}"},
        capture_output=True,
        text=True,
    )
    assert "4 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_a_fourth_service_trades_and_reconcile_knows_what_it_says_and_hears(grown: Path) -> None:
    with whole_stack(grown.parent / "state", root=grown) as stack:
        shop = stack.shop()
        shop.stock("parcel", "Parcel", 100, 1)
        order = shop.order("alice", [("parcel", 1)], "pm_card_visa")
        until(lambda: in_the_log(stack, order, "delivery.parcel_dispatched.v1"), seconds=60)
        assert stack.command("reconcile")["findings"] == []
        delivery = Environments(stack.state, ExternalServers()).database_url("delivery_service", "ordersaga")
        gone = {f"delivery_service.{table}": delete_all(delivery, table) for table in ("outbox", "inbox")}
        found = {(each["kind"], each["place"], each["message_id"]) for each in stack.command("reconcile")["findings"]}
        assert found == {("missing", place, id_) for place, ids in gone.items() for id_ in ids}


def delete_all(url: str, table: str) -> list[str]:
    """By hand, triggers switched off; returns the ids of the messages."""
    with psycopg.connect(url) as connection:
        connection.execute("set session_replication_role = replica")
        deleted = connection.execute(SQL("delete from {} returning message_id").format(Identifier(table))).fetchall()
    assert deleted
    return [str(id_) for (id_,) in deleted]


def in_the_log(stack: WholeStack, order: UUID, contract: str) -> bool:
    return bool(
        stack.rows("projections", "select from event_log where key = %s and contract = %s", str(order), contract)
    )
