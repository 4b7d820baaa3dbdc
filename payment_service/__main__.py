"""`python -m payment_service`: the worker that reacts for this service."""

import sys

from ordersaga.consumer import worker
from payment_service.announcements import announcements
from payment_service.reactions import reactions

sys.exit(worker.run(reactions, announcements))
