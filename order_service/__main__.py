"""`python -m order_service`: the worker that reacts for this service."""

import sys

from order_service.announcements import announcements
from order_service.reactions import reactions
from ordersaga.consumer import worker

sys.exit(worker.run(reactions, announcements))
