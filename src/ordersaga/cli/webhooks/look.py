"""`ordersaga webhooks list | show | deliveries | actions`: look at subscriptions and what was sent."""

from uuid import UUID

import click

from ordersaga.cli.app import Application
from ordersaga.cli.options import json_option
from ordersaga.cli.text import to_json
from ordersaga.cli.webhooks import display
from ordersaga.cli.webhooks.connecting import read_side_connection, subscription_argument
from ordersaga.webhooks import deliveries as sent
from ordersaga.webhooks import subscriptions
from ordersaga.webhooks.deliveries import DeliveryState

limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest."
)


@click.command("list")
@json_option
@click.pass_obj
def list_(application: Application, as_json: bool) -> None:
    """List subscriptions with their state and what waits to be sent. Exit code 1 when one is disabled."""
    with read_side_connection(application) as connection:
        found = subscriptions.statuses(connection)
    if as_json:
        click.echo(to_json({"subscriptions": [each.model_dump() for each in found]}))
    else:
        click.echo("\n".join(display.subscriptions_table(found) if found else ["There is no subscription."]))
    raise SystemExit(1 if any(each.state == "disabled" for each in found) else 0)


@click.command()
@subscription_argument
@json_option
@click.pass_obj
def show(application: Application, subscription: UUID, as_json: bool) -> None:
    """Show one subscription, its last deliveries, and what people did to it."""
    with read_side_connection(application) as connection:
        found = subscriptions.fetch_one(connection, subscription)
        last = sent.page(connection, subscription, limit=10)
        done = subscriptions.actions(connection, subscription, 10)
    if as_json:
        lists = {"deliveries": [e.model_dump() for e in last], "actions": [e.model_dump() for e in done]}
        click.echo(to_json({**found.model_dump(), **lists}))
    else:
        click.echo("\n".join(display.subscription_text(found, last, done)))


@click.command()
@subscription_argument
@click.option("--only", type=click.Choice(["pending", "delivered", "failed"]), help="Of this state only.")
@limit_option
@json_option
@click.pass_obj
def deliveries(
    application: Application, subscription: UUID, only: DeliveryState | None, limit: int, as_json: bool
) -> None:
    """List deliveries of a subscription with their attempts, the newest first."""
    with read_side_connection(application) as connection:
        subscriptions.fetch_one(connection, subscription)
        found = sent.page(connection, subscription, only, limit)
    if as_json:
        click.echo(to_json({"deliveries": [each.model_dump() for each in found]}))
    else:
        click.echo("\n".join(display.deliveries_table(found) if found else ["None."]))


@click.command()
@click.argument("subscription", type=click.UUID, required=False)
@limit_option
@json_option
@click.pass_obj
def actions(application: Application, subscription: UUID | None, limit: int, as_json: bool) -> None:
    """List who added, changed, tested or removed what, when and why; also of removed subscriptions."""
    with read_side_connection(application) as connection:
        found = subscriptions.actions(connection, subscription, limit)
    if as_json:
        click.echo(to_json({"actions": [each.model_dump() for each in found]}))
    else:
        click.echo("\n".join(map(display.action_line, found)) or "None.")
