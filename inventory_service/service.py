"""The inventory service as everything that runs or operates it knows it."""

from inventory_service.announcements import announcements
from inventory_service.reactions import reactions
from ordersaga.service import Service

inventory_service = Service("inventory_service", announcements, reactions)
