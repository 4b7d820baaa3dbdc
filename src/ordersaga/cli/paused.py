"""The pauses of groups, for commands that would else take a paused group for a stuck one."""

from collections.abc import Iterable
from contextlib import suppress

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed, full_command
from ordersaga.parked import group_pause
from ordersaga.parked.group_pause import Pause
from ordersaga.runtime.settings import MissingSetting
from ordersaga.service import Service


def pauses(application: Application, services: Iterable[Service]) -> dict[str, Pause]:
    """Group -> its pause; without those that are not paused or whose database does not answer."""
    found: dict[str, Pause] = {}
    for service in services:
        with suppress(Failed, MissingSetting), connected(application, service, service.role) as connection:
            if pause := group_pause.current(connection):
                found[service.group] = pause
    return found


def how_to_resume(services: Iterable[Service], group: str) -> str:
    """The command that ends the pause of a group."""
    names = [service.name for service in services if service.group == group]
    return full_command(f"resume {names[0]}")
