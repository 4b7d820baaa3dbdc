"""The library's commands in the launcher: each takes `--state DIR` and works on the stack of that directory."""

from copy import copy

import click

from devstack.options import StateOption
from devstack.state import State
from ordersaga.cli.lazy_group import LazyGroup


def use_stack(context: click.Context, _: click.Parameter, state: State) -> State:
    from devstack.application import StackApplication

    context.obj = StackApplication(state)
    return state


def on_stack(command: click.Command) -> click.Command:
    """A copy of the command with the option `--state`; of a group, a copy whose commands have it."""
    adapted = copy(command)
    if isinstance(adapted, LazyGroup):
        adapted.adapt = on_stack
    elif isinstance(adapted, click.Group):
        adapted.commands = {name: on_stack(each) for name, each in adapted.commands.items()}
    else:
        adapted.params = [StateOption(callback=use_stack, is_eager=True, expose_value=False), *adapted.params]
    return adapted
