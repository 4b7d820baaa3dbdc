"""The faults that a schedule chooses from, by name."""

from devstack.chaos.fault import Fault

KINDS: tuple[type[Fault], ...] = ()
FAULTS: dict[str, type[Fault]] = {kind.name: kind for kind in KINDS}
