"""Shared options of the audit's commands: the directory of the sealer's log, and a version or time."""

from datetime import datetime
from pathlib import Path

import click

from ordersaga.cli.options import Moment

log_option = click.option(
    "--log",
    "log_directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the sealer keeps leaves and checkpoints.  [default: the sealer's AUDIT_CHECKPOINTS]",
)


class VersionOrTime(click.ParamType[int | datetime]):
    """A version such as 2, or a time."""

    name = "version or time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | datetime:
        if value.isascii() and value.isdigit():
            if not 0 < int(value) < 1 << 63:
                self.fail("versions begin at 1", param, ctx)
            return int(value)
        return Moment().convert(value, param, ctx)
