"""A worker has a session while it shares the gate of its group, and none while the queues are being changed."""

from dataclasses import replace

import pytest

from ordersaga.consumer import gate
from ordersaga.consumer.gate import GatedLink
from ordersaga.database.locks import GROUP_GATE, UNLOCK, try_lock
from ordersaga.runtime.errors import Unavailable
from ordersaga.runtime.sessions import WORKER
from tests.support.databases import Databases
from tests.support.wait import until


def test_a_worker_gets_no_session_while_the_queues_are_changed_and_keeps_a_change_out_while_it_has_one(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "BRIEFLY", "set local lock_timeout = '20ms'")
    database = databases()
    link = GatedLink("the database", database.url, replace(WORKER, lock=60, statement=5))
    with database.connect() as change:
        assert try_lock(change, GROUP_GATE)
        for _ in range(2):
            with pytest.raises(Unavailable, match="the queues of this group are being changed"):
                link.connection()
        change.execute(UNLOCK, GROUP_GATE)
        session = link.connection()
        assert link.connection() is session
        assert not try_lock(change, GROUP_GATE)
        link.close()
        until(lambda: try_lock(change, GROUP_GATE))
