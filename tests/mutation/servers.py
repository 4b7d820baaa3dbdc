"""Servers for a mutation run, until stdin is closed: `python -m tests.mutation.servers DIRECTORY`."""

import sys

from devstack.servers.private import private_servers
from tests.support.counting import GROUP

if __name__ == "__main__":
    with private_servers(sys.argv[1], [GROUP]):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
