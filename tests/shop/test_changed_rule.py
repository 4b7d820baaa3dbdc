"""A deploy that changes a rule of an aggregate: nobody has to remember that there are snapshots."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from inventory_service.announcements import announcements
from inventory_service.commands import reserve_stock
from inventory_service.reservation import Reservation
from inventory_service.stock import ReservedLine, StockItem, stock_item_id
from ordersaga.envelope.message import Cause
from ordersaga.store.fingerprint import fingerprint
from ordersaga.store.transaction import Transaction, decide
from tests.support.databases import Database, Databases

ROOT = Path(__file__).parents[2]
RECEIVE = """
import sys
from uuid import uuid4
import psycopg
from inventory_service.announcements import announcements
from inventory_service.commands import receive_stock
from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import decide

def receive(transaction):
    return [receive_stock(transaction, "cup", 1) for _ in range(int(sys.argv[2]))][-1]

with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print(vars(decide(connection, announcements, Cause(uuid4()), receive)))
"""
ITEM = stock_item_id("cup")
SNAPSHOTS = "select originator_version, fingerprint from snapshots order by originator_version"


def receive(store: Database, times: int, code: Path = ROOT) -> str:
    """Receipts of one piece each, by a process of this code. Returns the fields of the item."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(code), str(ROOT), str(ROOT / "src")])}
    command = [sys.executable, "-c", RECEIVE, store.url, str(times)]
    done = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def store(database: Databases) -> Database:
    return database("inventory_service")


def other_code(folder: Path, old: str, new: str) -> Path:
    """The inventory service with another text in its stock."""
    shutil.copytree(ROOT / "inventory_service", folder / "inventory_service", ignore=shutil.ignore_patterns("__py*"))
    file = folder / "inventory_service" / "stock.py"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return folder


def test_a_corrected_rule_sells_nothing_that_the_wrong_one_counted_into_a_snapshot(
    store: Database, tmp_path: Path
) -> None:
    wrong = other_code(tmp_path, "self.on_hand += quantity", "self.on_hand += quantity + 1")
    assert "'on_hand': 202" in receive(store, 101, wrong)
    [(version, code)] = store.rows(SNAPSHOTS)
    order = uuid4()

    def place(transaction: Transaction) -> None:
        reserve_stock(transaction, order, [ReservedLine(sku="cup", quantity=150)], 100, "EUR", "pm_card_visa")

    with store.connect() as connection:
        decide(connection, announcements, Cause(uuid4()), place)
        transaction = Transaction(connection, announcements, Cause(uuid4()))
        assert transaction.get(Reservation, order).state == "rejected"
        assert transaction.get(StockItem, ITEM).available == 101
    assert "'on_hand': 102" in receive(store, 1)
    assert store.rows(SNAPSHOTS) == [(version, code), (103, fingerprint(StockItem))]


def test_an_attribute_that_is_new_is_there_although_the_snapshot_lacks_it(store: Database, tmp_path: Path) -> None:
    assert "'on_hand': 101" in receive(store, 101)
    assert len(store.rows(SNAPSHOTS)) == 1
    new = other_code(tmp_path, "self.reserved = 0", "self.reserved = 0\n        self.returned = 0")
    text = (new / "inventory_service" / "stock.py").read_text()
    assert "self.returned" in text
    (new / "inventory_service" / "stock.py").write_text(
        text.replace("self.on_hand += quantity", "self.on_hand += quantity + self.returned", 1)
    )
    assert "'returned': 0" in receive(store, 1, new)
