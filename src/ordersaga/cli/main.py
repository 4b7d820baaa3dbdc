"""The command line of an application: `ordersaga --app MODULE:SERVICES COMMAND`."""

from functools import partial
from typing import Any

import click

from ordersaga import __version__
from ordersaga.cli.app import Application, services_of
from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.lazy_group import LazyGroup
from ordersaga.runtime.settings import MissingSetting

COMMANDS = {
    "migrate": ("ordersaga.cli.migrate:migrate", "Bring the databases up to date and grant what the roles need"),
    "topology": ("ordersaga.cli.topology:topology", "Declare exchanges, queues and bindings on the broker"),
    "worker": ("ordersaga.cli.worker:worker", "Take the messages of one service, until Ctrl-C"),
}


class Commands(LazyGroup):
    """What is missing in the environment ends a command with its sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MissingSetting as missing:
            raise CannotRunHere(str(missing)) from None


@click.group(
    cls=Commands,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--app",
    envvar="ORDERSAGA_APP",
    metavar="MODULE:ATTRIBUTE",
    help="Where the services are: a Service, or a list of them.  [environment: ORDERSAGA_APP]",
)
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context, app: str | None) -> None:
    """Run and operate services that announce through an outbox and receive through an inbox.

    The servers are those of the environment: <DATABASE>_DATABASE_URL for each service, and AMQP_URL.
    Exit codes: 0 done, 1 failed, 2 something must be set first, or wrong usage.
    """
    context.obj = context.obj or Application(partial(services_of, app))
