"""`./ordersaga audit erase`: what it does, says, asks and refuses."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from devstack.cli import main
from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.processes import GROUPS
from devstack.state import ROOT, State
from ordersaga.privacy.erasure import Erasures
from ordersaga.privacy.personal import Sealer
from ordersaga.runtime.settings import url_variable
from tests.conftest import AnyServers
from tests.support.databases import Database, Databases

Run = Callable[..., Result]


@pytest.fixture
def stores(
    servers: AnyServers, database: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, Database]:
    """One database for each group, named in the environment, and a list of erasures."""
    stores = {group: database(group) for group in GROUPS}
    for group, store in stores.items():
        monkeypatch.setenv(url_variable(group), store.owner_url)
    monkeypatch.setenv("AMQP_URL", servers.amqp_url("provisioner"))
    monkeypatch.setenv("ERASURE_LIST", str(tmp_path / "list"))
    return stores


@pytest.fixture
def run(stores: dict[str, Database], tmp_path: Path) -> Run:
    """`run("alice", ...)` as a person would; a result of another exit code than `expect` fails the test."""

    def run(*arguments: str, expect: int = 0, given: str | None = None) -> Result:
        result = CliRunner().invoke(main, ["audit", "erase", "--state", str(tmp_path), *arguments], input=given)
        assert result.exit_code == expect, result.output
        return result

    return run


@pytest.fixture
def sealed(stores: dict[str, Database]) -> dict[str, str]:
    """Data of alice in two databases."""
    return {group: seal(stores[group], "alice") for group in ("order_service", "payment_service")}


def seal(store: Database, subject: str) -> str:
    with store.connect() as connection:
        return Sealer().seal(connection, subject, "test", b"personal")


def unseal(store: Database, subject: str, text: str) -> bytes | None:
    with store.connect() as connection:
        return Sealer().unseal(connection, subject, "test", text)


def erasures(tmp_path: Path) -> list[tuple[str, str, str]]:
    return [(erasure.subject, erasure.actor, erasure.reason) for erasure in Erasures(tmp_path / "list")]


def test_it_erases_in_every_database_and_records_who_and_why(
    stores: dict[str, Database], run: Run, sealed: dict[str, str], tmp_path: Path
) -> None:
    other = seal(stores["order_service"], "bob")
    said = run("alice", "--reason", "asked for it", "--actor", "olga", given="y\n").output
    for text in ("1 in order_service, 1 in payment_service", "0 orders", "pseudonym", "card processor", "backups"):
        assert text in said
    for group, text in sealed.items():
        assert unseal(stores[group], "alice", text) is None
        recorded = "select erased_by, reason from personal_keys where subject = 'alice'"
        assert stores[group].rows(recorded) == [("olga", "asked for it")]
    assert unseal(stores["order_service"], "bob", other) == b"personal"
    assert erasures(tmp_path) == [("alice", "olga", "asked for it")] * 2


@pytest.mark.parametrize("given", ["n\n", ""], ids=["no", "nobody to ask"])
def test_without_a_yes_nothing_is_erased(
    stores: dict[str, Database], run: Run, sealed: dict[str, str], tmp_path: Path, given: str
) -> None:
    assert run("alice", "--reason", "asked for it", given=given, expect=1).output.endswith("Aborted!\n")
    assert all(unseal(stores[group], "alice", text) == b"personal" for group, text in sealed.items())
    assert erasures(tmp_path) == []


def test_for_a_script_it_answers_one_object_and_again_that_there_is_nothing_left(
    run: Run, sealed: dict[str, str], tmp_path: Path
) -> None:
    first, second = (
        json.loads(run("alice", "--reason", "asked for it", "--actor", "olga", "--yes", "--json").stdout)
        for _ in range(2)
    )
    assert (first["subject"], first["orders"], first["erased"].keys()) == ("alice", 0, sealed.keys())
    assert first["erased_before"] == second["erased"] == {}
    assert {name: before["actor"] for name, before in second["erased_before"].items()} == dict.fromkeys(sealed, "olga")
    assert "nothing to do" in run("nobody", "--reason", "asked for it").output
    assert len(erasures(tmp_path)) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("alice",),
        ("alice", "--reason", " "),
        ("alice", "--reason", "x", "--again"),
        ("alice", "--reason", "\x1b[2J"),
    ],
    ids=["nobody", "no reason", "blank reason", "both", "control characters"],
)
def test_it_wants_to_know_whose_data_and_why(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments, expect=2).output.startswith("Usage:")


def bring_back(store: Database) -> None:
    """What restoring a backup from before the erasure does."""
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        owner.execute("alter table personal_keys disable trigger all")
        owner.execute(
            "update personal_keys set key = %s, erased_at = null, erased_by = null, reason = null", (b"k" * 32,)
        )
        owner.execute("alter table personal_keys enable trigger all")


ALIVE = "select subject from personal_keys where key is not null"


def test_after_a_restore_the_listed_keys_are_erased_again(
    stores: dict[str, Database], run: Run, sealed: dict[str, str]
) -> None:
    run("alice", "--reason", "asked for it", "--yes")
    bring_back(stores["order_service"])
    seal(stores["order_service"], "bob")
    assert "order_service: erased again 1 of the keys of alice." in run("--again").output
    assert stores["order_service"].rows(ALIVE) == [("bob",)]
    assert run("--again").output == "No key that the list names has come back.\n"


def test_every_start_erases_again_what_a_backup_brought_back(
    stores: dict[str, Database], run: Run, sealed: dict[str, str], tmp_path: Path
) -> None:
    """The step `migrate` comes before every start."""
    run("alice", "--reason", "asked for it", "--yes")
    bring_back(stores["order_service"])
    done = subprocess.run(
        [sys.executable, "-m", "ordersaga.cli", "--app", "shop", "migrate", "order_service"],
        cwd=ROOT,
        env={**os.environ, url_variable("order_service"): stores["order_service"].owner_url},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "migrated order_service\nerased personal keys of alice in order_service again\n", done.stderr
    assert stores["order_service"].rows(ALIVE) == []


def test_a_list_that_cannot_be_written_is_said_and_nothing_is_erased(
    stores: dict[str, Database], run: Run, sealed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERASURE_LIST", "/nowhere/list")
    said = run("alice", "--reason", "asked for it", "--yes", expect=1).output
    assert "Nothing was erased in order_service: the list of erasures cannot be written" in said
    assert stores["order_service"].rows(ALIVE) == [("alice",)]


def test_a_line_of_the_list_that_was_cut_off_harms_no_other(tmp_path: Path, run: Run, sealed: dict[str, str]) -> None:
    (tmp_path / "list").write_text('{"subject": "bob", "keys": ["0')
    run("alice", "--reason", "asked for it", "--yes", "--actor", "olga")
    assert erasures(tmp_path) == [("alice", "olga", "asked for it")] * 2


def test_starting_afresh_forgets_the_wrapping_key_and_not_who_was_erased(tmp_path: Path) -> None:
    state = State(tmp_path / "state").create()
    with state.locked():
        environments = Environments(state, ExternalServers(), {})
        key = environments.personal_key()
        environments.erasure_list().write_text("{}")
        assert Environments(state, ExternalServers(), {}).personal_key() == key
        state.clear()
        assert environments.erasure_list().read_text() == "{}"
        assert environments.personal_key() != key


def test_keys_in_somebodys_own_database_are_wrapped_only_with_a_key_that_they_keep(tmp_path: Path) -> None:
    theirs = ExternalServers(dict.fromkeys(GROUPS, "postgresql://somewhere/db"))
    state = State(tmp_path / "state").create()
    assert Environments(state, theirs, {}).personal_key() == ""
    assert Environments(state, theirs, {"PERSONAL_KEY_ENCRYPTION_KEY": "theirs"}).personal_key() == "theirs"
    assert Environments(state, ExternalServers(), {"PERSONAL_KEY_ENCRYPTION_KEY": "theirs"}).personal_key() == "theirs"
