"""Requests for charges."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from payment_service.gateway import ChargeRequest


def asked(order_id: UUID, amount: int, currency: str, card: str, age: timedelta = timedelta()) -> ChargeRequest:
    """First asked for so long ago."""
    return ChargeRequest(order_id, amount, currency, card, datetime.now(UTC) - age)
