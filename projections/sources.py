"""The services whose event stores the read side can be made from again."""

from inventory_service.service import inventory_service
from order_service.service import order_service
from payment_service.service import payment_service

SOURCES = {service.name: service for service in (order_service, payment_service, inventory_service)}
