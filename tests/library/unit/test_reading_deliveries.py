"""What a worker makes of a delivery: received, or broken for one reason, with the key that it may block."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from ordersaga.envelope.message import Message, to_headers
from ordersaga.inbox.delivery import (
    SUSPECT,
    Broken,
    DeadLettered,
    Delivery,
    ForeignSource,
    KeyMismatch,
    NoAnswer,
    Received,
    UnknownContract,
    read,
)
from tests.support.counting import Asked, Counted
from tests.support.workers import counted

CONTRACTS = {Counted.NAME: Counted}
MESSAGE = counted(uuid4(), 1)
OTHER = str(uuid4())


def delivered(message: Message = MESSAGE, **changes: Any) -> Delivery:
    delivery = Delivery(1, message.routing_key, to_headers(message), message.body.encode(), queue="counting.0")
    return delivery._replace(**changes)


def received(**changes: Any) -> Received:
    found = read(delivered(**changes), CONTRACTS)
    assert isinstance(found, Received)
    return found


def test_a_sound_message_is_received() -> None:
    found = received()
    assert (found.id, found.key, found.contract) == (MESSAGE.id, MESSAGE.key, Counted.NAME)
    assert found.data == Counted(counter_id=UUID(MESSAGE.key), number=1)


@pytest.mark.parametrize(
    ("delivery", "reason", "key"),
    [
        (delivered(routing_key="test.counted.v1.99"), KeyMismatch, None),
        (delivered(replace(MESSAGE, source="counting")), ForeignSource, None),
        (delivered(dead_lettered="delivery limit reached", routing_key=""), DeadLettered, MESSAGE.key),
        (delivered(replace(MESSAGE, contract=Asked.NAME)), UnknownContract, MESSAGE.key),
        (delivered(body=f'{{"counter_id": "{OTHER}", "number": 1}}'.encode()), KeyMismatch, None),
    ],
    ids=["routing key", "source", "dead letter", "contract", "key"],
)
def test_what_is_wrong_with_a_message_is_told_and_only_a_key_that_its_source_named_is_blocked(
    delivery: Delivery, reason: type[Exception], key: str | None
) -> None:
    found = read(delivery, CONTRACTS)
    assert isinstance(found, Broken)
    assert (type(found.reason), found.key) == (reason, key)
    assert found.is_unknown == (reason is UnknownContract)
    assert found.id == found.id != MESSAGE.id


def test_a_broken_message_has_the_same_id_when_it_comes_again_and_another_with_another_body() -> None:
    def id_of(**changes: Any) -> UUID:
        return read(delivered(dead_lettered="x", **changes), CONTRACTS).id

    def unreadable(**headers: object) -> UUID:
        return read(delivered(headers={"ce-type": "a", **headers}), CONTRACTS).id

    assert id_of() == id_of(tag=2, delivered_before=1) != id_of(body=b"{}")
    assert unreadable(a=1, b=2) == unreadable(b=2, a=1)
    assert unreadable() == unreadable(**{"x-death": "of the broker"}) != unreadable(**{"ce-id": "of the publisher"})


@pytest.mark.parametrize(
    ("delivery", "called", "may_have_called"),
    [({}, False, False), ({}, True, True), ({"called": True}, False, True), ({"delivered_before": 1}, False, True)],
    ids=["no attempt", "this attempt", "a parked attempt", "an earlier delivery"],
)
def test_any_attempt_may_have_called_the_resource(
    delivery: dict[str, Any], called: bool, may_have_called: bool
) -> None:
    assert replace(received(**delivery), called=called).may_have_called is may_have_called


def test_only_deliveries_without_an_acknowledgement_make_a_message_suspect() -> None:
    assert [delivered(delivered_before=before).is_suspect for before in (0, SUSPECT - 1, SUSPECT, SUSPECT + 1)] == [
        False,
        False,
        True,
        True,
    ]


def test_no_answer_is_an_answer_and_one_that_was_left_out_is_not() -> None:
    assert replace(received(), answer=None).require_answer() is None
    with pytest.raises(NoAnswer):
        received().require_answer()
