"""A shop with everything that the audit is asked about: orders that ended, an operator's action, views, sealed logs."""

from collections.abc import Iterator
from contextlib import contextmanager

from messaging.failures import Failure
from messaging.message import to_properties
from messaging.receiving.delivery import Delivery
from messaging.receiving.operations import Operator, skip
from messaging.receiving.parked import Entry, append
from projections.audit.note import Signer
from projections.views.fold import fold
from stack.keys import audit_key_pem
from stack.state import State
from tests.support.audited import Audited
from tests.support.databases import Databases
from tests.support.reconciled_shop import Shop
from tests.support.saga_on_postgres import open_shop, parties_on_postgres


@contextmanager
def audited_shop(databases: Databases, state: State) -> Iterator[Shop]:
    """Its key and its logs are where a stack of this state has them."""
    parties = parties_on_postgres(databases)
    shop = Shop(parties, databases("projections"), open_shop(parties))
    try:
        shop.trade()
        with shop.projections.connect() as connection, connection.transaction():
            fold(connection, 1, 1_000_000)
        skip_a_message(shop)
        stores = {name: party.database for name, party in parties.items()}
        Audited(stores, state.directory / "audit", Signer.from_pem(audit_key_pem(state))).seal()
        yield shop
    finally:
        for party in parties.values():
            party.close()


def skip_a_message(shop: Shop) -> None:
    """Bob skips the first charge that the orders were told of."""
    message = shop.message("payment_service", "payments.payment_captured.v1")
    delivery = Delivery(0, message.routing_key, to_properties(message).headers, message.body.encode())
    failure = Failure("ValueError", "somewhere", "no", "")
    with shop.parties["order_service"].database.connect() as connection:
        append(connection, [Entry(message.id, message.key, message.contract, delivery, "dead", failure, 8)])
        skip(connection, message.id, Operator("bob", "sent twice"))
