"""The read side answers for every message that it accepts, also at the limits of an envelope."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from contracts.orders import OrderLine, OrderPlaced
from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope import limits
from ordersaga.envelope.message import Cause, Message
from projections.service import projections
from tests.support.api import running, token
from tests.support.databases import Databases
from tests.support.parking import delivery
from tests.support.workers import counted

AUDITOR = token("auditor", "aud")
SINCE = "events?since=1990-01-01T00:00:00Z"
PAGES = ("sagas", "unfinished", "events", SINCE, "payments", "figures", "search?q=cup", "audit/trail")
ACCEPTED = [datetime(2000, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
REFUSED = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]


def placed(time: datetime) -> Message:
    line = OrderLine(sku="cup", quantity=1, unit_price=700)
    data = OrderPlaced(
        order_id=uuid4(),
        customer="bob",
        lines=(line,),
        total=700,
        currency="EUR",
        card="pm_card_visa",
        complete_by=None,
    )
    return replace(
        counted(data.order_id, limits.MAX_SEQUENCE),
        contract=data.NAME,
        source=data.SOURCE,
        time=time,
        cause=Cause(uuid4(), uuid4(), "a" * limits.MAX_ACTOR),
        body=data.model_dump_json(),
    )


def test_every_page_answers_whatever_was_accepted(database: Databases, tmp_path: Path) -> None:
    store = database("projections")
    messages = [placed(time) for time in (*ACCEPTED, *REFUSED)]
    receiver = Receiver("projections", projections.handler())
    with store.connect() as connection:
        for message in messages:
            receiver.receive(connection, receiver.read([delivery(message)]))
    assert store.rows("select count(*) from event_log") == [(2,)]
    assert store.rows("select key, state, error from parked_messages") == [(None, "dead", "UnreadableMessage")] * 2
    with running(store, tmp_path) as api:
        for path in (*PAGES, *(f"sagas/{message.key}/timeline" for message in messages[:2])):
            answer = api.call("GET", f"/api/{path}", AUDITOR)
            assert answer.status_code == 200, f"{path}: {answer.text}"
