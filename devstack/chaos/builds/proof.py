"""Proof: one build under its load and harm, and what the checker says."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from devstack.chaos.builds.build import Build
from devstack.chaos.builds.harm import Damage, Harm
from devstack.chaos.checker.check import check
from devstack.chaos.checker.placed import placed
from devstack.chaos.checker.settle import settle
from devstack.chaos.history import History, read
from devstack.chaos.load import Load
from devstack.chaos.rendering import as_objects
from devstack.chaos.stage import Stage, staged
from devstack.chaos.verdict import Verdict
from devstack.chaos.wiring import Wiring
from devstack.state import State

RATE, SEED = 8.0, 1
WARM_UP_SECONDS = 4.0
COOL_DOWN_SECONDS = 2.0
SETTLE_SECONDS = 15.0
"""For a broken build: what is lost never settles."""
SETTLE_SOUND_SECONDS = 90.0


@dataclass(frozen=True)
class Proof:
    """`seconds` from the first order of the load to the verdicts, without start and end of the stack."""

    build: str
    """Empty for the unbroken code."""
    harm: str
    said: str
    seconds: float
    verdicts: Sequence[Verdict]

    @property
    def bad(self) -> list[str]:
        """The names of the bad verdicts."""
        return [verdict.name for verdict in self.verdicts if not verdict.is_good]

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "verdicts": as_objects(self.verdicts), "bad": self.bad}


def prove(build: Build, directory: Path, console: Console) -> Proof:
    """Run the build on a stack of its own below `directory`. Raises Failed, CannotRunHere, LookupError."""

    def prepare(_: State, wiring: Wiring) -> None:
        build.install(wiring, directory / "build")

    return perform(build.name, build.harm, directory, console, prepare, SETTLE_SECONDS)


def control(harm: Harm, directory: Path, console: Console) -> Proof:
    """Run the unbroken code under the same load and harm. Raises Failed, CannotRunHere."""
    return perform("", harm, directory, console, lambda _state, _wiring: None, SETTLE_SOUND_SECONDS)


def perform(
    name: str,
    harm: Harm,
    directory: Path,
    console: Console,
    prepare: Callable[[State, Wiring], None],
    limit: float,
) -> Proof:
    directory.mkdir(parents=True, exist_ok=True)
    caller = {**os.environ, **harm.settings}
    with staged(directory, console, caller, prepare=prepare) as stage, History(directory / "history.jsonl") as history:
        load = Load(stage, history, rate=RATE, seed=SEED)
        load.open()
        harm.before(stage)
        began = time.monotonic()
        try:
            damage = run(stage, load, harm, limit)
        finally:
            load.stop()
        if load.indeterminate():
            load.resolve(limit)
            settle(stage, limit, damage.expected)
        verdicts = [*check(stage, read(history.path), damage.expected), placed(load.operations, load.failures)]
        return Proof(name, harm.does, damage.said, round(time.monotonic() - began, 1), verdicts)


def run(stage: Stage, load: Load, harm: Harm, limit: float) -> Damage:
    """The load with the harm in it, or behind it, until all that can settle has settled."""
    load.start()
    time.sleep(WARM_UP_SECONDS)
    damage = Damage("") if harm.after_load else harm.act(stage)
    time.sleep(COOL_DOWN_SECONDS)
    load.stop()
    settle(stage, limit)
    if harm.after_load:
        damage = harm.act(stage)
        settle(stage, limit, damage.expected)
    return damage
