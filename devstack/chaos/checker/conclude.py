"""Conclusion: the steps from the last heal to the verdicts, in their order."""

from collections.abc import Callable, Collection

from devstack.chaos.checker.check import check
from devstack.chaos.checker.placed import placed
from devstack.chaos.checker.recovery import recover
from devstack.chaos.checker.settle import settle
from devstack.chaos.history import History, read
from devstack.chaos.load import Load
from devstack.chaos.stage import Stage
from devstack.chaos.verdict import Verdict


def conclude(
    stage: Stage,
    history: History,
    load: Load,
    limit: float = 120,
    expected_parked: Collection[str] = (),
    say: Callable[[str], None] = lambda text: None,
) -> list[Verdict]:
    """Measure the recovery, stop the load, let everything end, ask again for what had no answer, and check.

    Call it when the last fault is healed. `limit` is seconds, for each of the steps that wait; what has not settled
    by then is found by the verdicts. `say` is told what is done and waited for.
    """
    recover(stage, history, limit)
    load.stop()
    settle(stage, limit, expected_parked, say)
    if unanswered := load.indeterminate():
        say(f"Asking again for {len(unanswered)} commands without an answer.")
        load.resolve(limit)
        settle(stage, limit, expected_parked, say)
    say("Checking.")
    return [*check(stage, read(history.path), expected_parked), placed(load.operations, load.failures)]
