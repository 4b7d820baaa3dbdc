"""`python -m devstack.containers.seed`: fills an empty shop with products and orders."""

from collections import Counter

import click

from devstack.containers.addresses import clients, shop_options
from devstack.demo.run import Demo
from devstack.demo.scenarios import LONGEST, PRODUCTS


@click.command()
@shop_options
def seed(**shop: str) -> None:
    """Price and stock eight products, place 65 orders of twelve kinds, and wait for those that end soon.

    A second run places nothing twice, also after an interrupted one, for as long as the services keep idempotency keys
    (30 days). A shop with products of its own is not changed.
    """
    demo = Demo(clients(**shop), {}, name="seed")
    strangers = {product["sku"] for product in demo.shop.products()} - PRODUCTS.keys()
    if strangers:
        click.echo(f"Nothing to do: the shop has products of its own, such as {min(strangers)}.")
        return
    demo.stock_products()
    orders = demo.progress.orders
    late = [order for order in orders if order.scenario is LONGEST]
    for order in late:
        demo.place(order)
    demo.progress.orders = [order for order in orders if order not in late]
    demo.run(lambda: None)
    states = Counter(demo.progress.states.values())
    click.echo(
        f"{len(PRODUCTS)} products and {len(orders)} orders: {states['confirmed']} confirmed, "
        f"{states['cancelled']} cancelled. The cards of {len(late)} more fail at first."
    )
    if unfinished := len(demo.progress.orders) - states["confirmed"] - states["cancelled"]:
        raise SystemExit(f"{unfinished} more have not ended in time: see the dashboard.")


if __name__ == "__main__":
    seed()
