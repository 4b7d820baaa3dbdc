"""`ordersaga relay`: run relays, show their status, or republish recorded events."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import click

from ordersaga.cli.app import RELAY, Application
from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.options import OneWithOutbox, json_option, services_argument
from ordersaga.cli.relay.republish import republish
from ordersaga.cli.text import ago, printable, to_json
from ordersaga.relay import daemon
from ordersaga.relay.status import RelaySession, RelayStatus, relay_status
from ordersaga.service import Service


class RunByDefault(click.Group):
    """A group whose command `run` may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        completes = ctx.resilient_parsing and not args
        if not completes and (not args or args[0] not in (*self.commands, *ctx.help_option_names)):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=RunByDefault)
def relay() -> None:
    """Publish the outboxes of services, show the status of their relays, refill a broker that lost messages.

    `relay [SERVICE]...` is short for `relay run [SERVICE]...`
    """


relay.add_command(republish)


class ServiceOrCommand(OneWithOutbox):
    """A service to publish; what is none may be a mistyped command, because `run` may be left out."""

    also = ("run", "status", "republish")


@relay.command(short_help="Publish until Ctrl-C.")
@click.argument("services", nargs=-1, type=ServiceOrCommand(), metavar="[SERVICE]...")
@click.option(
    "--unsafe-durability",
    is_flag=True,
    help="Publish even with fsync or synchronous_commit off, where a crash can undo published events.",
)
@click.pass_obj
def run(application: Application, services: tuple[Service, ...], unsafe_durability: bool) -> None:
    """Publish the outboxes of SERVICEs, or of all, in one process, until SIGTERM or Ctrl-C.

    Start as many as you like: one leads per database, the others stand by and take over within seconds. A relay waits
    for servers that are away. HEALTH_PORT serves /healthz, /readyz and /metrics on loopback.
    """
    urls = relay_urls(application, services)
    try:
        raise SystemExit(daemon.serve(urls, application.amqp_url(RELAY), unsafe_durability, application.services))
    except OSError as error:
        raise CannotRunHere(f"HEALTH_PORT cannot be served: {error}") from None


def relay_urls(application: Application, services: tuple[Service, ...]) -> dict[str, str]:
    """URLs for the relay's role by database, of these services or of all that a relay publishes."""
    return application.urls(services or application.with_outbox, RELAY)


@relay.command(short_help="Say how far each database is published, and by whom.")
@services_argument
@json_option
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 60),
    default=1.0,
    show_default=True,
    help="The period over which the rate is measured.",
)
@click.pass_obj
def status(application: Application, services: tuple[Service, ...], as_json: bool, seconds: float) -> None:
    """Show the active relay, the lag and the rate of each database.

    BEHIND counts committed rows that the broker has not confirmed; OLDEST is the age of the first of them. REFUSED
    counts messages that it refused or that the relay did not send, and those that wait behind them: `parked list`
    shows them.
    A line below tells what keeps a relay from publishing, such as an alarm of the broker; another names each queue
    that gives no answer: only its messages wait, until it answers.
    Exit code 0 when every database answers and its relay publishes, else 1.
    """
    urls = relay_urls(application, services)
    with ThreadPoolExecutor(len(urls) or 1) as executor:
        found = list(executor.map(relay_status, urls, urls.values(), [seconds] * len(urls)))
    healthy = not any(line.problem for line in found)
    if as_json:
        click.echo(to_json({"healthy": healthy, "databases": [asdict(line) for line in found]}))
    else:
        click.echo("\n".join(map(printable, table(found))))
    raise SystemExit(0 if healthy else 1)


def table(lines: list[RelayStatus]) -> list[str]:
    """Columns with a heading, then each problem in a line of its own."""
    rows = [("DATABASE", "ACTIVE", "STANDBYS", "BEHIND", "OLDEST", "PER SECOND", "REFUSED", "OLDEST MESSAGE")]
    for line in lines:
        oldest = f"{line.oldest_contract} {line.oldest_message_id}" if line.oldest_message_id else "-"
        age = f"{line.lag_seconds:.1f} s" if line.oldest_message_id else "-"
        rate, refused = f"{line.published_per_second:.0f}", str(line.undeliverable)
        figures = (str(len(line.standbys)), str(line.lag_rows), age, rate, refused)
        rows.append((line.database, name_of(line.active), *figures, oldest))
    width = max(len(row[1]) for row in rows) + 2
    texts = [f"{a:20}{b:{width}}{c:>8}{d:>10}{e:>12}{f:>12}{g:>9}  {h}".rstrip() for a, b, c, d, e, f, g, h in rows]
    return texts + [text for line in lines for text in remarks(line)]


def remarks(line: RelayStatus) -> list[str]:
    """The problem of one database, its detached queues, and the reason of the first undeliverable message."""
    found = [f"{line.database}: {line.problem}"] if line.problem else []
    found += [
        f"{line.database}: {each.state}; {each.kept_rows} rows of the outbox are kept for it" for each in line.detached
    ]
    if line.undeliverable_since:
        why = f"{line.undeliverable} undeliverable since {ago(line.undeliverable_since)}, the first: "
        found.append(f"{line.database}: {why}{line.undeliverable_reason}")
    return found


def name_of(process: RelaySession | None) -> str:
    return f"{process.host} {process.pid}" if process else "-"
