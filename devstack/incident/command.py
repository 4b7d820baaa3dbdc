"""`./ordersaga incident`: the history of one order as a pytest."""

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psycopg
import requests

from devstack.application import StackApplication
from devstack.environment import simulator_key
from devstack.incident.collect import LostOrder, NoSuchOrder, collect
from devstack.incident.incident import Incident, Step
from devstack.incident.records import read
from devstack.incident.source import source
from devstack.ports import LOOPBACK
from devstack.read_only import read_only
from devstack.state import ROOT
from ordersaga.cli.app import Application
from ordersaga.cli.errors import Failed
from ordersaga.cli.ids import KeyId
from ordersaga.cli.options import json_option
from ordersaga.cli.text import printable
from ordersaga.runtime.reasons import reason_of, remedy_of
from ordersaga.runtime.sessions import OPERATOR, connect

SECONDS = 10
UNKNOWN = (
    "No order {} is in the event store of order_service. Take the id from the page of orders (`./ordersaga open "
    "orders`) or from the answer to POST /orders; a message of a product or of stock has no incident."
)
LOST = (
    "The event store of order_service has no order {}, but {} acts on it: its history was lost, which no replay can "
    "show. docs/runbooks/HistoryLost.md has what to do."
)
TESTS = ROOT / "tests"


@click.command()
@click.argument("order", type=KeyId(), metavar="ORDER")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the pytest into this new file, such as tests/incidents/test_lost_refund.py.  [default: stdout]",
)
@json_option
@click.pass_obj
def incident(application: Application, order: UUID, out: Path | None, as_json: bool) -> None:
    """Write the history of ORDER as a pytest that replays it on real servers, without personal data.

    ORDER is the id of an order, or some of its last digits. Commands, messages in the order in which each service
    received them, deadlines and answers of the card processor are those of the order; ids, names, SKUs, reasons and
    cards are not. One test requires that the order ends as it must, so it fails as the order failed until the cause is
    mended; the other, that all ends as it did.

    It only reads, as the role of each service. --json prints the same history as one JSON object in place of the
    pytest.

    \b
    Example: ./ordersaga incident 3df37ad --out tests/incidents/test_lost_refund.py
             make dev                              # once: pytest, in .venv
             .venv/bin/python -m pytest tests/incidents/test_lost_refund.py

    Exit codes: 0 written, however the order ended; 1 no such order, the file exists, or no stack runs; 2 wrong
    usage.
    """
    if out and out.exists():
        raise Failed(f"{out} exists. Give another name with --out, or remove it first.")
    found = incident_of(application, order)
    text = json.dumps(as_object(found), indent=1) if as_json else source(found)
    if out:
        write(out, text)
    else:
        click.echo(text)
    for line in summary(found, out if not as_json else None):
        click.echo(printable(line), err=True)


def incident_of(application: Application, order: UUID) -> Incident:
    """Raises Failed: there is no such order, or a database does not answer."""
    try:
        with ExitStack() as opened:
            connections = {}
            for service in application.services:
                url = read_only(application.database_url(service.database, service.role))
                connections[service.name] = opened.enter_context(connect(url, "ordersaga incident", OPERATOR))
            records = read(connections, order)
        records.charges = charges_of(application, order)
        return collect(records)
    except psycopg.Error as error:
        raise Failed(f"A database could not be read: {reason_of(error)}. {remedy_of(error)}") from error
    except NoSuchOrder:
        raise Failed(UNKNOWN.format(order)) from None
    except LostOrder as lost:
        raise Failed(LOST.format(order, lost)) from None


def charges_of(application: Application, order: UUID) -> Sequence[Mapping[str, Any]] | None:
    """What the simulator has charged for the order; None when it cannot be asked, as with a real card processor."""
    if not isinstance(application, StackApplication):
        return None
    url = f"http://{LOOPBACK}:{application.state.port('simulator')}/ledger"
    headers = {"Authorization": f"Bearer {simulator_key(application.state)}"}
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, params={"order_id": str(order)}, headers=headers, timeout=SECONDS)
            answer.raise_for_status()
            return list(answer.json()["charges"])
    except requests.RequestException:
        return None


def write(out: Path, text: str) -> None:
    """Raises Failed."""
    try:
        with out.open("x") as file:
            file.write(text)
    except OSError as error:
        raise Failed(f"{out} cannot be written: {error.strerror}. Give another file with --out.") from None


def as_object(found: Incident) -> dict[str, Any]:
    lines, steps = [line._asdict() for line in found.lines], [step_object(step) for step in found.steps]
    return {**asdict(found), "lines": lines, "steps": steps}


def step_object(step: Step) -> dict[str, Any]:
    return {"step": type(step).__name__.lower(), **asdict(step)}


def summary(found: Incident, out: Path | None) -> list[str]:
    """For the person: how the order ended, and how to run the test."""
    lines = [
        f"The order is {found.end.order}, its payment {found.end.payment or 'not there'}, its reservation "
        f"{found.end.reservation or 'not there'}; {len(found.steps)} steps."
    ]
    lines += [f"WRONG: {said}." for said in found.wrong]
    lines += found.notes
    return [*lines, f"Run it:  {how_to_run(out)}"] if out else lines


def how_to_run(out: Path) -> str:
    """Beside the tests pytest finds settings and fixtures; elsewhere they are named. `up` alone installs no pytest."""
    first, file = "" if find_spec("pytest") else "make dev && ", shlex.quote(str(out))
    if out.resolve().is_relative_to(TESTS):
        return f"{first}.venv/bin/python -m pytest {file}"
    return f"{first}PYTHONPATH=src .venv/bin/python -m pytest -c pyproject.toml -p tests.conftest {file}"
