"""The services that `--app MODULE:ATTRIBUTE` names."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Any

import click

from ordersaga.runtime.extras import how_to_install
from ordersaga.service import Service

LIBRARY = Path(__file__).parent.parent
UNIQUE = {
    "name": "commands and logs name a service by it",
    "database": "outbox, inbox and parked messages belong to one service",
    "group": "one worker of a group takes each message, for all of them",
}
"""Attributes that no two services of an application share, and why."""


def services_of(place: str | None) -> Sequence[Service]:
    """The services that `module:attribute` names: one Service, or several.

    Raises:
        click.UsageError: no place was given, or there are no services at it, or two of them share what they must not.
    """
    if not place:
        raise click.UsageError(
            "Say which services: --app MODULE:ATTRIBUTE, or ORDERSAGA_APP in the environment. The attribute is a "
            "Service or a list of them."
        )
    found = imported(place)
    services = (found,) if isinstance(found, Service) else tuple(found) if isinstance(found, Iterable) else ()
    if not services or not all(isinstance(service, Service) for service in services):
        raise click.UsageError(f"--app {place} is neither a Service nor a list of them")
    require_unique(place, services)
    return services


def imported(place: str) -> Any:
    """The object at `module:attribute`. Raises click.UsageError."""
    module, _, attribute = place.partition(":")
    if not module or module.startswith("."):
        raise click.UsageError(f"--app {place}: name the module in full, as in package.module:attribute")
    # As `python -m` does: an application is found where the command is started.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(import_module(module), attribute or "services")
    except ImportError as error:
        advice = how_to_install(error) or "Is the name right, and is it found from here?"
        raise click.UsageError(f"--app {place}: {error}. {advice}") from error
    except Exception as error:
        raise click.UsageError(f"--app {place}: {describe(error)}") from error


def describe(error: Exception) -> str:
    """The error and the line of the application that raised it."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [frame for frame in extract_tb(error.__traceback__) if is_of_the_application(frame.filename)]
    where = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return f"{where}{type(error).__name__}: {error}"


def is_of_the_application(file: str) -> bool:
    """Neither of the library nor of the machinery of imports."""
    return not file.startswith("<") and "importlib" not in Path(file).parts and not Path(file).is_relative_to(LIBRARY)


def require_unique(place: str, services: Sequence[Service]) -> None:
    """Raises click.UsageError when services share an attribute that belongs to one alone."""
    for attribute, reason in UNIQUE.items():
        [(shared, number)] = Counter(getattr(service, attribute) for service in services).most_common(1)
        if number > 1:
            raise click.UsageError(f"--app {place}: {number} services have the {attribute} {shared!r}, but {reason}.")
