"""The command line as a person and a shell meet it: versions, mistyped names, completion."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from devstack import processes
from devstack.cli import main as launcher
from devstack.state import IMPORT_PATH, ROOT
from ordersaga import __version__
from ordersaga.cli.completion import BASH, FISH, VARIABLE, ZSH
from ordersaga.cli.main import main as library
from ordersaga.cli.options import Moment

SERVICES = list(processes.SERVICES)


@pytest.mark.parametrize("program", [launcher, library], ids=["./ordersaga", "ordersaga"])
def test_the_version_names_the_library_and_python(program: click.Command) -> None:
    said = CliRunner().invoke(program, ["--version"])
    assert said.exit_code == 0
    assert said.stdout.startswith(f"ordersaga {__version__}, Python {sys.version.split()[0]}")


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
def test_the_version_of_a_checkout_names_its_commit() -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    said = CliRunner().invoke(launcher, ["--version"]).stdout
    assert commit.startswith(said.partition("revision ")[2].split()[0])


@pytest.mark.parametrize(
    ("program", "arguments", "meant"),
    [
        (launcher, "statuz", "'status'"),
        (launcher, "parked lits", "'list'"),
        (launcher, "audit veriffy", "'verify'"),
        (launcher, "logs --folow", "'--follow'"),
        (launcher, "pause order_servic --reason x", "'order_service'"),
        (launcher, "parked list --group projection", "'projections'"),
        (launcher, "queues show --group inventory_servce", "'inventory_service'"),
        (launcher, "relay statsu", "'status'"),
        (launcher, "migrate payment_servise", "'payment_service'"),
        (launcher, "psql inventory", "'inventory_service'"),
        (launcher, "open parkd", "'parked'"),
        (launcher, "audit trail --type orders.order_place.v1", "'orders.order_placed.v1'"),
        (library, "worke order_service", "'worker'"),
        (library, "--app shop:services worker order_servic", "'order_service'"),
    ],
)
def test_a_mistyped_name_is_told_which_was_meant_with_exit_code_2(
    program: click.Command, arguments: str, meant: str
) -> None:
    said = CliRunner().invoke(program, arguments.split())
    assert said.exit_code == 2
    [sentence] = [line for line in said.stderr.splitlines() if line.startswith("Error: ")]
    assert "Did you mean" in sentence
    assert meant in sentence.partition("Did you mean")[2]


def options_of(command: click.Command, context: click.Context) -> Iterator[click.Parameter]:
    """The options of a command, or of all commands of a group."""
    yield from command.params
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if found := command.get_command(context, name):
                yield from options_of(found, click.Context(found, parent=context))


def test_every_since_says_that_it_takes_a_time_or_an_age() -> None:
    found = [option for option in options_of(launcher, click.Context(launcher)) if option.name == "since"]
    assert len(found) >= 5
    for option in found:
        assert isinstance(option, click.Option)
        assert isinstance(option.type, Moment)
        assert "(ISO 8601, or an age such as 5m)" in (option.help or "")


def completed(program: click.Command, line: str) -> list[str]:
    """What a shell is offered for the last word of the line."""
    *words, incomplete = line.split(" ")
    found = BashComplete(program, {}, "ordersaga", VARIABLE).get_completions(words, incomplete)
    return [item.value for item in found]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("stat", ["status"]),
        ("parked edi", ["edit"]),
        ("relay rep", ["republish"]),
        ("token --role ", ["customer", "operator", "auditor"]),
        ("pause ", [*SERVICES, "projections"]),
        ("relay run ", SERVICES),
        ("parked list --group pro", ["projections"]),
        ("logs orders-", ["orders-api", "orders-worker", "orders-relay"]),
        ("logs orders-api --gr", ["--grep"]),
        ("pause order_service --rea", ["--reason"]),
        ("open or", ["orders", "orders-api"]),
        ("audit trail --type orders.order_pl", ["orders.order_placed.v1"]),
    ],
)
def test_commands_options_and_names_are_completed(line: str, offered: list[str], tmp_path: Path) -> None:
    *words, last = line.split(" ")
    assert completed(launcher, " ".join([*words, last])) == offered


def test_the_names_of_services_are_completed_without_importing_one() -> None:
    code = f"""
import sys
from click.shell_completion import BashComplete
from devstack.cli import main
found = BashComplete(main, {{}}, "ordersaga", "{VARIABLE}").get_completions(["pause"], "")
print(len(found), "shop" in sys.modules, "order_service" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": IMPORT_PATH}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(len(SERVICES) + 1), "False", "False"]


def test_an_application_that_cannot_be_imported_completes_nothing_and_says_nothing() -> None:
    assert completed(library, "--app shop:services pause or") == ["order_service"]
    assert completed(library, "--app nowhere:services pause or") == []


def test_bash_completes_the_program_that_was_typed(tmp_path: Path) -> None:
    program = tmp_path / "ordersaga"
    program.write_text(f"#!/bin/sh\nPYTHONPATH={IMPORT_PATH} exec {sys.executable} -P -m devstack\n")
    program.chmod(0o755)
    asked = f"""{BASH}
COMP_WORDS=(./ordersaga stat) COMP_CWORD=1
_ordersaga ./ordersaga stat ./ordersaga
echo "${{COMPREPLY[@]}}"
complete -p ./ordersaga
"""
    done = subprocess.run(["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "status"
    assert "_ordersaga ./ordersaga" in done.stdout.splitlines()[1]


@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
@pytest.mark.parametrize("program", [launcher, library], ids=["./ordersaga", "ordersaga"])
def test_each_shell_gets_its_script_and_the_help_says_where_to_put_it(
    program: click.Command, shell: str, script: str
) -> None:
    said = CliRunner().invoke(program, ["completion", shell])
    assert said.stdout == script
    assert f"{shell}_complete" in script
    help_page = CliRunner().invoke(program, ["completion", "--help"], prog_name=program.name).stdout
    assert f"{program.name} completion {shell}" in help_page


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_the_help_puts_the_script_there_also_for_who_has_no_completions_yet(shell: str, tmp_path: Path) -> None:
    page = CliRunner().invoke(launcher, ["completion", "--help"], prog_name="echo").stdout
    made, put = [line.strip() for line in page.split(f"{shell}  mkdir")[1].splitlines()[:2]]
    subprocess.run(["sh", "-euc", f"mkdir {made}; {put}"], env={"HOME": str(tmp_path), "PATH": os.defpath}, check=True)
    (written,) = (path for path in tmp_path.rglob("ordersaga*") if path.is_file())
    assert written.read_text() == f"completion {shell}\n"


def test_while_a_shell_completes_the_launcher_installs_nothing(tmp_path: Path) -> None:
    for name in ("ordersaga", "requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, str(tmp_path / "ordersaga")]
    done = subprocess.run(command, env={VARIABLE: "bash_complete"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / ".venv").exists()
