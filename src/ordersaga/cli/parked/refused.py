"""The errors of an action on parked messages, as failures of the command."""

from collections.abc import Iterator
from contextlib import contextmanager

from ordersaga.cli.errors import Failed
from ordersaga.parked.operator import ActionRefused, UnknownMessage


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Raises Failed for UnknownMessage and ActionRefused."""
    try:
        yield
    except (UnknownMessage, ActionRefused) as error:
        raise Failed(f"Nothing was done: {error}.") from None
