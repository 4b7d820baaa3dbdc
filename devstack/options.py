"""Options that many commands have, times as options, and the stack that a command is for."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Any

import click

from devstack.environment import Environments
from devstack.given import Given
from devstack.records import Records
from devstack.state import ROOT, State
from ordersaga.cli.errors import Failed

Command = Callable[..., Any]


class Moment(click.ParamType[datetime]):
    """An ISO 8601 time; without an offset it is UTC."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-03-01T12:00:00+00:00", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def state_option(command: Command) -> Command:
    """`--state DIR` as the argument `state` of type State."""
    return click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="ORDERSAGA_STATE",
        default=ROOT / ".ordersaga",
        callback=lambda _context, _option, directory: State(directory),
        metavar="DIR",
        help="Where the stack keeps its data, ports, passwords and logs.  [default: .ordersaga beside this program]",
    )(command)


def user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):
        raise click.UsageError("Your account has no name here: say who you are with --actor.") from None


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
actor_option = click.option(
    "--actor", envvar="USER", default=user, help="Who you are, for the record.  [default: your name on this machine]"
)


def said(_: click.Context, __: click.Parameter, reason: str) -> str:
    if not reason.strip():
        raise click.BadParameter("say why, in a few words: it is kept beside your name")
    return reason


reason_option = click.option("--reason", required=True, callback=said, help="Why, for the record.")


def environments_of_running(state: State) -> Environments:
    """For a command beside a running stack, or with all five URLs in its environment.

    Raises:
        Failed: there is neither.
    """
    given = Given.from_environment(os.environ)
    if given.databases and given.amqp:
        return Environments(state, given)
    records = Records(state)
    if records.supervisor() is None:
        raise Failed(
            f"No stack is running in {state.directory}. Start one with `./ordersaga up`, "
            "or set AMQP_URL and the four *_DATABASE_URL."
        )
    return Environments(state, records.given())
