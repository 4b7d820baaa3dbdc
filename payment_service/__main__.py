"""`python -m payment_service`: the worker that reacts for this service."""

import sys

from ordersaga.consumer import worker
from payment_service.service import payment_service

sys.exit(worker.run(payment_service))
