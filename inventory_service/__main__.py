"""`python -m inventory_service`: the worker that reacts for this service."""

import sys

from inventory_service.service import inventory_service
from ordersaga.consumer import worker

sys.exit(worker.run(inventory_service))
