"""`python -m payment_service`: the worker that reacts for this service, with the card processor as its world."""

import sys

from messaging import worker
from messaging.settings import MissingSetting, read_settings
from payment_service.announcements import announcements
from payment_service.choose_gateway import gateway_from
from payment_service.reactions import reactions

try:
    gateway = gateway_from(read_settings())
except MissingSetting as missing:
    sys.stderr.write(f"payment_service: {missing}\n")
    sys.exit(2)
sys.exit(worker.run(reactions, announcements, gateway))
