"""Listener: one link, which is a port of its own for one process and one server."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from devstack.chaos.network.connection import Connection
from devstack.chaos.network.rule import PASS, Rule


@dataclass
class Traffic:
    """Since the start, but for `open`, which is now."""

    connections: int = 0
    open: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


class Listener:
    """`ports` is a file of JSON, server -> port; it is read for every connection, because servers move."""

    def __init__(self, server: str, ports: Path) -> None:
        self.server = server
        self.ports = ports
        self.rule = PASS
        self.connections: set[Connection] = set()
        self.total = Traffic()

    async def listen(self) -> int:
        """Returns the port."""
        loop = asyncio.get_running_loop()
        self.listening = await loop.create_server(self.accept, "127.0.0.1", 0, backlog=512)
        return int(self.listening.sockets[0].getsockname()[1])

    def accept(self) -> asyncio.Protocol:
        self.total.connections += 1
        return Connection(self).client

    def server_port(self) -> int:
        return int(json.loads(self.ports.read_text())[self.server])

    def count(self, up: bool, size: int) -> None:
        if up:
            self.total.bytes_up += size
        else:
            self.total.bytes_down += size

    def impose(self, rule: Rule) -> int:
        """From now on this rule holds, also for the open connections. Returns how many they were."""
        self.rule = rule
        there = list(self.connections)
        for connection in there:
            connection.obey()
        return len(there)

    def traffic(self) -> Traffic:
        self.total.open = len(self.connections)
        return self.total
