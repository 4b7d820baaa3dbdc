"""`python -m order_service`: the worker that reacts for this service."""

import sys

from order_service.service import order_service
from ordersaga.consumer import worker

sys.exit(worker.run(order_service))
