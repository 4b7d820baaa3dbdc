"""What the library refuses, as a failure of the command."""

from collections.abc import Iterator
from contextlib import contextmanager

from ordersaga.cli.errors import Failed
from ordersaga.parked.operator import ActionRefused, UnknownMessage


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Raises Failed for what the library refuses."""
    try:
        yield
    except (UnknownMessage, ActionRefused) as error:
        raise Failed(f"Nothing was done: {error}.") from None
