"""Clients of the stack's shop for the demo and the traffic, and their tokens."""

from datetime import timedelta

from devstack.demo.scenarios import PLENTY, PRODUCTS
from devstack.demo.shop import Addresses, Shop
from devstack.environment import simulator_key
from devstack.keys import private_key_pem
from devstack.running import Stack
from devstack.state import State
from ordersaga.http.tokens import issue

DAY = timedelta(days=1)


def token(state: State, role: str, subject: str, lifetime: timedelta = DAY) -> str:
    """A bearer token that the services of this stack accept. Raises ValueError for an unknown role."""
    return issue(private_key_pem(state), role, subject, lifetime)


def shop(stack: Stack) -> Shop:
    """For one thread."""
    addresses = Addresses(*map(stack.url, ("orders-api", "payments-api", "inventory-api", "simulator")))
    return Shop(addresses, lambda role, subject: token(stack.state, role, subject), simulator_key(stack.state))


def open_shop(stack: Stack) -> None:
    """Price and stock the demo's products, unless there are products already."""
    client = shop(stack)
    if not client.products():
        for sku, (name, unit_price) in PRODUCTS.items():
            client.stock(sku, name, unit_price, PLENTY)
