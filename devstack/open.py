"""`./ordersaga open`: a page of the dashboard, signed in, or the documentation of an API, in the browser."""

import re
import webbrowser
from urllib.parse import urlencode

import click
from click.shell_completion import CompletionItem

from devstack.application import environments_of_running
from devstack.demo.customers import token
from devstack.options import state_option
from devstack.processes import PROCESSES
from devstack.state import State
from ordersaga.cli.names import completions, not_one_of

PAGES = ("alarms", "audit", "events", "infrastructure", "orders", "parked", "payments", "stock", "webhooks")
"""The dashboard's, beside the overview."""
DOCUMENTED = {process.name: process for process in PROCESSES if process.is_api}
SOME_ID = re.compile(r"[0-9a-f-]{4,36}", re.IGNORECASE)
READ_SIDE_API = "projections-api"


class PagePath(click.ParamType[str]):
    """The path of a page, from its name, from an order's id or some of its digits, or as it is in the address."""

    name = "page"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in PAGES or value in DOCUMENTED or "/" in value:
            return value
        if SOME_ID.fullmatch(value):
            return f"orders/{value}"
        return self.fail(f"{not_one_of(value, [*PAGES, *DOCUMENTED])} Or give the id of an order.", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        return completions([*PAGES, *DOCUMENTED], incomplete)


@click.command("open")
@state_option
@click.option("--print", "only_print", is_flag=True, help="Only print the address; it is the one line on stdout.")
@click.argument("page", type=PagePath(), default="/", metavar="[PAGE]")
def open_(state: State, only_print: bool, page: str) -> None:
    """Open the dashboard in the browser, signed in as an operator for a day, and print the address.

    PAGE is a page of the dashboard (alarms, audit, events, infrastructure, orders, parked, payments, stock, webhooks),
    the id of an order or some of its digits, a path such as stock/tea, or an API for its documentation: orders-api,
    payments-api, inventory-api, projections-api.

    \b
    Example: ./ordersaga open parked
             ./ordersaga open 3df37ad

    Exit codes: 0 printed, with or without a browser; 1 no stack runs.
    """
    address = address_of(state, page)
    click.echo(address)
    if not only_print and not webbrowser.open(address):
        click.echo("No browser was found here: open the address yourself.", err=True)


def address_of(state: State, page: str) -> str:
    """The address of a page. A browser does not send the part behind the #, so no log has the token."""
    environments = environments_of_running(state)
    if page in DOCUMENTED:
        return f"{environments.url(DOCUMENTED[page])}/docs"
    query = urlencode({"next": f"/dashboard/{page.strip('/')}"}, safe="/")
    read_side = environments.url(DOCUMENTED[READ_SIDE_API])
    return f"{read_side}/sign-in?{query}#token={token(state, 'operator', 'operator')}"
