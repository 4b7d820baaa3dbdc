"""The group of all operators' commands; it imports only what `--help` needs."""

from typing import Any

import click

from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.lazy_group import LazyGroup
from ordersaga.runtime.extras import how_to_install


class OperatorsGroup(LazyGroup):
    """A group whose commands end with exit code 2 and a message when something must be set, installed or changed."""

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
        except Exception as error:
            from ordersaga.runtime.errors import UnusableDatabase

            if isinstance(error, UnusableDatabase):
                raise CannotRunHere(str(error)) from None
            raise
