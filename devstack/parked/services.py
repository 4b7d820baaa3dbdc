"""The consumer groups as the commands for parked messages see them: a handler, a world."""

import sys
from importlib import import_module
from typing import Any

from devstack.environment import Environments
from devstack.processes import PROCESSES, READ_SIDE
from ordersaga.inbox.handler import Handler
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import Reactor
from ordersaga.runtime.settings import read_settings


def handler_of(group: str) -> Handler:
    """What the group's worker does with messages; imports the service."""
    if group == READ_SIDE:
        from projections.projector import Projector

        return Projector()
    registry: Reactions = import_module(f"{group}.reactions").reactions
    return Reactor(registry, import_module(f"{group}.announcements").announcements)


def world_of(environments: Environments, group: str) -> Any:
    """What the outside steps of the group's worker talk to, with the worker's own settings."""
    worker = next(process for process in PROCESSES if process.arguments == ("-m", group))
    own = {name.lower(): text for name, text in environments.of(worker).items() if name in worker.settings}
    sys.stderr.write(f"Outside steps of {group} are called for real.\n")
    reactions: Reactions = import_module(f"{group}.reactions").reactions
    return reactions.world(read_settings(reactions.settings, **own))
