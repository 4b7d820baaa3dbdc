"""The Service of the inventory service: its announcements and reactions."""

from inventory_service.announcements import announcements
from inventory_service.reactions import reactions
from ordersaga.service import Service

inventory_service = Service("inventory_service", announcements, reactions)
