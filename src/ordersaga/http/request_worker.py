"""RequestWorker: the gunicorn worker that gives a request to a thread once all of it has arrived."""

import errno
import selectors
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from socket import SHUT_WR, socket
from typing import Any

from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

from ordersaga.http import sending
from ordersaga.http.connection import ClientSocket, Connection, Threads
from ordersaga.http.early_refusals import REFUSED, problem, repeated_among
from ordersaga.http.incoming import Incoming

MAX_WAITING = 200
"""Complete requests that wait for a thread; more are refused, so that connections are left for health."""
HEALTH_THREADS = {b"/healthz": 1, b"/metrics": 2, b"/readyz": 2}
"""Threads of each health endpoint alone: a readiness check that waits for the database must not delay /healthz."""
MAX_WAITING_HEALTH = 32
ANSWER_SECONDS = 60
"""From a whole request until its client has read the response, unless that is a stream; the longest `Prefer: wait` is
30 s."""
MAX_UNSENT_BYTES = 64 * 1024 * 1024
"""Of responses that clients have not read, in one process."""
CLOSING_SECONDS = 2
SWEEP_SECONDS = 0.25
READ_BYTES = 64 * 1024


class RequestWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """Reads every request in the main loop, and sends there what a client has not read yet, each under a deadline, so
    that a slow client holds no thread.

    gunicorn's own gthread worker reads and writes in the request's thread, without a limit.
    """

    def init_process(self) -> None:
        self.reading: dict[Connection, None] = {}
        self.closing: dict[Connection, float] = {}
        self.sending: dict[Connection, None] = {}
        self.next_sweep = 0.0
        self.health = {
            path: Threads(ThreadPoolExecutor(threads, path.decode()[1:]), MAX_WAITING_HEALTH)
            for path, threads in HEALTH_THREADS.items()
        }
        super().init_process()

    def run(self) -> None:
        self.requests = Threads(self.tpool, self.cfg.threads + MAX_WAITING)
        self.read_seconds = self.wsgi.settings.http_read_seconds
        try:
            super().run()
        finally:
            for threads in self.health.values():
                threads.executor.shutdown(wait=False)

    def accept(self, listener: socket) -> None:
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self.evict()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self.evict()
        conn = Connection(self.cfg, client, address, listener.getsockname())
        self.read(conn)
        # Most clients have sent their request already.
        self.on_readable(conn, conn.sock)

    def evict(self) -> None:
        """Close the connection that has waited longest for its client, to make room for a new one."""
        if longest := next(iter(self.closing or self.reading or self.sending), None):
            REFUSED.labels("too many connections").inc()
            self.drop(longest)

    def read(self, conn: Connection, arrived: bytes = b"") -> None:
        """Read the next request of a connection; `arrived` came with the one before."""
        idle = self.cfg.keepalive if self.alive else gthread.STOP_KEEPALIVE_LINGER
        conn.incoming = Incoming(idle, self.read_seconds)
        conn.sock.setblocking(False)
        self.reading[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_readable, conn))
        if arrived:
            self.feed(conn, arrived)

    def on_readable(self, conn: Connection, client: socket) -> None:
        # The poller may report a connection that was dropped for another event of the same poll.
        if conn not in self.reading:
            return
        try:
            data = client.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.feed(conn, data)
        else:
            self.drop(conn)

    def feed(self, conn: Connection, data: bytes) -> None:
        incoming = conn.incoming
        incoming.feed(data)
        if incoming.head_is_too_large:
            self.refuse(conn, 431, "Request Header Fields Too Large", "The headers are larger than 32 KiB.")
        elif incoming.has_arrived:
            self.submit(conn)
        elif incoming.expects_continue:
            incoming.expects_continue = False
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def submit(self, conn: Connection) -> None:
        """Give a request that has arrived to a thread."""
        threads = self.health.get(conn.incoming.path, self.requests)
        if threads.taken >= threads.most:
            detail = "Too many requests wait already. Send the same request again later."
            self.refuse(conn, 503, "Service Unavailable", detail, "Retry-After: 2\r\n")
            return
        self.forget(conn)
        threads.taken += 1
        conn.threads, conn.answer_by = threads, time.monotonic() + ANSWER_SECONDS
        conn.parser = RequestParser(self.cfg, [bytes(conn.incoming.data)], conn.client)
        future = threads.executor.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle(self, conn: Connection) -> bool:
        """Answer the request. Returns whether the connection can serve another one. Runs in a thread."""
        sending.connection.set(conn)
        return bool(super().handle(conn))

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Raises ConnectionResetError when the client does not read the response."""
        if repeated := repeated_among([name for name, _ in req.headers]):
            conn.sock.sendall(problem(400, "Bad Request", f"The header {repeated.title()} is sent more than once."))
            REFUSED.labels("repeated header").inc()
            return False
        req._expected_100_continue = False
        conn.sock.setblocking(False)
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "the client does not read the response") from None

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        return keepalive and conn.incoming.is_whole and bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: Connection, done: "Future[bool]") -> None:
        """Send the rest of the response, then read the next request of the connection, or close it."""
        assert conn.threads is not None
        conn.threads.taken -= 1
        try:
            may_continue = not done.cancelled() and done.result()
        except Exception:  # noqa: BLE001 - gunicorn has logged it
            may_continue = False
        conn.may_continue = may_continue
        if conn.sock.unsent and not conn.sock.is_stream:
            self.send_rest(conn)
        else:
            self.go_on(conn)

    def go_on(self, conn: Connection) -> None:
        """Read the next request of the connection, or close it."""
        conn.sock.is_stream = False
        if conn.may_continue:
            self.read(conn, conn.parser.unreader.take_buffered())
        else:
            self.close(conn)

    def send_rest(self, conn: Connection) -> None:
        """Send what the client has not read yet as it reads; beyond MAX_UNSENT_BYTES, drop who has taken longest."""
        try:
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self.on_writable, conn))
        except (OSError, ValueError):
            self.drop(conn)
            return
        self.sending[conn] = None
        while sum(len(slow.sock.unsent) for slow in self.sending) > MAX_UNSENT_BYTES:
            REFUSED.labels("unread responses").inc()
            self.drop(next(iter(self.sending)))

    def on_writable(self, conn: Connection, client: ClientSocket) -> None:
        if conn not in self.sending:
            return
        try:
            client.send_unsent()
        except OSError:
            self.drop(conn)
        else:
            if not client.unsent:
                self.forget(conn)
                self.go_on(conn)

    def refuse(self, conn: Connection, status: int, reason: str, detail: str, headers: str = "") -> None:
        """Answer without a thread, and close."""
        REFUSED.labels(reason.lower()).inc()
        with suppress(OSError):
            conn.sock.send(problem(status, reason, detail, headers))
        self.forget(conn)
        self.close(conn)

    def close(self, conn: Connection) -> None:
        """Close once the client has: a reset, sent while bytes of it are unread, would lose the response."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_closing, conn))
        except (OSError, ValueError):
            self.drop(conn)
        else:
            self.closing[conn] = time.monotonic() + CLOSING_SECONDS

    def on_closing(self, conn: Connection, client: socket) -> None:
        if conn in self.closing:
            with suppress(OSError):
                if client.recv(READ_BYTES):
                    return
            self.drop(conn)

    def forget(self, conn: Connection) -> None:
        """Stop reading and sending."""
        self.sending.pop(conn, None)
        self.closing.pop(conn, None)
        self.reading.pop(conn, None)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def drop(self, conn: Connection) -> None:
        """Close at once."""
        self.forget(conn)
        self.nr_conns -= 1
        conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """Close the connections whose time is over; gunicorn calls it after every poll."""
        now = time.monotonic()
        if force:
            for conn in [*self.reading, *self.closing, *self.sending]:
                self.drop(conn)
        elif now >= self.next_sweep:
            self.next_sweep = now + SWEEP_SECONDS
            self.sweep(now)

    def sweep(self, now: float) -> None:
        for conn in [conn for conn in self.reading if conn.incoming.deadline <= now]:
            if conn.incoming.data:
                self.refuse(conn, 408, "Request Timeout", f"The request took longer than {self.read_seconds:g} s.")
            else:
                self.drop(conn)
        for conn in [conn for conn, deadline in self.closing.items() if deadline <= now]:
            self.drop(conn)
        for conn in [conn for conn in self.sending if conn.answer_by <= now]:
            REFUSED.labels("unread responses").inc()
            self.drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """A stopping worker waits no longer than this for clients that have sent nothing."""
        for conn in self.reading:
            if not conn.incoming.data:
                conn.incoming.deadline = min(conn.incoming.deadline, deadline)
