"""The order service as everything that runs or operates it knows it."""

from order_service.announcements import announcements
from order_service.reactions import reactions
from order_service.settings import OrderSettings
from ordersaga.service import Service

order_service = Service("order_service", announcements, reactions, settings=OrderSettings)
