"""A client's connection to an API, and the threads that answer its requests."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import IntEnum
from socket import MSG_DONTWAIT, socket
from typing import Any

from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

from ordersaga.http.incoming import Incoming
from ordersaga.http.waiting import Wait


class Threads:
    """Threads for some of the paths, and the requests that have or wait for one."""

    def __init__(self, executor: ThreadPoolExecutor, most: int) -> None:
        self.executor = executor
        self.most = most
        self.taken = 0


class ClientSocket(socket):
    """Keeps what the client has not read, so that a thread need not wait for it; of a stream, the thread waits."""

    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self.unsent = bytearray()
        self.is_stream = False
        """Set by `sending.begin_stream`: the response may take as long as its client reads it."""

    def sendall(self, data: Any, flags: int = 0) -> None:
        if self.is_stream:
            super().sendall(data, flags)
            return
        self.unsent += data
        if len(self.unsent) == len(data):
            self.send_unsent()

    def send_unsent(self) -> None:
        """Send as much as the connection takes now. Raises OSError when the connection is lost."""
        with suppress(BlockingIOError):
            while self.unsent:
                del self.unsent[: self.send(self.unsent, MSG_DONTWAIT)]


class Stage(IntEnum):
    """The client's next step, which the worker waits for; the lowest one makes room for new connections first."""

    CLOSING = 0
    SENDING_REQUEST = 1
    READING_RESPONSE = 2


class Parser(RequestParser):  # type: ignore[misc]
    """Parses one request; one that goes on after it was suspended is the same."""

    def __next__(self) -> Any:
        return super().__next__() if self.mesg is None else self.mesg


class Connection(gthread.TConn):  # type: ignore[misc]
    """A client's connection; one request at a time arrives on it."""

    sock: ClientSocket
    incoming: Incoming
    stage: Stage
    deadline = 0.0
    """When the stage ends (monotonic)."""
    threads: Threads | None = None
    answer_by = 0.0
    """When the response must have been read (monotonic)."""
    wait: Wait | None = None
    """Of a request that is suspended, or goes on after it was."""
    may_continue = False
    """Whether another request may follow when all of the response is sent."""

    def __init__(self, cfg: Any, client: socket, address: Any, server: Any) -> None:
        super().__init__(cfg, ClientSocket(fileno=client.detach()), address, server)
        # The thread neither waits for data nor makes a parser of its own.
        self.initialized = True
