"""Failover: a load, a primary that is killed, a standby that is promoted, and the verdicts."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from devstack.chaos.checker.check import check
from devstack.chaos.checker.conclude import conclude
from devstack.chaos.checker.recovery import recover
from devstack.chaos.checker.settle import settle
from devstack.chaos.cluster.caught import caught
from devstack.chaos.cluster.pair import Mode, Pair
from devstack.chaos.history import History, read
from devstack.chaos.load import Load
from devstack.chaos.stage import Stage
from devstack.chaos.verdict import Verdict
from devstack.processes import GROUPS

ON_PAIR: dict[Mode, Sequence[str]] = {"synchronous": GROUPS, "asynchronous": ("order_service",)}
"""Which databases fail over. Where all of them lose the same commits, no other service is left to contradict."""
JITTER = 2.0
"""The primary dies up to so many seconds later, as the seed says: at any moment."""
SETTLE_SECONDS = 45
LAG_SECONDS = 4.0


@dataclass
class Failover:
    """`judged` decides; `seen` is what the checker says of a stack that has lost commits."""

    stage: Stage
    pair: Pair
    say: Callable[[str], None]
    judged: list[Verdict] = field(default_factory=list)
    seen: list[Verdict] = field(default_factory=list)

    def run(self, *, seconds: float, rate: float, seed: int) -> None:
        """Under a load for so many seconds before the failover and after it.

        Raises Failed: the standby was not promoted.
        """
        chance = Random(seed)
        with History(self.stage.directory / "history.jsonl") as history:
            load = Load(self.stage, history, rate=rate, seed=seed)
            load.open()
            self.say(f"A load of {rate:g} orders a second begins (seed {seed}).")
            load.start()
            try:
                time.sleep(seconds + JITTER * chance.random())
                self.fail_over()
                time.sleep(seconds)
                self.judge(history, load)
            finally:
                load.stop()

    def fail_over(self) -> None:
        pair = self.pair
        if pair.mode == "asynchronous":
            pair.cut()
            self.say(f"{pair.standby.name} is cut off from its primary, which does not wait for it.")
            time.sleep(LAG_SECONDS)
        victim = pair.primary.name
        self.say(f"{victim}, the primary of {', '.join(ON_PAIR[pair.mode])}, is killed (SIGKILL).")
        pair.fail_over()
        self.say(f"{pair.primary.name} is promoted. The processes find it by themselves: their URLs name both.")

    def judge(self, history: History, load: Load) -> None:
        if self.pair.mode == "synchronous":
            self.judged = conclude(self.stage, history, load, say=self.say)
            return
        recover(self.stage, history)
        load.stop()
        self.say("Waiting until all has ended that can: what has lost its other half waits for a person.")
        settle(self.stage, SETTLE_SECONDS)
        operations = read(history.path)
        self.judged = [caught(self.stage, operations)]
        self.seen = check(self.stage, operations)
