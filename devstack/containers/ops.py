"""`python -m devstack.containers.ops`: the operators' commands, on the servers that the environment names."""

import click

from devstack.application import ShopApplication
from ordersaga.cli.main import COMMANDS
from ordersaga.cli.operators_group import OperatorsGroup

LEFT_OUT = ("token", "worker")
"""compose.yaml has services of their own for these."""
TABLE = {name: command for name, command in COMMANDS.items() if name not in LEFT_OUT} | {
    "audit": (
        "projections.commands.audit:audit",
        "Who did what and why; proof that nothing was altered; `audit erase`",
    ),
}
"""The library's commands, and the shop's audit, which knows orders."""


@click.group(
    name="ops",
    cls=OperatorsGroup,
    table=TABLE,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.pass_context
def ops(context: click.Context) -> None:
    """Inspect and operate the shop in the containers.

    \b
    docker compose run --rm ops parked list
    docker compose run --rm ops reconcile

    Exit codes: 0 done, 1 failed, 2 a setting is missing, or wrong usage.
    """
    context.obj = ShopApplication()


if __name__ == "__main__":
    ops(prog_name="ops")
