"""Fault: harm to one part of the stack that can be removed again."""

from random import Random
from typing import ClassVar

from devstack.chaos.stage import Stage


class Fault:
    """Call `inject` once, wait `seconds`, and call `heal`, which may be called at any time and more than once.

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
    """`postgres` or `rabbitmq` when it does not work meanwhile: a schedule seldom harms both at a time, and one never
    twice."""
    parks: ClassVar[bool] = False
    """Whether messages may still be parked, or work be left for a person, after it has healed; see `expected`."""

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

    def expected(self) -> list[str]:
        """Ids of messages that this fault has made somebody park or refuse: the checker expects exactly these."""
        return []
