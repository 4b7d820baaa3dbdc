"""Envelopes as anybody may send them; tests/chaos reads a hundred thousand."""

from ordersaga.inbox.delivery import Broken, Delivery, read
from tests.support.any_envelope import SOUND, any_envelopes, read_all
from tests.support.counting import Counted

NUMBER = 10_000


def test_an_envelope_is_refused_with_a_reason_or_comes_back_as_it_was_read() -> None:
    accepted, reasons = read_all(seed=9, number=NUMBER)
    assert len(accepted) > NUMBER // 10
    assert len(reasons) > 50


def test_a_worker_holds_any_envelope_and_what_it_cannot_read_keeps_no_message_id() -> None:
    received = 0
    for headers, body in any_envelopes(seed=10, number=NUMBER):
        message = read(Delivery(1, SOUND.routing_key, headers, body), {Counted.NAME: Counted})
        if isinstance(message, Broken):
            assert message.id != SOUND.id
            assert message.key in (None, headers.get("ce-subject"))
            assert isinstance(message.contract, str | None)
        else:
            received += 1
            assert message.key == SOUND.key
    assert received > 100
