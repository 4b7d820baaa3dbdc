"""The consumer groups as the commands for parked messages see them: a handler, and what outside steps talk to."""

import sys
from typing import Any

from devstack.environment import Environments
from devstack.processes import PROCESSES
from ordersaga.inbox.handler import Handler
from ordersaga.runtime.settings import read_settings
from ordersaga.service import Service
from shop import services


def service_of(group: str) -> Service:
    return next(service for service in services if service.group == group)


def handler_of(group: str) -> Handler:
    """What the group's worker does with messages."""
    return service_of(group).handler()


def world_of(environments: Environments, group: str) -> Any:
    """What the outside steps of the group's worker talk to, with the worker's own settings."""
    worker = next(process for process in PROCESSES if process.arguments == ("-m", group))
    own = {name.lower(): text for name, text in environments.of(worker).items() if name in worker.settings}
    sys.stderr.write(f"Outside steps of {group} are called for real.\n")
    service = service_of(group)
    return service.resources(read_settings(service.settings, **own))
