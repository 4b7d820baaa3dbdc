"""The image holds every package and nothing else, and its scripts do what compose.yaml relies on."""

import os
import subprocess
import tomllib
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from devstack.children import python
from devstack.records import Records
from devstack.servers.postgres import Postgres, binaries
from devstack.state import IMPORT_PATH, ROOT, State
from ordersaga.audit.note import Signer
from ordersaga.database.migrate import migrate
from ordersaga.http.tokens import public_key
from tests.shop.support.compose import compose
from tests.support.databases import SCHEMAS

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
INSTRUCTIONS = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and line[0] != "#"]
LET_IN = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
IMPORTED = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"])
FOLDERS = {"src" if (ROOT / "src" / package).exists() else package for package in IMPORTED}


def test_the_image_takes_every_package_and_no_other_file_than_it_needs() -> None:
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    assert {"requirements.lock", "docker/entrypoint.sh", "docker/keys.py", *FOLDERS} == LET_IN
    assert all((ROOT / name).exists() for name in LET_IN)
    assert ["COPY", ". ."] in INSTRUCTIONS


def test_the_image_installs_the_lock_with_every_hash_checked() -> None:
    [install] = [text for name, text in INSTRUCTIONS if name == "RUN" and "pip install" in text]
    assert "--require-hashes -r requirements.lock" in install


def test_the_image_runs_as_an_unprivileged_user_that_owns_what_becomes_a_volume() -> None:
    users = [text for name, text in INSTRUCTIONS if name == "USER"]
    assert users == ["10001"]
    [made] = [text for name, text in INSTRUCTIONS if name == "RUN" and "useradd" in text]
    services = compose({})["services"].values()
    own = [volume for service in services if service["image"] == "ordersaga" for volume in service.get("volumes", [])]
    assert f"--uid {users[-1]}" in made
    assert {volume.split(":")[1] for volume in own} <= set(made.split())


def test_the_entrypoint_reads_variables_from_files_and_becomes_the_command(tmp_path: Path) -> None:
    key, url = tmp_path / "key", tmp_path / "url"
    key.write_text("two\nlines $HOME\n")
    url.write_text("postgresql://somebody:a b@somewhere/else\n")
    files = {"TOKEN_PUBLIC_KEY_FILE": key, "ORDER_SERVICE_DATABASE_URL_FILE": url, "SSL_CERT_FILE": key}
    assert entrypoint(files, "printenv", "TOKEN_PUBLIC_KEY").stdout == key.read_text()
    assert entrypoint(files, "printenv", "ORDER_SERVICE_DATABASE_URL").stdout == url.read_text()
    assert entrypoint(files, "printenv", "SSL_CERT").stdout == ""


def test_a_missing_file_stops_the_container_instead_of_starting_it_without_its_secret() -> None:
    done = entrypoint({"AMQP_URL_FILE": Path("/nowhere")}, "echo", "started")
    assert done.returncode != 0
    assert done.stdout == ""


def entrypoint(files: Mapping[str, Path], *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **{name: str(file) for name, file in files.items()}}
    script = str(ROOT / "docker" / "entrypoint.sh")
    return subprocess.run(["sh", script, *command], env=environment, capture_output=True, text=True)


def test_the_key_pair_is_made_once_and_split(tmp_path: Path) -> None:
    folders = _, verification, personal, sealing, webhooks, broker = tuple(
        tmp_path / name for name in ("signing", "verification", "personal", "sealing", "webhooks", "broker")
    )
    for folder in (verification, personal, webhooks, broker):
        folder.mkdir()
    made, cookies = [], set()
    for _ in range(2):
        command = [*python(), str(ROOT / "docker" / "keys.py"), *map(str, folders)]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": IMPORT_PATH}, check=True)
        [file] = verification.iterdir()
        [personal_key] = personal.iterdir()
        [webhook_key] = webhooks.iterdir()
        cookies.add((broker / "erlang_cookie").read_text())
        made.append((file.read_text(), personal_key.read_text(), webhook_key.read_text()))
    assert public_key(made[0][0])
    assert made[0] == made[1]
    assert "PRIVATE" not in made[0][0]
    assert [len(urlsafe_b64decode(key + "=")) for key in made[0][1:]] == [32, 32]
    assert made[0][1] != made[0][2]
    assert [len(cookie) for cookie in cookies] == [43]
    assert (broker / "erlang_cookie").stat().st_mode & 0o444 == 0o444
    assert Signer.from_pem((sealing / "audit_private_key.pem").read_text())
    assert not (sealing / "token_private_key.pem").exists()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Postgres]:
    """A Postgres as new as the one in a container: no roles, one database."""
    state = State(tmp_path / "state").create()
    postgres = Postgres(state, Records(state))
    postgres.start()
    try:
        with psycopg.connect(postgres.superuser_url(), autocommit=True) as connection:
            connection.execute("create database order_service")
        yield postgres
    finally:
        postgres.stop()


def test_a_new_container_has_the_roles_that_migrations_grant_to(new_server: Postgres) -> None:
    passwords = {"SERVICE_PASSWORD": "it's-secret", "RELAY_PASSWORD": "another", "AUDITOR_PASSWORD": "a third"}
    owner = new_server.superuser_url("order_service")
    script = str(ROOT / "docker" / "roles.sql")
    subprocess.run(
        [binaries() / "psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", owner, "-f", script],
        env={**os.environ, **passwords, "POSTGRES_DB": "order_service"},
        check=True,
    )
    migrate(SCHEMAS["order_service"], owner)
    with sign_in(new_server, "order_service", passwords["SERVICE_PASSWORD"]) as service:
        assert service.execute("select count(*) from stored_events").fetchone() == (0,)
    with sign_in(new_server, "relay", passwords["RELAY_PASSWORD"]) as relay:
        assert relay.execute("select count(*) from outbox").fetchone() == (0,)
        with pytest.raises(InsufficientPrivilege):
            relay.execute("select count(*) from stored_events")
    with sign_in(new_server, "auditor", passwords["AUDITOR_PASSWORD"]) as auditor:
        assert auditor.execute("select count(*) from stored_events").fetchone() == (0,)
        with pytest.raises(InsufficientPrivilege):
            auditor.execute("delete from outbox")


def sign_in(server: Postgres, user: str, password: str) -> psycopg.Connection[Any]:
    address = make_conninfo(host="127.0.0.1", port=server.port, dbname="order_service", user=user, password=password)
    return psycopg.connect(address)
