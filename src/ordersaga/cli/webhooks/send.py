"""`ordersaga webhooks test | retry`: send a test, or send deliveries again."""

import time
from typing import Any
from uuid import UUID

import click
from psycopg import Connection

from ordersaga.cli.app import Application
from ordersaga.cli.errors import Failed, full_command
from ordersaga.cli.options import actor_option, json_option, reason_option
from ordersaga.cli.projections.read_side import read_side_of
from ordersaga.cli.text import printable, to_json
from ordersaga.cli.webhooks.connecting import read_side_connection, subscription_argument
from ordersaga.cli.webhooks.display import last_attempt
from ordersaga.parked.operator import Operator
from ordersaga.webhooks import deliveries
from ordersaga.webhooks.deliveries import DeliveryToSend

POLL_SECONDS = 0.1


@click.command()
@subscription_argument
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the answer; 0 does not wait.",
)
@actor_option
@click.option("--reason", default="a test", show_default=True, help="Why, for the record.")
@json_option
@click.pass_obj
def test(application: Application, subscription: UUID, wait: float, actor: str, reason: str, as_json: bool) -> None:
    """Send an event of the type `webhooks.test`, once, and say what the endpoint answered.

    Also to a subscription that is paused or disabled. Exit code 1 unless it was delivered.
    """
    with read_side_connection(application) as connection:
        source = read_side_of(application).name
        number = deliveries.add_test(connection, subscription, source, Operator(actor, reason))
        found = await_end(connection, number, wait)
    if as_json:
        click.echo(to_json(found.model_dump()))
    elif found.state == "pending" and wait:
        raise Failed(f"It was not sent within {wait:g} s. Does the process run ({full_command('webhooks run')})?")
    else:
        click.echo(printable(f"{found.state}: {last_attempt(found)}"))
    raise SystemExit(1 if wait and found.state != "delivered" else 0)


def await_end(connection: Connection[Any], number: int, seconds: float) -> DeliveryToSend:
    """The delivery when it has ended, or after so many seconds."""
    end = time.monotonic() + seconds
    while (found := deliveries.show(connection, number)).state == "pending" and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return found


@click.command()
@click.argument("numbers", nargs=-1, type=int, metavar="[DELIVERY]...")
@click.option("--failed-of", type=click.UUID, metavar="SUBSCRIPTION", help="All that have failed for good, instead.")
@actor_option
@reason_option
@json_option
@click.pass_obj
def retry(
    application: Application, numbers: tuple[int, ...], failed_of: UUID | None, actor: str, reason: str, as_json: bool
) -> None:
    """Send deliveries again, now, with all their attempts; also those that were delivered.

    The `webhook-id` stays the same, so a receiver that has it drops the repeat.
    """
    if bool(numbers) == bool(failed_of):
        raise click.UsageError("Name deliveries, or a subscription with --failed-of.")
    operator = Operator(actor, reason)
    with read_side_connection(application) as connection:
        if failed_of:
            retried = deliveries.retry_failed(connection, failed_of, operator)
        else:
            for number in numbers:
                deliveries.retry(connection, number, operator)
            retried = len(numbers)
    click.echo(to_json({"retried": retried}) if as_json else f"Deliveries that are due now: {retried}.")
