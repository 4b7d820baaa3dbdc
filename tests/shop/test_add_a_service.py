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

PAGE = ROOT / "docs" / "ADD_A_SERVICE.md"
FILE = re.compile(r"```python\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)
CHANGE = re.compile(r"```diff\n# (?P<path>\S+)\n(?P<hunks>.*?)```", re.DOTALL)
UNIT_TEST = "tests/shop/unit/test_delivery_service.py"
OF_THE_TREE = re.compile(r"devstack|(from|import) shop\b|compose|services\b|CONTRACTS|ROOT")
LINK = re.compile(r"\]\(\.\./(?P<path>[^)#]+)\)")
NAMED_ALONE = {
    "order_service/api.py",
    "tests/shop/test_add_a_service.py",
    "tests/shop/test_saga_races.py",
    "inventory_service/reactions.py",
    "inventory_service/api.py",
    "order_service/service.py",
    "payment_service/service.py",
    "projections/dashboard/components/words.py",
}
"""Files that the page links to and does not change: examples, and what is optional."""


def changes() -> list[tuple[str, str, str]]:
    """(file, lines before, lines after) of every hunk of the page."""
    found = []
    for change in CHANGE.finditer(PAGE.read_text()):
        for hunk in change["hunks"].split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            before, after = ("".join(line[1:] for line in lines if line[0] in f" {mark}") for mark in ("-", "+"))
            found.append((change["path"], before, after))
    return found


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A copy of the repository with the fourth service."""
    copy = tmp_path / "grown"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache", ".ordersaga"))
    for block in FILE.finditer(PAGE.read_text()):
        file = copy / block["path"]
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(block["code"])
    for name, before, after in changes():
        text = (copy / name).read_text()
        assert text.count(before) == 1, f"{name} has changed, the page has not: {before}"
        (copy / name).write_text(text.replace(before, after))
    return copy


def run(grown: Path, *arguments: str) -> str:
    """The output of a module in the copy. Fails unless the exit code is 0."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=grown,
        env={**os.environ, "PYTHONPATH": f"{grown}:{grown / 'src'}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_changes_every_file_that_it_links_to_in_the_copy() -> None:
    changed = {name for name, _, _ in changes()}
    assert {path["path"] for path in LINK.finditer(PAGE.read_text())} - changed == NAMED_ALONE


def unit_tests_of_the_tree(grown: Path) -> list[str]:
    """That of the new service, and those that look at all services or at files of the tree.

    The programs that test_usage.py starts, 13 s of CPU, run in the stack of the copy below.
    """
    files = (grown / "tests/shop/unit").glob("test_*.py")
    looking = [str(path.relative_to(grown)) for path in files if OF_THE_TREE.search(path.read_text())]
    return [UNIT_TEST, *(name for name in looking if name not in (UNIT_TEST, "tests/shop/unit/test_usage.py"))]


@pytest.mark.timeout(600)
def test_with_the_service_of_the_page_all_unit_tests_pass_and_so_do_those_of_compose(grown: Path) -> None:
    # Of the library's unit tests only this one reads a file that the page changes or adds.
    unit = ("tests/library/unit/test_boundary.py", "tests/shop/test_compose.py", *unit_tests_of_the_tree(grown))
    options = ("-q", "-rp", "-p", "no:cacheprovider")
    for documents in ("asyncapi", "schemas"):
        run(grown, "ordersaga.cli", "--app", "shop:services", "contracts", documents, "--out", "docs/contracts")
    told = run(grown, "pytest", *options, *unit)
    assert told.count(f"PASSED {UNIT_TEST}::") == 4


@pytest.mark.timeout(600)
def test_with_the_service_of_the_page_ruff_mypy_and_import_linter_are_content(grown: Path) -> None:
    run(grown, "ruff", "check", "--no-cache", ".")
    run(grown, "ruff", "format", "--check", "--no-cache", ".")
    # With what mypy knows of the files that the page leaves as they are it takes 2 s of CPU instead of 21.
    if (known := ROOT / ".mypy_cache").is_dir():
        shutil.copytree(known, grown / ".mypy_cache")
    run(grown, "mypy")
    subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=grown,
        env={**os.environ, "PYTHONPATH": f"{grown}:{grown / 'src'}"},
        check=True,
    )


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
