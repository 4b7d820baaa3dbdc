"""The person who acts on a parked message, and what keeps an action from being done."""

from typing import NamedTuple


class Operator(NamedTuple):
    """Who acts, and why."""

    actor: str
    reason: str


class UnknownMessage(LookupError):
    """No message of this id is parked here: it may have taken effect, or been skipped, meanwhile."""


class Changed(Exception):
    """The message changed after the person looked at it."""


class ActionRefused(ValueError):
    """The action makes no sense for this message, or would leave a message that cannot be handled."""
