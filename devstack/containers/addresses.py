"""The options of a command that calls the shop as customer and operator: addresses, and the key that signs tokens."""

from collections.abc import Callable
from typing import Any

import click

from devstack.demo.customers import token
from devstack.demo.shop import Addresses, Shop
from devstack.state import State

SERVICES = ("orders", "payments", "inventory")


def shop_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options whose values `clients` takes."""
    for name in reversed(SERVICES):
        command = click.option(f"--{name}", required=True, metavar="URL", help=f"URL of the API of {name}.")(command)
    return click.option("--keys", required=True, metavar="DIR", help="Directory of the key that signs tokens.")(command)


def clients(keys: str, orders: str, payments: str, inventory: str) -> Callable[[], Shop]:
    """Makes clients, one for each thread; none of them asks the card processor."""
    state, addresses = State(keys), Addresses(orders, payments, inventory, simulator="")
    return lambda: Shop(addresses, lambda role, subject: token(state, role, subject), simulator_key="")
