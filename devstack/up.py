"""`./ordersaga up`: run the whole stack until Ctrl-C."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from devstack import terminal
from devstack.demo.customers import open_shop, shop, token
from devstack.demo.traffic import Traffic
from devstack.options import state_option
from devstack.processes import with_workers
from devstack.running import Stack, running_stack
from devstack.state import State
from ordersaga.cli.errors import Failed
from ordersaga.runtime.signals import interrupt_by_signal

REPORT_SECONDS = 60


@click.command()
@state_option
@click.option("--fresh", is_flag=True, help="Delete all data, ports and passwords of the state directory first.")
@click.option("--docker", is_flag=True, help="Run Postgres and RabbitMQ as containers.")
@click.option(
    "--traffic", type=click.FloatRange(0, 200), default=0, metavar="N", help="Place N orders a second all the while."
)
@click.option(
    "--workers", type=click.IntRange(1, 16), default=1, metavar="N", help="Run N workers of each group.  [default: 1]"
)
def up(state: State, fresh: bool, docker: bool, traffic: float, workers: int) -> None:
    """Start servers and services, print every address, and keep them running until Ctrl-C.

    A process that dies is started again. Data survives a restart; --fresh deletes it. A shop without products
    gets the demo's eight. Several workers of a group share its queues: see `./ordersaga queues`.

    \b
    Example: ./ordersaga up --traffic 5
             ./ordersaga up --workers 4 --state /tmp/two

    Exit codes: 0 after Ctrl-C, 1 something did not start, 2 this machine lacks something.
    """
    console = terminal.console(stderr=True)
    interrupt_by_signal()
    try:
        with running_stack(state, console, fresh=fresh, in_docker=docker, table=with_workers(workers)) as stack:
            open_shop(stack)
            welcome(stack)
            with steady_load(stack, traffic) as load:
                while not stack.supervisor.ended.wait(REPORT_SECONDS):
                    if load:
                        console.print(f"{load.placed} orders placed, {load.failed} refused", highlight=False)
    except KeyboardInterrupt:
        return
    if stack.supervisor.failure:
        raise Failed(str(stack.supervisor.failure))


@contextmanager
def steady_load(stack: Stack, rate: float) -> Iterator[Traffic | None]:
    """Traffic for as long as the block lasts, none at rate 0."""
    if not rate:
        yield None
        return
    load = Traffic(lambda: shop(stack), rate)
    load.start()
    try:
        yield load
    finally:
        load.stop()


def welcome(stack: Stack) -> None:
    """Print every address, and a command that places an order."""
    print("\nThe stack is running. Ctrl-C stops it.\n")
    for process in stack.processes:
        print(f"  {process.name:20} {stack.url(process.name)}")
    print(f"\n  logs                 {stack.state.logs}")
    print(f"  HTTP documentation   {stack.url('orders-api')}/docs")
    print(f"  read side            {stack.url('projections-api')}/docs")
    print(f"  dashboard            {sign_in_link(stack)}\n")
    print(f"Place an order as alice, and wait until it is paid (the token lasts a day):\n\n{example(stack)}\n")
    sys.stdout.flush()


def sign_in_link(stack: Stack) -> str:
    """The browser does not send the part behind the #, so no log has the token."""
    return f"{stack.url('projections-api')}/sign-in#token={token(stack.state, 'operator', 'operator')}"


def example(stack: Stack) -> str:
    """A command that places an order."""
    return f"""\
curl -sS {stack.url("orders-api")}/orders \\
  -H 'Authorization: Bearer {token(stack.state, "customer", "alice")}' \\
  -H "Idempotency-Key: $(date +%s%N)" -H 'Prefer: wait=5' -H 'Content-Type: application/json' \\
  -d '{{"lines": [{{"sku": "tea", "quantity": 2}}], "card": "pm_card_visa"}}'"""
