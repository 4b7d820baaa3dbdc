"""`python -m projections`: the worker that builds the read side."""

import sys

from ordersaga.consumer import worker
from projections.service import projections

sys.exit(worker.run(projections))
