"""The operators' commands in containers are those of the library and of the shop, on the servers of the environment."""

import pytest
from click.testing import CliRunner

from devstack.containers.ops import ops
from ordersaga.cli.main import COMMANDS


def said(*arguments: str, expect: int = 0) -> str:
    done = CliRunner().invoke(ops, arguments)
    assert done.exit_code == expect, done.output
    return done.output


def test_an_operator_finds_every_command_that_needs_no_key_of_tokens_and_does_not_stay() -> None:
    listed = said("--help")
    assert all(f"  {name} " in listed for name in COMMANDS.keys() - {"token", "worker"})


@pytest.mark.parametrize("command", ["trail", "state", "export", "verify", "erase"])
def test_the_audit_knows_orders(command: str) -> None:
    assert "Usage" in said("audit", command, "--help")


def test_a_server_that_is_not_named_is_said_with_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORDER_SERVICE", "PAYMENT_SERVICE", "INVENTORY_SERVICE", "PROJECTIONS"):
        monkeypatch.delenv(f"{name}_DATABASE_URL", raising=False)
    assert "_DATABASE_URL is not set" in said("reconcile", expect=2)
