"""A connection through the proxy: the end of the process and the end of the server."""

import asyncio
from typing import TYPE_CHECKING

from devstack.chaos.network.end import End
from devstack.chaos.network.rule import PASS

if TYPE_CHECKING:
    from devstack.chaos.network.listener import Listener


class Connection:
    """Made when a process connects; the server's end follows as soon as the rule allows."""

    def __init__(self, listener: "Listener") -> None:
        self.listener = listener
        self.client = End(self, is_client=True)
        self.server = End(self, is_client=False)
        self.client.peer, self.server.peer = self.server, self.client
        self.connecting: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self.listener.connections.add(self)
        self.obey()

    def obey(self) -> None:
        """Apply the rule of the link, which is new, or the connection is."""
        rule = self.listener.rule
        if self.connecting is None and not (rule.up and rule.kind in ("cut", "reset", "hold")):
            self.connecting = asyncio.create_task(self.connect())
        for end in (self.client, self.server):
            end.obey(end.rule)
        if rule == PASS:
            self.clear_up()

    async def connect(self) -> None:
        try:
            port = self.listener.server_port()
            await asyncio.get_running_loop().create_connection(lambda: self.server, "127.0.0.1", port)
        except OSError:
            self.client.reset()

    def clear_up(self) -> None:
        """Reset what has lost its other end."""
        for end in (self.client, self.server):
            if end.peer.is_gone and not end.is_gone:
                end.reset()

    def forget(self) -> None:
        if self.client.is_gone and (self.server.is_gone or self.server.transport is None):
            self.listener.connections.discard(self)
