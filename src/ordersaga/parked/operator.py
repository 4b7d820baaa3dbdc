"""The operator who acts on a parked message, and the errors of an action."""

from typing import NamedTuple


class Operator(NamedTuple):
    """Who acts, and why."""

    actor: str
    reason: str


class UnknownMessage(LookupError):
    """No message with this id is parked here; it may have taken effect or been skipped."""


class Changed(Exception):
    """The message changed after the person looked at it."""


class TookEffect(UnknownMessage):
    """The message took effect, or was skipped, before the action."""


class ActionRefused(ValueError):
    """The action does not apply to this message, or would make it impossible to handle."""
