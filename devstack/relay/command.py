"""`ordersaga relay`: run relays, ask how far they are, or let them publish again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import click

from devstack import processes
from devstack.options import environments_of_running, json_option, state_option
from devstack.relay.redrive import redrive
from devstack.relay.republish import republish
from devstack.relay.undeliverable import discard, undeliverable
from devstack.state import State
from devstack.steps_commands import become
from devstack.text import ago, to_json
from ordersaga.relay.progress import Process, Progress, progress

services_argument = click.argument("services", nargs=-1, type=click.Choice(processes.SERVICES), metavar="[SERVICE]...")


class RunByDefault(click.Group):
    """A group whose command `run` may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=RunByDefault)
def relay() -> None:
    """Publish the outboxes of services, see how far they are and what the broker did not take, refill a lost broker.

    `./ordersaga relay [SERVICE]...` is short for `./ordersaga relay run [SERVICE]...`
    """


for command in (republish, undeliverable, redrive, discard):
    relay.add_command(command)


@relay.command(short_help="Publish until Ctrl-C.")
@state_option
@services_argument
def run(state: State, services: tuple[str, ...]) -> None:
    """Publish until Ctrl-C: a standby beside a running stack's own relays.

    SERVICE is order_service, payment_service or inventory_service; without one, all three.
    """
    chosen = services or processes.SERVICES
    become(replace(processes.RELAY, arguments=(*processes.RELAY.arguments, *chosen)), state)


@relay.command(short_help="Say how far each database is published, and by whom.")
@state_option
@services_argument
@json_option
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 60),
    default=1.0,
    show_default=True,
    help="For how long to watch how fast each is published.",
)
def status(state: State, services: tuple[str, ...], as_json: bool, seconds: float) -> None:
    """Say for each database who publishes it, how far behind it is and how fast it goes.

    BEHIND counts committed rows that the broker has not answered for; OLDEST is the age of the first of them. REFUSED
    counts what it did not take and what waits behind that: `./ordersaga relay undeliverable` lists them.
    Exit code 0 when every database answers and has an active relay, else 1.
    """
    environments = environments_of_running(state)
    chosen = services or processes.SERVICES
    with ThreadPoolExecutor(len(chosen)) as askers:
        urls = [environments.database_url(name, processes.RELAY_ROLE) for name in chosen]
        found = list(askers.map(progress, chosen, urls, [seconds] * len(chosen)))
    healthy = not any(line.problem for line in found)
    if as_json:
        print(to_json({"healthy": healthy, "databases": [asdict(line) for line in found]}))
    else:
        print("\n".join(table(found)))
    raise SystemExit(0 if healthy else 1)


def table(lines: list[Progress]) -> list[str]:
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


def remarks(line: Progress) -> list[str]:
    """What is wrong with one database, and why the broker did not take the first that it refused."""
    found = [f"{line.database}: {line.problem}"] if line.problem else []
    if line.undeliverable_since:
        why = f"{line.undeliverable} undeliverable since {ago(line.undeliverable_since)}, the first: "
        found.append(f"{line.database}: {why}{line.undeliverable_reason}")
    return found


def name_of(process: Process | None) -> str:
    return f"{process.host} {process.pid}" if process else "-"
