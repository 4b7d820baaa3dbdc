"""`python -m projections`: the worker that builds the read side."""

import sys

from ordersaga.consumer import worker
from projections.projector import Projector
from projections.reactions import reactions

sys.exit(worker.run_handler(reactions.group, Projector()))
