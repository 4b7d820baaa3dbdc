"""A message that leaves the table of undeliverable ones while a detached queue passes it is not lost for that queue."""

import pytest

from ordersaga.broker.topology import Group
from tests.simulation import run
from tests.simulation.installed import installed
from tests.simulation.steps import Step

HAPPENED, UNBOUND = "test.happened.v1", "test.unbound.v1"
RELAY = "relay 0"
SEED = 3
THREADS = ((0, 1), (2, 1), (0, 2), (2, 3), (1, 3), (1, 1), (1, 2), (1, 1))
"""Which of its threads makes how many calls: the catch-up reads that the message is never sent, and then the others
have it."""
SCHEDULE = [
    Step("start", (RELAY,)),
    Step("write", (0, "ab", UNBOUND)),
    Step("suspend", ("one.0",)),
    Step("write", (0, "cd", HAPPENED)),
    Step("commit", (0, True)),
    Step("go_on", (8.0,)),
    Step("resume", ("one.0",)),
    Step("go_on", (0.9,)),
    Step("sleep", (1.1,)),
    *(Step("run", (RELAY, *each)) for each in THREADS),
]


def test_what_the_others_get_while_a_queue_that_catches_up_passes_it_reaches_that_queue_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "GROUPS", (Group("both", (HAPPENED, UNBOUND), 2), run.GROUPS[1]))
    with installed():
        run.run(SCHEDULE, SEED)
