"""`python -m tests.library.killed_seeding`: seeds the late group, and kills itself in the middle."""

import json
import sys
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel

from ordersaga.broker import seeding as bindings
from ordersaga.seeding import record
from ordersaga.seeding.access import SeedingAccess
from ordersaga.seeding.seeding import Seeding
from ordersaga.seeding.sender import Sender
from tests.library.seeded import OPERATOR
from tests.library.seeded_services import late, services
from tests.support.killed_change import killing

PLACES: dict[str, Any] = {
    "begin": record,
    "unbind_and_empty": bindings,
    "queue_bind": BlockingChannel,
    "queue_unbind": BlockingChannel,
    "_write": Sender,
    "bind_to_events": bindings,
    "unmark": bindings,
    "complete": record,
}
"""Where the functions are that may be killed."""


def main() -> None:
    task = json.loads(sys.argv[1])
    place, name = PLACES[task["kill"]], task["kill"]
    setattr(place, name, killing(getattr(place, name), task["call"], name))
    Seeding(late, services, SeedingAccess(**task["access"]), OPERATOR).run()


if __name__ == "__main__":
    main()
