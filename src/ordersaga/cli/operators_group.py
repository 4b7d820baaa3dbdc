"""The group of all operators' commands; it imports only what `--help` needs."""

from typing import Any

import click

from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.lazy_group import LazyGroup
from ordersaga.runtime.extras import how_to_install


class OperatorsGroup(LazyGroup):
    """A group whose commands end with exit code 2 and a message when a setting or a package is missing."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SystemExit as ended:
            from ordersaga.runtime.settings import MissingSetting

            if isinstance(ended, MissingSetting):
                raise CannotRunHere(str(ended)) from None
            raise
        except ModuleNotFoundError as missing:
            if not (install := how_to_install(missing)):
                raise
            raise CannotRunHere(f"The package {missing.name} is needed for that: {install}") from None
