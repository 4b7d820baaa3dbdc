"""BreakScenario: the cause of a failure, its visible effects, and how it heals."""

from contextlib import AbstractContextManager
from typing import ClassVar

from devstack.breaking.scene import Scene


class BreakScenario:
    """Call `check`, then enter `broken`, call `begin` in it, leave it, and wait until `is_healed`."""

    does: ClassVar[str]
    """The cause, as a sentence."""
    expect: ClassVar[str]
    """What one should see meanwhile."""
    heals: ClassVar[str]
    """What ends it."""
    pages: ClassVar[tuple[str, ...]]
    """Of the dashboard, by their paths."""
    commands: ClassVar[tuple[str, ...]]
    """That show it, without `./ordersaga`."""
    watched: ClassVar[str] = ""
    """The process whose /readyz is shown."""
    seconds: ClassVar[float]
    """How long the cause lasts, unless --seconds says otherwise."""
    limit: ClassVar[float] = 120
    """Seconds after the end of the cause in which it must have healed."""

    def __init__(self, scene: Scene, seconds: float) -> None:
        self.scene = scene
        self.lasts = seconds

    def check(self) -> None:
        """Raises CannotRunHere when the scenario would touch anything that this stack has not started."""

    def broken(self) -> AbstractContextManager[None]:
        """The cause exists for as long as the block lasts, however the block ends."""
        raise NotImplementedError

    def begin(self) -> str:
        """Place orders while the cause exists. Returns what was done, as a sentence."""
        raise NotImplementedError

    def seen(self) -> str:
        """The states of the orders, as a sentence; it is printed when it changes."""
        states = self.scene.ask()
        orders = f"Orders: {', '.join(f'{number} {state}' for state, number in sorted(states.items()))}."
        return f"{orders} {self.scene.said_by(self.watched) if self.watched else ''}".rstrip()

    def has_struck(self) -> bool:
        """Whether the cause has had its effect; before that it does not end."""
        return True

    def is_healed(self) -> bool:
        return self.scene.have_ended()

    def verdict(self) -> str:
        """What is wrong after all orders have ended; empty when nothing is."""
        return ""

    def advice(self) -> str:
        """What a person must do where it has not healed."""
        return "Look at ./ordersaga status and ./ordersaga doctor."
