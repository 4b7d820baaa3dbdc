"""The application that a command works on: its services, and where its databases and its broker are."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import click

from ordersaga.runtime.settings import MissingSetting, Settings, database_url, read_settings
from ordersaga.service import Service


def database_of_environment(database: str, _: str) -> str:
    """The URL as `<DATABASE>_DATABASE_URL` has it, whatever the role. Raises MissingSetting."""
    return database_url(database)


def broker_of_environment(_: str) -> str:
    """The URL as AMQP_URL has it, whoever the user is. Raises MissingSetting."""
    url = read_settings(Settings).amqp_url
    if not url:
        raise MissingSetting("AMQP_URL is not set. Set it to amqp://user:password@host:port/vhost")
    return url


@dataclass(frozen=True)
class Application:
    """Commands take this as `click.pass_obj`; the services are imported when one of them is asked for."""

    load: Callable[[], Sequence[Service]]
    database_url: Callable[[str, str], str] = database_of_environment
    """(database, role) -> URL."""
    amqp_url: Callable[[str], str] = broker_of_environment
    """User of the broker -> URL."""

    @cached_property
    def services(self) -> tuple[Service, ...]:
        return tuple(self.load())

    def service(self, name: str) -> Service:
        """Raises click.UsageError: there is none of this name."""
        found = next((service for service in self.services if service.name == name), None)
        if found is None:
            names = ", ".join(service.name for service in self.services)
            raise click.UsageError(f"There is no service {name!r}. Name one of: {names}.")
        return found

    def chosen(self, names: Iterable[str]) -> list[Service]:
        """The services of these names, or all. Raises click.UsageError."""
        return [self.service(name) for name in names] or list(self.services)


def services_of(place: str | None) -> Sequence[Service]:
    """The services that `module:attribute` names: one Service, or several.

    Raises:
        click.UsageError: no place was given, or there are no services at it.
    """
    if not place:
        raise click.UsageError(
            "Say which services: --app MODULE:ATTRIBUTE, or ORDERSAGA_APP in the environment. The attribute is a "
            "Service or a list of them."
        )
    module, _, attribute = place.partition(":")
    # As `python -m` does: an application is found where the command is started.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), attribute or "services")
    except ImportError as error:
        raise click.UsageError(f"--app {place}: {error}. Is the name right, and is it found from here?") from error
    except AttributeError as error:
        raise click.UsageError(f"--app {place}: {error}") from error
    services = (found,) if isinstance(found, Service) else tuple(found)
    if not services or not all(isinstance(service, Service) for service in services):
        raise click.UsageError(f"--app {place} is neither a Service nor a list of them")
    return services
