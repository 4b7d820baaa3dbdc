"""What the commands of webhooks share: the connection, the errors, the argument."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from psycopg import Connection

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.projections.read_side import read_side_of
from ordersaga.webhooks.deliveries import UnknownDelivery
from ordersaga.webhooks.subscriptions import SubscriptionRefused, UnknownSubscription

subscription_argument = click.argument("subscription", type=click.UUID)


@contextmanager
def read_side_connection(application: Application) -> Iterator[Connection[Any]]:
    """A connection to the read side's database. Raises Failed for the errors of webhooks."""
    read_side = read_side_of(application)
    with connected(application, read_side, read_side.role) as connection:
        try:
            yield connection
        except (UnknownSubscription, UnknownDelivery) as error:
            raise Failed(f"Nothing was done: {error}.") from None
        except SubscriptionRefused as error:
            raise Failed(f"Nothing was done: {error}") from None
