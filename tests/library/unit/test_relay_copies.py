"""Outcomes of copies are those of messages, whatever the pieces in which the broker confirms them."""

from datetime import UTC, datetime
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from ordersaga.envelope.message import Cause, Message
from ordersaga.relay.confirms import Outcome, Refusal
from ordersaga.relay.copies import Copies

MESSAGE = Message(uuid4(), "test.happened.v1", "test", "key", 1, datetime.now(UTC), bytes(32), Cause(uuid4()), "{}")
copies = st.lists(st.lists(st.booleans(), min_size=1, max_size=4), max_size=12)
"""For each message, whether each of its copies is refused."""


@given(copies, st.lists(st.integers(1, 7)))
def test_a_message_is_settled_with_its_last_copy_and_refused_with_any(
    messages: list[list[bool]], pieces: list[int]
) -> None:
    counted = Copies()
    counted.sent(len(refused) for refused in messages)
    flat = [refused for message in messages for refused in message]
    found: list[bool] = []
    while flat:
        piece, flat = (flat[: pieces[0]], flat[pieces.pop(0) :]) if pieces else (flat, [])
        refusals = tuple(Refusal(index, MESSAGE, "nacked", "") for index, each in enumerate(piece) if each)
        outcome = counted.of_messages(Outcome(len(piece), refusals))
        refused = {refusal.index for refusal in outcome.refusals}
        found += [index in refused for index in range(outcome.settled)]
    assert found == [any(message) for message in messages]
    assert not counted
