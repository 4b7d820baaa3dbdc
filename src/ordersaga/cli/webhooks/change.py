"""`ordersaga webhooks add | pause | resume | rotate | remove`: change subscriptions."""

from datetime import timedelta
from uuid import UUID

import click

from ordersaga.cli.app import Application
from ordersaga.cli.errors import full_command
from ordersaga.cli.options import actor_option, json_option, reason_option
from ordersaga.cli.projections.read_side import read_side_of
from ordersaga.cli.text import to_json
from ordersaga.cli.webhooks.connecting import read_side_connection, subscription_argument
from ordersaga.parked.operator import Operator
from ordersaga.runtime.settings import MissingSetting
from ordersaga.webhooks import subscriptions
from ordersaga.webhooks.destination import Guard
from ordersaga.webhooks.sealing import SecretBox
from ordersaga.webhooks.settings import WebhookSettings
from ordersaga.webhooks.subscriptions import Format, NewSubscription

KEEP = "Keep it now: nobody is shown it again. It verifies what the endpoint receives."


@click.command(short_help="Subscribe an address to messages or alarms; prints its secret once.")
@click.argument("url")
@click.argument("events", nargs=-1, required=True, metavar="EVENT...")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["cloudevents", "text"]),
    default="cloudevents",
    show_default=True,
    help='The body: a CloudEvent, or {"text": ...} as chats take it.',
)
@click.option("--description", default="", help="What it is for.")
@click.option("--from-start", is_flag=True, help="Send the whole event log, and not only what is logged from now on.")
@actor_option
@reason_option
@json_option
@click.pass_obj
def add(
    application: Application,
    url: str,
    events: tuple[str, ...],
    format_: Format,
    description: str,
    from_start: bool,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Send EVENTs to URL: contracts, patterns such as 'books.*', or `alarms`.

    URL begins with https://, and its host is on the internet, unless WEBHOOK_HTTP and WEBHOOK_ALLOW permit otherwise.
    The secret is printed once.
    """
    settings = application.webhook_settings()
    wanted = NewSubscription(url, events, format_, description, from_start)
    contracts = read_side_of(application).known_contracts
    with read_side_connection(application) as connection:
        guard, box = guard_of(settings), SecretBox(settings.webhook_secrets_key)
        id_, secret = subscriptions.add(connection, wanted, contracts, guard, box, Operator(actor, reason))
    if as_json:
        click.echo(to_json({"id": id_, "secret": secret}))
    else:
        click.echo(f"Subscription {id_} is active. Its secret:\n\n    {secret}\n\n{KEEP}")
        click.echo(f"Try it with {full_command(f'webhooks test {id_}')}.")


def guard_of(settings: WebhookSettings) -> Guard:
    """Raises MissingSetting: WEBHOOK_ALLOW is wrong."""
    try:
        return Guard(settings)
    except ValueError as error:
        raise MissingSetting(f"{error}.") from None


@click.command()
@subscription_argument
@actor_option
@reason_option
@json_option
@click.pass_obj
def pause(application: Application, subscription: UUID, actor: str, reason: str, as_json: bool) -> None:
    """Send it nothing until it is resumed. Nothing is lost meanwhile."""
    with read_side_connection(application) as connection:
        changed = subscriptions.pause(connection, subscription, Operator(actor, reason))
    told(as_json, subscription, "paused", changed)


@click.command()
@subscription_argument
@actor_option
@reason_option
@json_option
@click.pass_obj
def resume(application: Application, subscription: UUID, actor: str, reason: str, as_json: bool) -> None:
    """Send again, from where it was paused or disabled."""
    with read_side_connection(application) as connection:
        changed = subscriptions.resume(connection, subscription, Operator(actor, reason))
    told(as_json, subscription, "active", changed)


def told(as_json: bool, subscription: UUID, state: str, changed: bool) -> None:
    text = f"Subscription {subscription} is {state}{'' if changed else ' already'}."
    click.echo(to_json({"id": subscription, "state": state, "changed": changed}) if as_json else text)


@click.command()
@subscription_argument
@click.option(
    "--keep-old",
    type=click.FloatRange(0, 24 * 30),
    default=subscriptions.ROTATION.total_seconds() / 3600,
    show_default=True,
    metavar="HOURS",
    help="How long the old secret signs beside the new one.",
)
@actor_option
@reason_option
@json_option
@click.pass_obj
def rotate(
    application: Application, subscription: UUID, keep_old: float, actor: str, reason: str, as_json: bool
) -> None:
    """Make a new secret and print it once. Until the old one ends, a webhook has the signatures of both."""
    box, keep = SecretBox(application.webhook_settings().webhook_secrets_key), timedelta(hours=keep_old)
    with read_side_connection(application) as connection:
        secret = subscriptions.rotate(connection, subscription, box, Operator(actor, reason), keep)
    text = f"The new secret:\n\n    {secret}\n\n{KEEP} The old one is valid for {keep_old:g} hours."
    click.echo(to_json({"id": subscription, "secret": secret}) if as_json else text)


@click.command()
@subscription_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@actor_option
@reason_option
@json_option
@click.pass_obj
def remove(application: Application, subscription: UUID, yes: bool, actor: str, reason: str, as_json: bool) -> None:
    """Remove a subscription with its deliveries. This cannot be undone."""
    with read_side_connection(application) as connection:
        found = subscriptions.fetch_one(connection, subscription)
        if not yes:
            click.confirm(f"Remove {found.url}, with {found.pending} pending deliveries?", abort=True, err=True)
        subscriptions.remove(connection, subscription, Operator(actor, reason))
    told(as_json, subscription, "removed", True)
