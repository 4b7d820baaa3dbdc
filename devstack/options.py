"""The option `--state`: the stack that a command is for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from devstack.state import ROOT, State


class StateDirectory(click.ParamType[State]):
    """A stack's state, named by its directory."""

    name = "directory"

    def convert(self, value: str | State, param: click.Parameter | None, ctx: click.Context | None) -> State:
        if isinstance(value, State):
            return value
        if Path(value).is_file():
            self.fail(f"Directory {value!r} is a file.", param, ctx)
        return State(value)


HELP = "Where the stack keeps its data, ports, passwords and logs.  [default: .ordersaga beside this program]"


class StateOption(click.Option):
    """`--state DIR`."""

    def __init__(self, declarations: Sequence[str] = ("--state",), **settings: Any) -> None:
        super().__init__(
            declarations,
            type=StateDirectory(),
            envvar="ORDERSAGA_STATE",
            default=ROOT / ".ordersaga",
            metavar="DIR",
            help=HELP,
            **settings,
        )


state_option = click.option("--state", cls=StateOption)
"""The argument `state` of type State."""
