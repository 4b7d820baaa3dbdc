"""The operators' commands work on an application that is not the shop: `ordersaga --app MODULE:SERVICES ...`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from psycopg import Connection

from ordersaga.privacy.erasure import Erasures
from ordersaga.privacy.personal import Sealer
from tests.support.counting import GROUP, service
from tests.support.ordersaga_command import OrdersagaCommand
from tests.support.parking import actions, fail, receive
from tests.support.relays import RelayProcess, all_published, announce, relays_of
from tests.support.wait import until
from tests.support.workers import ROOT, Counting, counted

WHY = ("--actor", "alice", "--reason", "mended")


DATABASE = f"{GROUP.upper()}_DATABASE_URL"


@pytest.fixture
def ordersaga(counting: Counting, servers: Any) -> OrdersagaCommand:
    """With the rights of the service, and of the provisioner."""
    variables = {DATABASE: counting.database.url, "AMQP_URL": servers.amqp_url("provisioner")}
    return OrdersagaCommand("tests.support.counting:service", variables, DATABASE)


def test_parked_messages_are_listed_tried_edited_retried_and_skipped(
    ordersaga: OrdersagaCommand, counting: Counting, connection: Connection[Any]
) -> None:
    assert ordersaga("parked", "list") == "Nothing is parked.\n"
    first, second, third = fail(counting, connection, uuid4())
    [failure] = json.loads(ordersaga("parked", "list", "--json"))["failures"]
    assert (failure["group"], failure["error"], failure["followers"]) == (GROUP, "ValueError", 2)
    assert json.loads(ordersaga("parked", "show", first.id, "--json"))["followers"] == [str(second.id), str(third.id)]
    assert "+ stored_events" in ordersaga("parked", "dry-run", first.id)
    assert ordersaga("parked", "retry", "--failure", failure["failure"], *WHY) == f"{GROUP}: 1 due now\n"
    assert "1 skipped" in ordersaga("parked", "skip", third.id, *WHY)
    assert [action for action, *_ in actions(counting.database)] == ["retry", "skip"]
    assert "skip by alice: mended" in ordersaga("parked", "actions", third.id)
    advice = "`ordersaga parked list --messages` names those that are."
    assert advice in ordersaga("parked", "show", third.id, expect=1)
    assert f"'nobody' is not one of '{GROUP}'" in ordersaga("parked", "list", "--group", "nobody", expect=2)


def test_relays_run_tell_how_far_they_are_and_publish_again(
    ordersaga: OrdersagaCommand, counting: Counting, servers: Any
) -> None:
    relay_url = counting.database.relay_url
    assert "no relay is active" in ordersaga("relay", "status", "--seconds", "0.1", url=relay_url, expect=1)
    with counting.database.connect() as connection:
        announce(connection, "a", 1, "test.counted.v1")
        refused = announce(connection, "a", 2, "test.nobody_hears.v1")
    with relays_of(counting.database, servers.amqp_url("relay")) as relays:
        ordersaga.variables["AMQP_URL"] = servers.amqp_url("relay")
        leader = RelayProcess(["-m", "ordersaga.cli", "relay"], {**ordersaga.environment, DATABASE: relay_url})
        relays.processes.append(leader)
        relays.wait_for_leader(leader)
        until(lambda: all_published(counting.database))
        found = json.loads(ordersaga("relay", "status", service.name, "--seconds", "0.1", "--json", url=relay_url))
        assert found["databases"][0]["active"]["pid"] == leader.pid
        assert str(refused) in ordersaga("parked", "list", "--messages", "--refused-by", "broker")
        assert "is still parked" in ordersaga("parked", "retry", "--all", "--wait", "1", *WHY, expect=1)
        assert "1 skipped" in ordersaga("parked", "skip", refused, *WHY)
    assert json.loads(ordersaga("relay", "republish", "--json")) == {"announced": {service.name: 0}, "unreadable": []}


def test_databases_are_migrated_and_queues_declared(ordersaga: OrdersagaCommand, counting: Counting) -> None:
    assert ordersaga("migrate", url=counting.database.owner_url) == f"migrated {GROUP}\n"
    assert "declared 3 queues" in ordersaga("topology")


def signing_key() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_events_are_exported_and_verified_against_what_was_sealed(
    ordersaga: OrdersagaCommand, counting: Counting, connection: Connection[Any], tmp_path: Path
) -> None:
    log = tmp_path / "audit"
    ordersaga.variables |= {"AUDIT_SIGNING_KEY": signing_key(), "AUDIT_CHECKPOINTS": str(log)}
    assert "has been sealed into" in ordersaga("audit", "verify", url=counting.database.owner_url, expect=1)
    receive(connection, counted(uuid4(), 1), counted(uuid4(), 1))
    variables = {**ordersaga.environment, DATABASE: counting.database.auditor_url, "AUDIT_SEAL_SECONDS": "0.2"}
    command = [sys.executable, "-m", "ordersaga.cli", "audit", "seal"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}) as sealer:
        until(lambda: (log / f"{GROUP}.leaves").exists() and (log / f"{GROUP}.leaves").read_bytes().count(b"\n") == 4)
        sealer.terminate()
    key, exported = ordersaga("audit", "key").strip(), tmp_path / "export.jsonl"
    owner = counting.database.owner_url
    assert "Clean" in ordersaga("audit", "verify", url=owner)
    ordersaga("audit", "export", "-o", exported, url=owner)
    assert "4 sealed" in ordersaga("audit", "verify", "--export", exported, "--key", key)
    exported.write_text(exported.read_text().replace('"actor":"tester"', '"actor":"mallory"', 1))
    assert "edited in" in ordersaga("audit", "verify", "--export", exported, expect=1)


def test_an_aggregate_is_shown_as_it_was(
    ordersaga: OrdersagaCommand, counting: Counting, connection: Connection[Any]
) -> None:
    counter = uuid4()
    receive(connection, counted(counter, 1), counted(counter, 2))
    found = json.loads(ordersaga("audit", "state", service.name, counter, "--as-of", "2", "--json"))
    assert found == {"recorded": {"version": 2, "numbers": [1]}}
    nothing = ordersaga("audit", "state", service.name, uuid4(), "--as-of", "2030-01-01", expect=1)
    assert "There was nothing of" in nothing


def test_personal_data_is_erased_listed_and_erased_again(
    ordersaga: OrdersagaCommand, counting: Counting, connection: Connection[Any], tmp_path: Path
) -> None:
    ordersaga.variables["ERASURE_LIST"] = str(tmp_path / "erasures")
    Sealer().seal(connection, "ada", "test", b"personal")
    owner = counting.database.owner_url
    said = ordersaga("audit", "erase", "ada", "--yes", *WHY, url=owner)
    assert said.startswith(f"{GROUP}: erased 1 of the keys of ada.")
    assert "erased again by `ordersaga audit erase --again`" in said
    assert [erasure.subject for erasure in Erasures(tmp_path / "erasures")] == ["ada"]
    assert ordersaga("audit", "erase", "--again", url=owner) == "No key that the list names has come back.\n"


def test_a_token_is_signed_with_the_private_key_of_the_environment(ordersaga: OrdersagaCommand) -> None:
    private_key = signing_key()
    ordersaga.variables["TOKEN_PRIVATE_KEY"] = private_key
    printed = ordersaga("token", "--role", "operator", "--subject", "ada").strip()
    public_key = load_pem_private_key(private_key.encode(), None).public_key()
    claims = jwt.decode(printed, public_key, ["EdDSA"], audience="ordersaga", issuer="ordersaga")  # type: ignore[arg-type]
    assert (claims["role"], claims["sub"], claims["exp"] - claims["iat"]) == ("operator", "ada", 12 * 3600)


def test_what_is_missing_is_named_with_exit_code_2(ordersaga: OrdersagaCommand) -> None:
    ordersaga.variables["AMQP_URL"] = ""
    assert "AMQP_URL is not set" in ordersaga("topology", expect=2)
    assert "AUDIT_SIGNING_KEY is" in ordersaga("audit", "key", expect=2)
    assert "AUDIT_CHECKPOINTS is not set" in ordersaga("audit", "export", expect=2)
    assert "TOKEN_PRIVATE_KEY is not set" in ordersaga("token", "--role", "operator", "--subject", "ada", expect=2)
    assert "Say which services: --app" in ordersaga("--app", "", "parked", "list", expect=2)
    assert "No module named 'tests.nowhere'" in ordersaga("--app", "tests.nowhere", "parked", "list", expect=2)
