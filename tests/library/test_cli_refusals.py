"""What a person did wrong is said in a sentence with its exit code, never by a traceback."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ordersaga import Service
from tests.support.counting import GROUP
from tests.support.ordersaga_command import OrdersagaCommand
from tests.support.workers import ROOT, Counting

DATABASE = f"{GROUP.upper()}_DATABASE_URL"
SOURCES = {
    "syntax.py": "def services(:\n",
    "raising.py": "import os\n\nraise RuntimeError('not configured')\n",
    "needs_flask.py": "raise ModuleNotFoundError('No module named flask', name='flask')\n",
    "wrong.py": """
from ordersaga import Service
number, function = 5, lambda: [Service("a")]
names = [Service("a", database="x", group="y"), Service("a")]
groups = [Service("a", group="g"), Service("b", group="g")]
databases = [Service("a", database="d"), Service("b", database="d")]
""",
}
APPLICATIONS = {
    "syntax": "syntax.py:1: SyntaxError",
    "raising": "raising.py:3: RuntimeError: not configured",
    "needs_flask": "pip install 'ordersaga[http]'",
    ":services": "name the module in full",
    ".relative": "name the module in full",
    "wrong:number": "neither a Service nor a list of them",
    "wrong:function": "neither a Service nor a list of them",
    "wrong:names": "2 services have the name 'a'",
    "wrong:groups": "2 services have the group 'g'",
    "wrong:databases": "2 services have the database 'd'",
}


@pytest.mark.parametrize("place", APPLICATIONS)
def test_an_application_that_cannot_be_used_is_refused_with_the_reason(place: str, tmp_path: Path) -> None:
    for name, source in SOURCES.items():
        (tmp_path / name).write_text(source)
    said = run("-m", "ordersaga.cli", "--app", place, "migrate", folder=tmp_path, expect=2)
    assert APPLICATIONS[place] in said


def run(*arguments: str, expect: int, folder: Path = ROOT, variables: Mapping[str, str] | None = None) -> str:
    """What Python said; a traceback fails the test."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}
    command = [sys.executable, *arguments]
    environment |= variables or {}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


APP = ("-m", "ordersaga.cli", "--app", "tests.support.counting")
URL = "postgresql://nobody@127.0.0.1:1/counting"


@pytest.mark.parametrize("command", ["topology", "queues show", f"worker {GROUP}", "relay"])
def test_a_broker_url_that_is_none_is_named_with_exit_code_2(command: str) -> None:
    said = run(*APP, *command.split(), expect=2, variables={"AMQP_URL": "nonsense", DATABASE: URL})
    assert "AMQP_URL" in said
    assert "amqp://user:password@host:port/vhost" in said


@pytest.mark.parametrize("command", ["migrate", "parked list", f"worker {GROUP}", "relay", "reconcile"])
def test_a_database_url_that_is_none_is_named_with_exit_code_2(command: str) -> None:
    broker = "amqp://nobody:x@127.0.0.1:1/none"
    said = run(*APP, *command.split(), expect=2, variables={"AMQP_URL": broker, DATABASE: "nonsense"})
    assert f"{DATABASE} is no URL of a database" in said


@pytest.mark.parametrize("database", ["Books", "book-shop", "2books", "book shop"])
def test_a_database_that_no_variable_can_name_is_refused_when_the_service_is_made(database: str) -> None:
    with pytest.raises(ValueError, match="small letters, digits and _"):
        Service(database)
    assert Service(database, database="books").database == "books"


def test_migrating_as_another_role_or_without_a_server_says_so(counting: Counting, servers: Any) -> None:
    ordersaga = OrdersagaCommand("tests.support.counting", {}, DATABASE)
    said = ordersaga("migrate", url=counting.database.relay_url, expect=1)
    assert "permission denied" in said
    assert f"Is {DATABASE} the URL of its owner?" in said
    assert "Traceback" not in said
    away = ordersaga("migrate", url=servers.postgres.superuser_url("nowhere"), expect=1)
    assert '"nowhere" does not exist' in away
    assert "Traceback" not in away


def test_a_package_that_a_command_lacks_while_it_runs_is_named_with_its_extra() -> None:
    program = "import sys; sys.modules['cryptography'] = None\n"
    program += "from ordersaga.cli.main import main; main(['audit', 'key'])"
    assert "pip install 'ordersaga[audit]'" in run("-c", program, expect=2)


def test_the_usage_of_the_relay_names_the_module_that_was_started() -> None:
    assert run("-m", "ordersaga.relay.daemon", "--help", expect=0).startswith("usage: python -m ordersaga.relay.daemon")
