"""reconcile over the shop: finished orders are clean, a failed refund is not, and the launcher has the command."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from devstack.cli import main
from order_service.commands import UnpricedLine
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.reconcile import Reconciliation
from ordersaga.runtime.settings import url_variable
from shop import services
from tests.shop.support.reconciled_shop import Shop
from tests.shop.support.saga_on_postgres import open_shop, parties_on_postgres
from tests.support.databases import Databases


@pytest.fixture
def empty_shop(database: Databases) -> Iterator[Shop]:
    parties = parties_on_postgres(database)
    yield Shop(parties, database("projections"), open_shop(parties))
    for party in parties.values():
        party.close()


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    empty_shop.trade()
    return empty_shop


def test_finished_orders_are_clean(shop: Shop) -> None:
    found: list[ReconcileFinding] = []
    totals = Reconciliation(services, shop.urls, found.append, patience=0).run()
    assert found == []
    assert totals.events > 30
    assert totals.messages == sum(len(party.said_after(0)) for party in shop.parties.values())


def test_the_command_of_the_launcher_names_what_one_order_lacks(shop: Shop) -> None:
    assert json.loads(run(shop, "--json", expect=0).stdout)["clean"] is True
    gone = shop.message("order_service", "orders.order_confirmed.v1")
    shop.by_hand("projections", "delete from event_log where message_id = %s returning 1", (gone.id,))
    [finding] = json.loads(run(shop, "--json", "--key", gone.key, expect=1).stdout)["findings"]
    assert (finding["kind"], finding["place"], finding["message_id"]) == (
        "missing",
        "projections.event_log",
        str(gone.id),
    )
    assert "Nothing is known of key" in run(shop, "--key", str(uuid4()), expect=1).stderr


@pytest.mark.parametrize("part", [0, 30], ids=["of a cancelled order", "of a part"])
def test_a_refund_that_failed_is_named_until_it_is_made(empty_shop: Shop, part: int) -> None:
    shop = empty_shop
    shop.saga.receive_stock("cup", 1)
    order_id = shop.saga.place([UnpricedLine("cup", 1)], "pm_sim_disputed")
    shop.saga.settle()
    if part:
        shop.saga.refund_part(order_id, part)
    else:
        shop.saga.cancel(order_id)
    shop.saga.settle()
    shop.log_all()
    [finding] = shop.findings()
    assert (finding.kind, finding.place, finding.key) == ("unsettled", "payment_service.stored_events", str(order_id))
    assert "has failed (charge_disputed)" in finding.detail
    assert shop.findings(key=order_id) == [finding]
    assert shop.findings(key=uuid4()) == []
    shop.saga.retry_refund(order_id)
    shop.saga.settle()
    shop.log_all()
    assert shop.findings() == []


def run(shop: Shop, *arguments: str, expect: int) -> Result:
    urls = {url_variable(name): url for name, url in shop.urls.items()}
    command = ["reconcile", "--patience", "0", *arguments]
    done = CliRunner().invoke(main, command, env={**urls, "AMQP_URL": "amqp://nobody@127.0.0.1:1/none"})
    assert done.exit_code == expect, done.output
    return done
