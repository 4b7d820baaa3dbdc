"""`./ordersaga demo`: the whole stack, 65 orders, and a verdict."""

import json
import os
import time

import click
from rich.console import Console
from rich.live import Live

from devstack import terminal
from devstack.demo.customers import shop
from devstack.demo.run import Demo, DemoProgress, summary
from devstack.demo.scenarios import DEADLINE_SECONDS
from devstack.demo.verdict import as_json
from devstack.options import state_option
from devstack.running import running_stack
from devstack.state import State
from ordersaga.runtime.signals import INTERRUPTED, interrupt_by_signal

SETTINGS = {"ORDER_DEADLINE_SECONDS": str(DEADLINE_SECONDS), "STRIPE_TIMEOUT_SECONDS": "1"}
"""Short, so that an order whose card does not answer runs into its deadline during the demo; the environment wins."""


@click.command()
@state_option
@click.option("--fresh", is_flag=True, help="Delete all data, ports and passwords of the state directory first.")
@click.option("--docker", is_flag=True, help="Run Postgres and RabbitMQ as containers.")
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object on stdout, and progress on stderr.")
def demo(state: State, fresh: bool, docker: bool, as_object: bool) -> None:
    """Start everything, place 65 orders of twelve kinds, watch them end, and check the books.

    Paid, declined, out of stock, cancelled in flight, cancelled after confirmation, timed out: at the end every
    order has ended, every confirmed one was charged once, nothing is kept of a cancelled one, and no unit of stock
    is lost. Checked over the event stores, the card processor's ledger and the stock. Exit code 0 if all of that
    holds, 1 with each finding named. The data stays for the next demo; --fresh deletes it.
    """
    console = terminal.console(stderr=as_object)
    interrupt_by_signal()
    try:
        result = run(state, console, fresh, docker)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    if as_object:
        print(json.dumps(result))
    else:
        console.print(summary(result), markup=False, highlight=False)
    raise SystemExit(1 if result["violations"] else 0)


def run(state: State, console: Console, fresh: bool, docker: bool) -> dict[str, object]:
    """The demo on a stack of its own, which is stopped at the end."""
    seconds: dict[str, float] = {}
    started = last = time.monotonic()

    def lap(name: str) -> None:
        nonlocal last
        seconds[name], last = round(time.monotonic() - last, 2), time.monotonic()

    with running_stack(state, console, fresh=fresh, in_docker=docker, caller={**SETTINGS, **os.environ}) as stack:
        lap("start")
        run = Demo(lambda: shop(stack), stack.environments.owner_urls())
        run.stock_products()
        with live(console, run.progress) as screen:
            run.run(lambda: screen.update(run.progress.table("Orders")))
            lap("orders")
            books, found = run.settle(
                lambda left: screen.update(run.progress.table(f"Orders; {left} things to follow"))
            )
        lap("settle")
        if not console.is_terminal:
            console.print(run.progress.table("Orders"))
    lap("stop")
    seconds["total"] = round(time.monotonic() - started, 2)
    return as_json(books, found, seconds)


def live(console: Console, progress: DemoProgress) -> Live:
    """A table that follows the orders; a file or pipe gets only the last one."""
    visible = console.is_terminal
    return Live(progress.table("Orders"), console=console, transient=not visible, auto_refresh=visible)
