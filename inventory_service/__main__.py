"""`python -m inventory_service`: the worker that reacts for this service."""

import sys

from inventory_service.announcements import announcements
from inventory_service.reactions import reactions
from ordersaga.consumer import worker

sys.exit(worker.run(reactions, announcements))
