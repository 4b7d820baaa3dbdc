"""Stage: the running stack that faults are injected into."""

from dataclasses import dataclass
from pathlib import Path

from devstack.breaking.scene import Scene
from devstack.running import Stack


@dataclass(frozen=True)
class Stage:
    """A stack of a chaos run's own: everything in it may be harmed."""

    stack: Stack
    scene: Scene
    directory: Path
    """For what the run keeps: history, timeline, report."""
