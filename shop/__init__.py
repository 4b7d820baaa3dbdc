"""The map of the shop: its services, as commands name them (`ordersaga --app shop`)."""

from inventory_service.service import inventory_service
from order_service.service import order_service
from payment_service.service import payment_service
from projections.service import projections

services = (order_service, payment_service, inventory_service, projections)
