"""The errors of an action on parked messages, as failures of the command."""

from collections.abc import Iterator
from contextlib import contextmanager

from ordersaga.cli.errors import Failed
from ordersaga.parked.operator import ActionRefused, UnknownMessage
from ordersaga.parked.retry_runs import RunsAlready
from ordersaga.parked.running_attempt import AttemptRuns


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Raises Failed for them."""
    try:
        yield
    except (UnknownMessage, ActionRefused, RunsAlready, AttemptRuns) as error:
        raise Failed(f"Nothing was done: {error}.") from None
