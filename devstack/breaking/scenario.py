"""FailureScenario: the cause of a failure, its visible effects, and how it heals."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar
from uuid import UUID

from devstack.breaking.scene import Scene


def tell_nobody(_text: str) -> None:
    """For a scenario whose steps nobody reads."""


class FailureScenario:
    """Call `prepare`, enter `broken`, call `begin` in it, leave it, and wait until `is_healed`.

    `break` runs it on the running stack, `chaos` on a stack of its own, with `settings`, and tells what happened.
    """

    name: ClassVar[str]
    """Kebab-case, as it is typed."""
    about: ClassVar[str]
    """What a reader who does not know the project must know to follow it."""
    does: ClassVar[str]
    """The cause, as a sentence."""
    expect: ClassVar[str]
    """What one should see meanwhile."""
    heals: ClassVar[str]
    """What ends it."""
    pages: ClassVar[tuple[str, ...]] = ()
    """Paths of the pages of the dashboard that show it."""
    commands: ClassVar[tuple[str, ...]] = ()
    """Commands that show it, without `./ordersaga`."""
    skus: ClassVar[tuple[str, ...]]
    """The products of its orders."""
    watched: ClassVar[str] = ""
    """The process whose /readyz is shown."""
    seconds: ClassVar[float] = 0
    """How long the cause lasts, unless --seconds says otherwise; 0 for a cause that is over at once."""
    brief: ClassVar[float] = 0
    """The same on a stack of its own, where nobody looks at pages meanwhile."""
    limit: ClassVar[float] = 120
    """Seconds after the end of the cause in which it must have healed."""
    settings: ClassVar[Mapping[str, str]] = {}
    """Environment of the processes on a stack of its own."""

    def __init__(self, scene: Scene, seconds: float, say: Callable[[str], None] = tell_nobody) -> None:
        self.scene = scene
        self.lasts = seconds
        self.say = say
        """Tells what has just happened, as a sentence."""

    def check(self) -> None:
        """On a running stack: raises CannotRunHere when it would touch anything that this stack has not started."""

    def prepare(self) -> None:
        """Products and stock, before anything is broken."""

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

    def titles(self) -> Mapping[UUID, str]:
        """The orders whose narrative is worth reading, with a title."""
        return self.scene.titles

    def findings(self) -> Sequence[str]:
        """What else was found in the stores afterwards, as sentences."""
        return ()

    def planted(self) -> Sequence[str]:
        """Ids of what is not true on purpose: the checker must name it, and that is no fault of the stack."""
        return ()
