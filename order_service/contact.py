"""The contact of an order: personal data, sealed when the order is accepted and opened only to show it."""

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from order_service.order import Order
from ordersaga.http.openapi import Body, View
from ordersaga.privacy.personal import Sealer
from ordersaga.store.transaction import Transaction

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
EMAIL = r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$"
Words = Annotated[str, Field(min_length=1, max_length=200, pattern=PRINTABLE)]


class Address(Body):
    """A postal address; `lines` are the lines of the envelope below the name."""

    lines: list[Words] = Field(min_length=1, max_length=5)
    postal_code: str = Field(min_length=1, max_length=20, pattern=PRINTABLE)
    city: Words
    country: str = Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1, two letters.")


class Contact(Body):
    """Recipient and address, sealed on acceptance; only GET of the order shows it, until it is erased."""

    name: Words
    email: str = Field(max_length=254, pattern=EMAIL)
    address: Address


class AddressView(View):
    """The address as the customer gave it."""

    lines: list[str]
    postal_code: str
    city: str
    country: str


class ContactView(View):
    """The contact as the customer gave it."""

    # A validation error about stored data would otherwise write the data into the log.
    model_config = ConfigDict(hide_input_in_errors=True)

    name: str
    email: str
    address: AddressView


def purpose(order_id: UUID) -> str:
    return f"contact of order {order_id}"


def seal(sealer: Sealer, transaction: Transaction, order_id: UUID, customer: str, contact: Contact) -> str:
    """The sealed text: the only form in which a contact is recorded, announced or kept with an answer."""
    data = contact.model_dump_json().encode()
    return sealer.seal(transaction.connection, customer, purpose(order_id), data)


def unseal(sealer: Sealer, transaction: Transaction, order: Order) -> ContactView | None:
    """The contact, or None when the order has none or it was erased. Raises Unreadable."""
    if order.contact is None:
        return None
    data = sealer.unseal(transaction.connection, order.customer, purpose(order.id), order.contact)
    return None if data is None else ContactView.model_validate_json(data)
