"""What is sent or handled together has few rows and few bytes, or is a single one that is larger."""

from uuid import uuid4

import pytest

from ordersaga.consumer import receiver
from ordersaga.consumer.receiver import Receiver, batched, runs
from ordersaga.inbox.delivery import Received, read
from ordersaga.relay import dispatch
from ordersaga.relay.window import Outgoing
from tests.support.counting import GROUP
from tests.support.parking import delivery, handler
from tests.support.workers import counted


def rows(*sizes: int) -> list[Outgoing]:
    return [Outgoing(position, counted(uuid4(), position), size) for position, size in enumerate(sizes, 1)]


def messages(number: int) -> list[Received]:
    found = [read(delivery(counted(uuid4(), 1)), handler.contracts) for _ in range(number)]
    return [message for message in found if isinstance(message, Received)]


@pytest.mark.parametrize(
    ("sizes", "chunks"),
    [
        ((), []),
        ((1, 1, 1), [[1, 1], [1]]),
        ((4, 6), [[4, 6]]),
        ((4, 7), [[4], [7]]),
        ((11, 1), [[11], [1]]),
        ((1, 10, 1), [[1], [10], [1]]),
        ((5, 5, 5, 5), [[5, 5], [5, 5]]),
    ],
)
def test_a_write_to_the_socket_has_few_rows_and_bytes_or_one_row_that_is_larger(
    sizes: tuple[int, ...], chunks: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "CHUNK", 2)
    monkeypatch.setattr(dispatch, "CHUNK_BYTES", 10)
    given = rows(*sizes)
    found = list(dispatch.chunks(given))
    assert [[row.size for row in chunk] for chunk in found] == chunks
    assert [row for chunk in found for row in chunk] == given


def test_a_transaction_has_few_messages_and_bytes_or_one_message_that_is_larger() -> None:
    given = messages(5)
    bytes_ = len(given[0].delivery.body)

    def sizes(size: int, most_bytes: int) -> list[int]:
        batches = list(batched(given, size, most_bytes))
        assert [message for batch in batches for message in batch] == given
        return [len(batch) for batch in batches]

    assert sizes(9, 9 * bytes_) == [5]
    assert sizes(2, 9 * bytes_) == [2, 2, 1]
    assert sizes(9, 2 * bytes_) == [2, 2, 1]
    assert sizes(9, 2 * bytes_ - 1) == [1, 1, 1, 1, 1]
    assert sizes(9, bytes_ - 1) == [1, 1, 1, 1, 1]
    assert list(batched([], 9)) == []


@pytest.mark.parametrize(
    ("failed", "batches"), [(0, [1, 4]), (2, [2, 1, 2]), (4, [4, 1])], ids=["first", "middle", "last"]
)
def test_a_message_that_has_failed_is_alone_in_its_transaction(failed: int, batches: list[int]) -> None:
    given = messages(5)
    given[failed].failure = ValueError("no")
    assert [len(batch) for batch in batched(given, 9)] == batches
    assert [len(run) for run in runs(given)] == batches


def test_after_a_failure_transactions_grow_again_and_no_further_than_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Receiver, "react_together", lambda *_: None)
    monkeypatch.setattr(receiver, "MAX_BATCH", 5)
    one = Receiver(GROUP, handler)
    one.max_batch = 1
    sizes = []
    for _ in range(4):
        one.react(None, messages(1))  # type: ignore[arg-type]
        sizes.append(one.max_batch)
    assert sizes == [2, 4, 5, 5]
