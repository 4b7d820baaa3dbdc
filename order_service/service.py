"""The Service of the order service: its announcements, reactions and settings."""

from order_service.announcements import announcements
from order_service.reactions import reactions
from order_service.settings import OrderSettings
from ordersaga.service import Service

order_service = Service("order_service", announcements, reactions, settings=OrderSettings)
