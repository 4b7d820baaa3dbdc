"""`ordersaga doctor`: name what stalls a running application, and what to do."""

from collections.abc import Callable
from typing import Any

import click

from ordersaga.cli.app import OWNER, PROVISIONER, Application
from ordersaga.cli.diagnosis_text import as_data, exit_code, lines
from ordersaga.cli.options import json_option
from ordersaga.cli.text import to_json
from ordersaga.diagnosis.diagnose import SECONDS, DiagnosedServers, Diagnosis, diagnose
from ordersaga.diagnosis.limits import DiagnosisLimits
from ordersaga.diagnosis.questions import Terms
from ordersaga.diagnosis.settings import DiagnosisSettings
from ordersaga.runtime.settings import read_settings

LIMITS = DiagnosisLimits()
SECONDS_OF = click.FloatRange(min=0)


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `transaction`, `wait` and `timeout`, in seconds."""
    for name, default, text in (
        ("timeout", SECONDS, "Time for all answers; a server that has not answered by then is a finding."),
        ("wait", LIMITS.wait, "A session that waits longer for a lock is a finding."),
        ("transaction", LIMITS.transaction, "A transaction that is open for longer is a finding."),
    ):
        command = click.option(
            f"--{name}", type=SECONDS_OF, default=default, show_default=True, metavar="SECONDS", help=text
        )(command)
    return command


locks_option = click.option(
    "--locks", is_flag=True, help="Also list who has which named lock: relays, workers, commands."
)


@click.command()
@limit_options
@locks_option
@json_option
@click.pass_obj
def doctor(
    application: Application, transaction: float, wait: float, timeout: float, locks: bool, as_json: bool
) -> None:
    """Name what stalls a running application: what, since when, who, and what to do.

    It asks Postgres, RabbitMQ and the tables of the services, all at the same time, and changes nothing. It ends within
    the timeout also when a server hangs. BROKER_METRICS_URL lets it see the broker's alarms, its clock, and queues
    that belong to no service.

    Exit code 0 when there is nothing to find, 1 when there is, 2 when nothing was found but something could not be
    seen, or a URL is missing.
    """
    found = ask_servers(application, DiagnosisLimits(transaction=transaction, wait=wait), timeout)
    click.echo(to_json(as_data(found)) if as_json else "\n".join(lines(found, locks)))
    raise SystemExit(exit_code(found))


def ask_servers(application: Application, limits: DiagnosisLimits, seconds: float) -> Diagnosis:
    """Ask the servers of the application. Raises MissingSetting when a URL is missing."""
    servers = DiagnosedServers(
        application.services,
        application.urls(application.services, OWNER),
        application.amqp_url(PROVISIONER),
        application.broker_metrics_url(),
    )
    return diagnose(servers, Terms(limits, read_settings(DiagnosisSettings)), seconds)
