"""The Service of the payment service: its announcements, reactions, settings and card processor."""

from ordersaga.service import Service
from payment_service.announcements import announcements
from payment_service.choose_gateway import gateway_from
from payment_service.owed import owed
from payment_service.reactions import limits_from, reactions
from payment_service.settings import PaymentSettings

payment_service = Service(
    "payment_service",
    announcements,
    reactions,
    settings=PaymentSettings,
    resources=gateway_from,
    limits=limits_from,
    unsettled=owed,
)
