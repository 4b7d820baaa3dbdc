"""End: one side of a connection through the proxy, of the process or of the server."""

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

from devstack.chaos.network.rule import PASS, PIECE_SECONDS, Rule

if TYPE_CHECKING:
    from devstack.chaos.network.connection import Connection

RST_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER for no seconds: what is not sent yet is thrown away, and the peer gets a RST."""


class End(asyncio.Protocol):
    """What this end receives is sent at its peer, as the rule of that direction says."""

    peer: "End"

    def __init__(self, connection: "Connection", is_client: bool) -> None:
        self.connection = connection
        self.is_client = is_client
        self.transport: asyncio.Transport | None = None
        self.is_gone = False
        self.is_severed = False
        """A rule has reset this end, and the other may not know."""
        self.is_full = False
        """What is sent here is not taken fast enough."""
        self.is_finished = False
        """No more bytes are sent here."""
        self.has_ended = False
        """No more bytes come from here."""
        self.kept = b""
        """Received here and not sent at the peer yet."""
        self.timer: asyncio.TimerHandle | None = None

    @property
    def rule(self) -> Rule:
        """For what is received here."""
        rule = self.connection.listener.rule
        return rule if (rule.up if self.is_client else rule.down) else PASS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # Not now: Python 3.11.2, that of Debian 12, begins to read afterwards although reading was paused here.
        asyncio.get_running_loop().call_soon(self.begin)

    def begin(self) -> None:
        """Connect at the server, or let both ends obey, before anything is read from this one."""
        if self.is_client:
            self.connection.begin()
        elif self.peer.is_gone:
            self.reset()
        else:
            self.obey(self.rule)
            self.peer.obey(self.peer.rule)

    def data_received(self, data: bytes) -> None:
        self.connection.listener.count(self.is_client, len(data))
        rule = self.rule
        if rule.kind == "pass" and not self.kept:
            self.peer.send(data)
        elif rule.kind == "split" and len(data) > 1 and not self.kept:
            self.split(rule, data)
        elif rule.kind not in ("cut", "reset"):
            self.delay(rule, data)

    def split(self, rule: Rule, data: bytes) -> None:
        cut = min(max(rule.after, 1), len(data) - 1)
        self.peer.send(data[:cut])
        self.kept = data[cut:]
        self.settle()
        if rule.then == "reset":
            # Not before the peer has been sent its part.
            asyncio.get_running_loop().call_soon(self.reset_both)

    def delay(self, rule: Rule, data: bytes) -> None:
        self.kept += data
        self.settle()
        if self.timer is None and rule.kind != "hold":
            self.timer = asyncio.get_running_loop().call_later(rule.latency, self.release)

    def release(self) -> None:
        """Send what is kept, as fast as the rule allows; nothing while it holds."""
        self.timer = None
        if self.kept and self.rule.kind != "hold":
            size = self.rule.piece(len(self.kept))
            piece, self.kept = self.kept[:size], self.kept[size:]
            self.peer.send(piece)
        if self.kept and self.rule.kind != "hold":
            self.timer = asyncio.get_running_loop().call_later(PIECE_SECONDS, self.release)
        self.settle()

    def obey(self, rule: Rule) -> None:
        if rule.kind == "cut":
            self.kept = b""
            self.peer.finish()
        elif rule.kind == "reset":
            self.kept = b""
            self.peer.is_severed = True
            self.peer.reset()
        elif rule.kind != "hold" and self.timer is None:
            self.release()
        self.settle()

    def settle(self) -> None:
        """Read on, or stop reading: the sender then meets a full buffer, and its end is not seen either."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.kept or self.rule.kind == "hold" or self.peer.is_full or self.peer.transport is None:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def send(self, data: bytes) -> None:
        if self.is_finished:
            self.peer.reset()
        elif self.transport and not self.transport.is_closing():
            self.transport.write(data)

    def finish(self) -> None:
        """Send a FIN; this end can still be read."""
        self.is_finished = True
        if self.transport is None:
            self.peer.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()

    def close(self) -> None:
        if self.transport:
            self.transport.close()

    def reset(self) -> None:
        if self.transport and not self.is_gone:
            here: socket.socket = self.transport.get_extra_info("socket")
            here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
            self.transport.abort()

    def reset_both(self) -> None:
        self.reset()
        self.peer.reset()

    def eof_received(self) -> bool:
        """Keeps this end open: the other direction may go on."""
        self.has_ended = True
        self.peer.finish()
        if self.peer.has_ended:
            self.close()
            self.peer.close()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.is_gone = True
        if self.rule.kind != "hold" and not self.is_severed:
            if error:
                self.peer.reset()
            else:
                self.peer.close()
        self.connection.forget()

    def pause_writing(self) -> None:
        self.is_full = True
        self.peer.settle()

    def resume_writing(self) -> None:
        self.is_full = False
        self.peer.settle()
