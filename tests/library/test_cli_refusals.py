"""What a person did wrong is said in a sentence with its exit code, never by a traceback."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ordersaga import Service
from ordersaga.cli.app import Application
from ordersaga.cli.main import main
from ordersaga.readside.read_side import ReadSide
from ordersaga.runtime.settings import MissingSetting, chosen_databases
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
def test_an_application_that_cannot_be_used_is_refused_with_the_reason(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, source in SOURCES.items():
        (tmp_path / name).write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert APPLICATIONS[place] in said_by("--app", place, "migrate", expect=2)
    sys.modules.pop("wrong", None)


def said_by(
    *arguments: str, expect: int, variables: Mapping[str, str] | None = None, services: Sequence[Service] | None = None
) -> str:
    """What a command said; another exit code, or an error that is not said, fails the test."""
    application = Application(lambda: services) if services else None
    done = CliRunner().invoke(main, arguments, obj=application, env=variables, prog_name="ordersaga")
    assert done.exit_code == expect, done.output
    assert isinstance(done.exception, SystemExit | None)
    return done.output


def run(*arguments: str, expect: int, folder: Path = ROOT, variables: Mapping[str, str] | None = None) -> str:
    """What Python said; a traceback fails the test."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}
    command = [sys.executable, *arguments]
    environment |= variables or {}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


APP = ("--app", "tests.support.counting")
URL = "postgresql://nobody@127.0.0.1:1/counting"


@pytest.mark.parametrize("command", ["topology", "queues show", f"worker {GROUP}", "relay"])
def test_a_broker_url_that_is_none_is_named_with_exit_code_2(command: str) -> None:
    said = said_by(*APP, *command.split(), expect=2, variables={"AMQP_URL": "nonsense", DATABASE: URL})
    assert "AMQP_URL" in said
    assert "amqp://user:password@host:port/vhost" in said


@pytest.mark.parametrize("command", ["migrate", "parked list", f"worker {GROUP}", "relay", "reconcile"])
def test_a_database_url_that_is_none_is_named_with_exit_code_2(command: str) -> None:
    broker = "amqp://nobody:x@127.0.0.1:1/none"
    said = said_by(*APP, *command.split(), expect=2, variables={"AMQP_URL": broker, DATABASE: "nonsense"})
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


def test_the_sealer_names_the_extra_that_it_lacks() -> None:
    program = "import runpy, sys; sys.modules['cryptography'] = None; sys.argv[1:] = []\n"
    program += "runpy.run_module('ordersaga.audit', run_name='__main__')"
    assert "pip install 'ordersaga[audit]'" in run("-c", program, expect=2)


URLS = {
    "A_DATABASE_URL": "postgresql://a:x@127.0.0.1:1/shop",
    "B_DATABASE_URL": "postgresql://b@localhost:1/shop?application_name=b",
    "AMQP_URL": "amqp://nobody:x@127.0.0.1:1/none",
    "AUDIT_CHECKPOINTS": "/nowhere",
}


@pytest.mark.parametrize("command", ["migrate a", "relay", "reconcile", "audit seal"])
def test_two_services_with_one_database_are_refused_whatever_user_and_spelling_their_urls_have(command: str) -> None:
    said = said_by(*command.split(), expect=2, variables=URLS, services=(Service("a"), Service("b")))
    assert "A_DATABASE_URL and B_DATABASE_URL are URLs of one database. Give each service its own" in said


def test_the_sealer_of_an_application_leaves_out_the_read_side_which_records_no_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sealed: list[str] = []

    def serve(urls: Mapping[str, str], *_: object) -> int:
        sealed.extend(urls)
        return 0

    monkeypatch.setattr("ordersaga.audit.daemon.serve", serve)
    services = Service("a"), ReadSide("b", (), {}, {})
    variables = {**URLS, "B_DATABASE_URL": "postgresql://b@127.0.0.1:1/b", SIGNING_KEY: private_key()}
    said_by("audit", "seal", expect=0, variables=variables, services=services)
    assert sealed == ["a"]


@pytest.mark.parametrize(("url", "said"), [("host=127.0.0.1 port=1 dbname=shop", "one database"), ("?", "no URL")])
def test_the_databases_of_the_environment_are_checked_as_those_of_an_application_are(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (URLS | {"B_DATABASE_URL": url}).items():
        monkeypatch.setenv(name, text)
    assert chosen_databases(["a"], "seal", "--help") == {"a": URLS["A_DATABASE_URL"]}
    with pytest.raises(MissingSetting) as wrong:
        chosen_databases(["a", "b"], "seal", "--help")
    assert said in str(wrong.value)


@pytest.mark.parametrize("key", ["nonsense", "/nowhere/key", "a+b", "a+b+c", "x" * 5000, "."])
def test_a_verifier_key_that_is_none_is_said_to_be_none(key: str) -> None:
    said = said_by(*APP, "audit", "verify", "--key", key, expect=1, variables={DATABASE: URL})
    assert "is neither a verifier key (NAME+ID+KEY) nor a file with one" in said
    assert "`ordersaga audit key` prints it" in said
    assert "Errno" not in said


SIGNING_KEY = "AUDIT_SIGNING_KEY"
BEGIN = "-----BEGIN PRIVATE KEY-----"


@pytest.mark.parametrize("key", ["nonsense", f"{BEGIN}\nMC4C\n-----END PRIVATE KEY-----\n", "password", "rsa"])
def test_a_private_key_that_is_none_is_named_with_its_variable(key: str) -> None:
    text = {"password": private_key(b"secret"), "rsa": rsa_key()}.get(key, key)
    arguments = ("token", "--role", "operator", "--subject", "ada")
    said = said_by(*APP, *arguments, expect=2, variables={"TOKEN_PRIVATE_KEY": text})
    assert "TOKEN_PRIVATE_KEY cannot be used: tokens are signed with an Ed25519 private key in PEM" in said
    variables = {"AUDIT_SIGNING_KEY": text, "AUDIT_CHECKPOINTS": "/nowhere", DATABASE: URL}
    assert "AUDIT_SIGNING_KEY is" in said_by(*APP, "audit", "seal", expect=2, variables=variables)


def test_a_private_key_may_be_written_on_one_line_as_environment_files_need_it() -> None:
    text = private_key().replace("\n", r"\n")
    for command, variable in (("token --role operator --subject ada", "TOKEN_PRIVATE_KEY"), ("audit key", SIGNING_KEY)):
        done = CliRunner().invoke(main, [*APP, *command.split()], env={variable: text})
        assert done.exit_code == 0, done.output


def private_key(password: bytes = b"") -> str:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


def rsa_key() -> str:
    key = rsa.generate_private_key(65537, 1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_the_usage_of_the_relay_names_the_module_that_was_started() -> None:
    assert run("-m", "ordersaga.relay.daemon", "--help", expect=0).startswith("usage: python -m ordersaga.relay.daemon")
