"""`python -m tests.support.command_server`: runs commands of `ordersaga`, each in a process forked from this one.

Half a second of CPU for the library's imports is spent once. Reads a line of JSON for each command and writes its exit
code; what the command prints goes into the files that the line names.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from ordersaga.cli.main import main

IMPORTED = (
    "ordersaga.audit.verify",
    "ordersaga.broker.change",
    "ordersaga.consumer.worker",
    "ordersaga.parked.operations",
    "ordersaga.readside.rebuild",
    "ordersaga.reconcile.reconcile",
    "ordersaga.relay.daemon",
)
SHOP = {path.name for path in Path(__file__).parents[2].iterdir() if path.is_dir()} - {"src", "tests"}
"""Packages beside the library, which no command of it may import by itself."""


def become(command: dict[str, Any]) -> None:
    """The process that somebody starts in a shell."""
    os.environ.clear()
    os.environ.update(command["environment"])
    for path, number in ((os.devnull, 0), (command["stdout"], 1), (command["stderr"], 2)):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv[1:] = command["arguments"]


def run() -> None:
    try:
        main(prog_name="ordersaga")
    finally:
        found = SHOP & {name.partition(".")[0] for name in sys.modules}
        assert not found, found


if __name__ == "__main__":
    for name in IMPORTED:
        import_module(name)
    for line in sys.stdin:
        if not (child := os.fork()):
            become(json.loads(line))
            run()
            break
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()
