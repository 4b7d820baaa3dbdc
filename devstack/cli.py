"""The command line: which commands there are, in groups."""

import click

from devstack.version import version_option
from ordersaga.cli.operators_group import OperatorsGroup

COMMANDS = {
    "Run it": {
        "demo": ("devstack.demo.command:demo", "Start everything, place 65 orders, watch them end, check the books"),
        "up": ("devstack.up:up", "Start everything and keep it running until Ctrl-C"),
        "down": ("devstack.down:down", "Stop it from another terminal"),
        "break": ("devstack.breaking.command:break_", "Cause a failure on purpose, and watch how it heals"),
        "chaos": ("devstack.chaos.command:chaos", "Harm a stack of its own under load, heal it, and check what it did"),
    },
    "Look at it": {
        "status": ("devstack.status:status", "List the processes; exit code 0 when every one is ready"),
        "logs": ("devstack.logs.command:logs", "Show what the processes have said"),
        "reconcile": ("ordersaga.cli.reconcile:reconcile", "Name every message that is not where it must be"),
        "audit": (
            "projections.commands.audit:audit",
            "Who did what and why; proof that nothing was altered; `audit erase`",
        ),
        "incident": (
            "devstack.incident.command:incident",
            "Write the history of an order as a pytest that replays it, without personal data",
        ),
        "prometheus": ("devstack.prometheus:prometheus", "Print a configuration of Prometheus, with the alert rules"),
        "contracts": (
            "ordersaga.cli.contracts.command:contracts",
            "Describe the contracts as AsyncAPI and JSON Schemas; `contracts check`",
        ),
        "doctor": ("devstack.doctor:doctor", "Say what this machine has and lacks, and what stalls a running stack"),
    },
    "Use it": {
        "open": ("devstack.open:open_", "Open the dashboard in the browser, signed in"),
        "env": ("devstack.env:env", "Print addresses and tokens as variables of a shell"),
        "token": ("devstack.token:token", "Print a bearer token to call the services with"),
        "psql": ("devstack.psql:psql", "Open psql on the database of a service, read-only"),
        "completion": ("ordersaga.cli.completion:completion", "Print the script that completes commands in a shell"),
    },
    "Operate it": {
        "parked": (
            "ordersaga.cli.parked.command:parked",
            "Show refused messages; note, hold, retry, dry-run, edit or skip them",
        ),
        "pause": ("ordersaga.cli.pause:pause", "Stop the workers of a service from receiving, until `resume`"),
        "resume": ("ordersaga.cli.pause:resume", "Let the workers of a paused service receive again"),
        "webhooks": (
            "ordersaga.cli.webhooks.command:webhooks",
            "Send messages and alarms to other systems, signed",
        ),
        "projections": (
            "ordersaga.cli.projections.command:projections",
            "Rebuild the read side from the event stores, or say how far it is",
        ),
        "migrate": ("ordersaga.cli.migrate:migrate", "Bring the database schemas up to date"),
        "snapshots": (
            "ordersaga.cli.snapshots:snapshots",
            "Compare snapshots of aggregates with their events, or drop them",
        ),
        "queues": ("ordersaga.cli.queues:queues", "Show the queues of each group, or change how many there are"),
        "seed": ("ordersaga.cli.seed:seed", "Give a consumer group that was added later the history of its contracts"),
        "topology": ("ordersaga.cli.topology:topology", "Declare exchanges and queues on the broker"),
        "relay": (
            "ordersaga.cli.relay.command:relay",
            "Run a relay; `relay status | republish`",
        ),
    },
}
ALL = {name: command for group in COMMANDS.values() for name, command in group.items()}

EXAMPLE = """
  ./ordersaga up                    # servers, migrations, services: about 15 s; prints every address
  ./ordersaga status                # in a second terminal: who runs, on which port, is it ready
  ./ordersaga logs -f orders-relay  # watch one process
  ./ordersaga down                  # stop; the data stays for the next `up`, `up --fresh` deletes it
  ./ordersaga up --state /tmp/two   # a second stack beside the first
"""

ENVIRONMENT = """
  ORDERSAGA_STATE           the state directory, as --state (default: .ordersaga beside this program)
  ORDER_SERVICE_DATABASE_URL, PAYMENT_SERVICE_DATABASE_URL, INVENTORY_SERVICE_DATABASE_URL,
  PROJECTIONS_DATABASE_URL  use your own Postgres: set all four
  AMQP_URL                  use your own RabbitMQ; of a cluster, the URLs of its nodes with commas between them
  QUEUES_PER_GROUP          queues of each new group: 1, 2, 4, 8 or 16 (default 2); then `queues set`
  GROUPS_TO_SEED            new groups that receive nothing before `seed` has given them history
  BROKER_METRICS_URL        of your own RabbitMQ's plugin rabbitmq_prometheus, for the dashboard
  ORDER_DEADLINE_SECONDS    after which an unfinished order is cancelled (default 900)
  SAGA_LATENCY_LIMIT_SECONDS    orders are refused while those under way take longer (default 3)
  OPEN_SAGAS_LIMIT          orders are refused while so many are under way, for whatever reason (default 100000)
  ALARM_RELAY_LAG_SECONDS   a relay that is further behind is an alarm (default 10)
  ALARM_WAITING_MESSAGES    more messages that wait for one group are an alarm (default 1000) ...
  ALARM_WAITING_SECONDS     ... if its workers need more than this for them (default 30)
  RELAY_RETENTION_HOURS     published rows older than this leave the outboxes (default 24)
  INBOX_RETENTION_DAYS      for which received messages and answered requests are kept (default 30)
  RELAY_MAX_MESSAGE_BYTES   larger messages are kept as undeliverable (default 16777216)
  PERSONAL_KEY_ENCRYPTION_KEY   wraps the keys of personal data: 32 bytes in base64 (default: the state directory
                            keeps one; with your own Postgres none)
  ERASURE_LIST              lists erased personal data (default: erasures.jsonl in the state directory)
  WEBHOOK_SECRETS_KEY       seals the secrets of webhooks: 32 bytes in base64 (default: as the key above)
  WEBHOOK_ALLOW             hosts and networks outside the internet that webhooks may be sent to (default: none)
  WEBHOOK_HTTP              true: webhooks may be sent over http:// too
  WEBHOOK_DASHBOARD_URL     where people reach the dashboard, for the links in webhooks about alarms
  WEBHOOK_TIMEOUT_SECONDS, WEBHOOK_RETENTION_DAYS   of an attempt (default 15); of ended deliveries (default 30)
  AUDIT_SEAL_SECONDS        between two windows of events that are sealed and signed (default 5)
  LOCK_TIMEOUT_SECONDS, STATEMENT_TIMEOUT_SECONDS, IDLE_IN_TRANSACTION_TIMEOUT_SECONDS
                            of workers and APIs in Postgres (default 10, 30, 5; APIs 7, 10, 5)
  HTTP_READ_SECONDS         in which an API must have received a whole request (default 10)
  LOG_LEVEL, LOG_FORMAT     DEBUG to ERROR (default INFO); console or json (default console)
  TRACE_URL                 address of one trace in the viewer of traces, with {trace_id} in it: makes traces links
  ACCESS_LOG                off: APIs log no line for each request (default on)
  OTEL_EXPORTER_OTLP_ENDPOINT   traces go there, such as http://127.0.0.1:4318; all variables OTEL_... are passed on
  STRIPE_API_BASE, STRIPE_API_KEY   set both to charge cards there instead of at the local simulator
  STRIPE_TIMEOUT_SECONDS    for an answer of the card processor (default 5)
"""


OWN = "devstack."
WITHOUT_STACK = ("ordersaga.cli.completion",)
ON_STACK = ("devstack.incident.",)
"""Commands of devstack that get the application, as the library's do."""


class LauncherGroup(OperatorsGroup):
    """A help page in sections; commands that are not devstack's own work on the stack of `--state`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        module = self.table[cmd_name][0] if command else ""
        if command is None or (module.startswith((OWN, *WITHOUT_STACK)) and not module.startswith(ON_STACK)):
            return command
        from devstack.library_commands import on_stack

        return on_stack(command)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, group in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, text) for name, (_, text) in group.items()])
        for heading, text in (("Example", EXAMPLE), ("Environment", ENVIRONMENT)):
            with formatter.section(heading):
                formatter.write(text.lstrip("\n"))
        formatter.write(
            "\n`./ordersaga COMMAND --help` says more of each; all but completion and chaos take --state DIR.\n"
        )
        formatter.write("`./ordersaga --version` prints the version, of the checkout too.\n")
        formatter.write("Exit codes: 0 done, 1 failed, 2 cannot run here or wrong usage, 130 interrupted.\n")


@click.group(
    name="./ordersaga",
    cls=LauncherGroup,
    table=ALL,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@version_option
def main() -> None:
    """Three event-sourced services complete one order without a shared database or a coordinator.

    The stack is a private Postgres and RabbitMQ and fourteen processes, all on loopback: an HTTP API, a worker and a
    relay for each of orders, payments and inventory, a card processor's simulator, the projections, the sealer of
    the audit log, and the sender of webhooks.
    """
