"""A relay that holds because too much is undeliverable goes on by itself, also while queues are detached."""

import pytest

from ordersaga.relay import dispatch
from ordersaga.relay.detachments import Detachments
from ordersaga.relay.undeliverable import Undeliverable
from ordersaga.relay.window import Cursor
from tests.simulation.run import run
from tests.simulation.schedule_run import Violated
from tests.simulation.steps import Step

pytestmark = pytest.mark.usefixtures("in_simulation")
HAPPENED, NOTED = "test.happened.v1", "test.noted.v1"
SEED = 900_512
"""Of the search that found it."""
STANDSTILL = [
    Step("start", ("relay 0",)),
    Step("suspend", ("both.0",)),
    Step("write", (2, "cddab", HAPPENED)),
    Step("commit", (2, False)),
    Step("suspend", ("both.1",)),
    Step("fill", ("one.0",)),
    Step("go_on", (5.0,)),
    Step("commit", (1, True)),
    Step("write", (2, "dccab", NOTED)),
]
"""Two queues are detached, and the third refuses: the table is full inside of the next window, when all has healed."""
MUCH = [step for _ in range(6) for step in (Step("write", (1, "dccab", HAPPENED)), Step("commit", (1, True)))]


@pytest.fixture
def attached_at(monkeypatch: pytest.MonkeyPatch) -> list[Cursor]:
    """Where queues have been attached."""
    attach, places = Detachments.attach, []

    def note(self: Detachments, cursor: Cursor) -> None:
        rows = self.rows
        attach(self, cursor)
        if self.rows != rows:
            places.append(cursor)

    monkeypatch.setattr(Detachments, "attach", note)
    return places


def test_detached_queues_are_attached_inside_a_window_while_a_full_table_holds_the_relay(
    attached_at: list[Cursor],
) -> None:
    run(STANDSTILL, SEED)
    assert any(place.target for place in attached_at)


def test_the_table_of_undeliverable_messages_has_a_bound_while_queues_are_detached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule = [*STANDSTILL[:-2], *MUCH, Step("go_on", (5.0,))]
    run(schedule, SEED)

    class Unbounded(Undeliverable):
        is_full = property(lambda _: False)

    monkeypatch.setattr(dispatch, "Undeliverable", Unbounded)
    with pytest.raises(Violated, match="messages are undeliverable, of at most 16"):
        run(schedule, SEED)
