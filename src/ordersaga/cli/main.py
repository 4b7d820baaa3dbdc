"""The command line of an application: `ordersaga --app MODULE:SERVICES COMMAND`."""

import sys
from functools import partial

import click

from ordersaga import __version__
from ordersaga.cli.operators_group import OperatorsGroup

COMMANDS = {
    "migrate": ("ordersaga.cli.migrate:migrate", "Bring the databases up to date and grant what the roles need"),
    "topology": ("ordersaga.cli.topology:topology", "Declare exchanges, queues and bindings on the broker"),
    "relay": (
        "ordersaga.cli.relay.command:relay",
        "Publish what services announce; `relay status | republish`",
    ),
    "parked": (
        "ordersaga.cli.parked.command:parked",
        "Show refused messages; note, hold, retry, dry-run, edit or skip them",
    ),
    "pause": ("ordersaga.cli.pause:pause", "Stop the workers of a service from receiving, until `resume`"),
    "resume": ("ordersaga.cli.pause:resume", "Let the workers of a paused service receive again"),
    "snapshots": (
        "ordersaga.cli.snapshots:snapshots",
        "Compare snapshots of aggregates with their events, or drop them",
    ),
    "queues": ("ordersaga.cli.queues:queues", "Show the queues of each group, or change how many there are"),
    "contracts": (
        "ordersaga.cli.contracts.command:contracts",
        "Describe the contracts as AsyncAPI and JSON Schemas; `contracts check`",
    ),
    "seed": ("ordersaga.cli.seed:seed", "Give a consumer group that was added later the history of its contracts"),
    "reconcile": ("ordersaga.cli.reconcile:reconcile", "Name every message that is not where it must be"),
    "doctor": ("ordersaga.cli.doctor:doctor", "Name what stalls a running application, and what to do"),
    "projections": (
        "ordersaga.cli.projections.command:projections",
        "Rebuild the read side from the event stores, or say how far it is",
    ),
    "webhooks": (
        "ordersaga.cli.webhooks.command:webhooks",
        "Send messages and alarms to other systems, signed; `webhooks run`",
    ),
    "audit": ("ordersaga.cli.audit.command:audit", "Prove that nothing was altered; old states; `audit erase`"),
    "token": ("ordersaga.cli.token:token", "Print a bearer token for trying the endpoints"),
    "worker": ("ordersaga.cli.worker:worker", "Receive the messages of one service, until Ctrl-C"),
    "completion": ("ordersaga.cli.completion:completion", "Print the script that completes commands in a shell"),
}
PYTHON = f"Python {sys.version.split()[0]}"


@click.group(
    name="ordersaga",
    cls=OperatorsGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--app",
    envvar="ORDERSAGA_APP",
    metavar="MODULE:ATTRIBUTE",
    help="The services: a Service, or a list of them.  [environment: ORDERSAGA_APP]",
)
@click.version_option(__version__, prog_name="ordersaga", message=f"%(prog)s %(version)s, {PYTHON}")
@click.pass_context
def main(context: click.Context, app: str | None) -> None:
    """Run and operate services that announce through an outbox and receive through an inbox.

    The servers are those of the environment: <DATABASE>_DATABASE_URL for each service, and AMQP_URL.
    Exit codes: 0 done, 1 failed, 2 something must be set first, or wrong usage.
    """
    from ordersaga.cli.app import Application
    from ordersaga.cli.loading import services_of

    context.obj = context.obj or Application(partial(services_of, app))
