"""The operator who acts on a parked message, and the errors of an action."""

from typing import NamedTuple, Self

from ordersaga.inbox.headers import storable


class Operator(NamedTuple):
    """Who acts, and why."""

    actor: str
    reason: str

    def storable(self) -> Self:
        """The same, without what Postgres text cannot hold."""
        return self._replace(actor=storable(self.actor), reason=storable(self.reason))


class UnknownMessage(LookupError):
    """No message with this id is parked here; it may have taken effect or been skipped."""


class Changed(Exception):
    """The message changed after the person looked at it."""


class TookEffect(UnknownMessage):
    """The message took effect, or was skipped, before the action."""


class ActionRefused(ValueError):
    """The action does not apply to this message, or would make it impossible to handle."""
