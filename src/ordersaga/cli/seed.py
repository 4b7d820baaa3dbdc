"""`ordersaga seed GROUP`: give a consumer group that was added later the history of its contracts."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import click
import psycopg
from pika.exceptions import AMQPError

from ordersaga.broker.pause_locks import ChangeFailed
from ordersaga.broker.provisioning import OtherQueues
from ordersaga.cli.app import OWNER, PROVISIONER, RELAY, Application
from ordersaga.cli.errors import Failed, full_command
from ordersaga.cli.options import Moment, OneOfGroups, actor_option, json_option
from ordersaga.cli.seed_display import SeedingDisplay, lines
from ordersaga.cli.text import printable, to_json
from ordersaga.parked.operator import Operator
from ordersaga.relay.publisher import BrokerUnavailable
from ordersaga.runtime.reasons import reason_of, remedy_of
from ordersaga.runtime.settings import Settings, read_settings
from ordersaga.runtime.signals import interrupt_by_signal
from ordersaga.seeding.access import SeedingAccess
from ordersaga.seeding.progress import SeedingProgress, SeedingResult
from ordersaga.seeding.refusals import SeedingRefused, require_harmless
from ordersaga.seeding.seeding import MAX_READY, Seeding
from ordersaga.seeding.sender import NotTaken
from ordersaga.service import Service


@click.command(short_help="Give a consumer group that was added later the history of its contracts.")
@click.argument("group", type=OneOfGroups(), metavar="GROUP")
@actor_option
@click.option("--reason", default="", help="Why, for the record; required without --dry-run.")
@click.option(
    "--since",
    type=Moment(),
    metavar="TIME",
    help="Only what was recorded at or after this time (ISO 8601, or an age such as 5m).",
)
@click.option("--dry-run", is_flag=True, help="Only count what the group would get; change nothing.")
@click.option(
    "--act-on-history",
    is_flag=True,
    help="Seed although reactions of the group call other systems or set deadlines: they do so for history too.",
)
@click.option(
    "--skip-unreadable", is_flag=True, help="Leave out events that this version cannot announce, and name them."
)
@click.option(
    "--max-ready",
    type=click.IntRange(1, 10_000_000),
    default=MAX_READY,
    show_default=True,
    metavar="N",
    help="Wait while so many messages or more are ready in the queues of the group.",
)
@json_option
@click.pass_obj
def seed(
    application: Application,
    group: Service,
    actor: str,
    reason: str,
    since: datetime | None,
    dry_run: bool,
    act_on_history: bool,
    skip_unreadable: bool,
    max_ready: int,
    as_json: bool,
) -> None:
    """Give GROUP, and no other group, every message of its contracts from the beginning, while everything runs.

    For a group that has received nothing: run it once its database is migrated and before `topology`, or let
    GROUPS_TO_SEED name the group when `topology` runs, which then binds it to its own exchange alone. The messages are
    derived from the event stores, with the ids, causes and times that they had; they come in order per key, each after
    the one that caused it. The group receives nothing new until it has all of them; then the relays pause for a moment,
    and it receives what they publish from there on, without a gap. Its workers may run meanwhile.

    If it is killed, nothing else is harmed; run it again: it begins from the beginning, and the inbox drops repeats.
    Exit code 0 when the group has everything, 1 when it has not or events were left out, 2 for a wrong usage.
    """
    interrupt_by_signal()
    if not dry_run and not reason.strip():
        raise click.UsageError("Say why with --reason: it is kept beside your name.")
    display = SeedingDisplay()
    seeding = Seeding(
        group,
        list(application.services),
        access_of(application, group),
        Operator(actor, reason),
        since=since,
        skip_unreadable=skip_unreadable,
        max_ready=max_ready,
        inbox_retention=timedelta(days=read_settings(Settings).inbox_retention_days),
        progress=SeedingProgress(show=display.show),
    )
    with errors_as_failures(group.group):
        if not (dry_run or act_on_history):
            require_harmless(group)
        result = seeding.count() if dry_run else seeding.run()
    display.clear()
    print_result(result, as_json)
    raise SystemExit(1 if result.unreadable else 0)


def access_of(application: Application, group: Service) -> SeedingAccess:
    """Raises MissingSetting."""
    services = application.with_outbox
    return SeedingAccess(
        application.amqp_url(PROVISIONER),
        {each.name: application.database_url(each.database, OWNER) for each in services},
        {each.name: application.database_url(each.database, RELAY) for each in services},
        application.database_url(group.database, group.role),
        read_settings(Settings).queues_per_group,
    )


def print_result(result: SeedingResult, as_json: bool) -> None:
    if as_json:
        click.echo(to_json(result.as_data()))
        return
    for line in lines(result):
        click.echo(printable(line))
    for event in result.unreadable:
        click.echo(printable(f"left out: {event}"), err=True)


@contextmanager
def errors_as_failures(group: str) -> Iterator[None]:
    """Raises Failed for the errors and interruptions of a seeding."""
    command = full_command(f"seed {group}")
    again = f"Until {command} has completed it, {group} receives nothing new; everything else goes on."
    try:
        yield
    except (SeedingRefused, OtherQueues) as error:
        raise Failed(str(error)) from None
    except (ChangeFailed, NotTaken) as error:
        raise Failed(f"{error} {again}") from None
    except psycopg.Error as error:
        raise Failed(f"A database failed: {reason_of(error)}. {remedy_of(error, otherwise=again)}") from error
    except (AMQPError, BrokerUnavailable, OSError) as error:
        raise Failed(f"The broker is away or refused: {error!r}. {again}") from None
    except KeyboardInterrupt:
        raise Failed(f"Stopped. {again}") from None
