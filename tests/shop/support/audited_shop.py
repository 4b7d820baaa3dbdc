"""A shop with everything that the audit is asked about: orders that ended, an operator's action, views, sealed logs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from devstack.keys import audit_key_pem
from devstack.state import State
from ordersaga.audit.note import Signer
from ordersaga.envelope.message import Message, to_properties
from ordersaga.inbox.delivery import Delivery
from ordersaga.parked.operations import skip
from ordersaga.parked.operator import Operator
from ordersaga.parked.table import NewlyParked, append
from ordersaga.runtime.errors import Failure
from projections.service import projections
from tests.shop.support.audited import AuditedShop
from tests.shop.support.reconciled_shop import Shop
from tests.shop.support.saga_on_postgres import open_shop, parties_on_postgres
from tests.support.databases import Database, Databases


@contextmanager
def audited_shop(databases: Databases, state: State) -> Iterator[Shop]:
    """Its key and its logs are where a stack of this state has them."""
    parties = parties_on_postgres(databases)
    shop = Shop(parties, databases("projections"), open_shop(parties))
    try:
        shop.trade()
        with shop.projections.connect() as connection, connection.transaction():
            projections.fold(connection, 1, 1_000_000)
        skip_the_first_charge(shop)
        stores = {name: party.database for name, party in parties.items()}
        AuditedShop(stores, state.directory / "audit", Signer.from_pem(audit_key_pem(state))).seal()
        yield shop
    finally:
        for party in parties.values():
            party.close()


def skip_the_first_charge(shop: Shop) -> None:
    """Bob skips the first charge that the orders were told of."""
    charged = shop.message("payment_service", "payments.payment_captured.v1")
    skip_a_message(shop.parties["order_service"].database, charged, Operator("bob", "sent twice"))


def skip_a_message(
    database: Database, message: Message, who: Operator, headers: Mapping[str, str] | None = None
) -> None:
    """It was parked, with other headers than its own where these are given."""
    own = to_properties(message).headers
    delivery = Delivery(0, message.routing_key, own if headers is None else headers, message.body.encode())
    failure = Failure("ValueError", "somewhere", "no", "")
    with database.connect() as connection:
        append(connection, [NewlyParked(message.id, message.key, message.contract, delivery, "dead", failure, 8)])
        skip(connection, message.id, who)
