"""Fault: harm to one part of the stack that can be removed again."""

from random import Random
from typing import ClassVar

from devstack.chaos.stage import Stage


class Fault:
    """Call `inject` once, and later `heal`, which may be called at any time and more than once.

    It skips, as an operator, what it has made somebody park: soon after it has healed, nothing waits for a person.

    All choices come from `chance`, and in the constructor, so that the same seed makes the same fault. A constructor
    reads nothing that differs from run to run, such as a pid.
    """

    name: ClassVar[str]
    """Kebab-case, as it stands in the schedule: `kill-worker`."""
    does: ClassVar[str]
    """A sentence for `chaos list`."""
    shortest: ClassVar[float] = 1
    longest: ClassVar[float] = 10
    """Seconds between `inject` and `heal` that a schedule may choose."""
    alone: ClassVar[bool] = False
    """Whether no other fault may overlap it."""
    server: ClassVar[str] = ""
    """The server that does not work meanwhile, `postgres` or `rabbitmq`. A schedule never harms one server twice at a
    time, and seldom both."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        self.stage = stage
        self.chance = chance

    def cannot_run(self) -> str:
        """What this machine lacks for it, as a sentence; empty when it can run."""
        return ""

    def inject(self) -> str:
        """Cause the harm. Returns what was done, as a sentence with the names of what was hit."""
        raise NotImplementedError

    def heal(self) -> str:
        """Remove the harm. Returns what was done, as a sentence; empty when there was nothing to remove."""
        return ""

    def lacks(self) -> str:
        """What should have come of it and has not when everything is drained, as a sentence; empty when all has."""
        return ""
