"""`python -m order_service`: the worker that reacts for this service."""

import sys

from messaging import worker
from order_service.announcements import announcements
from order_service.reactions import reactions

sys.exit(worker.run(reactions, announcements))
