"""RequestWorker: the gunicorn worker that gives a request to a thread once all of it has arrived."""

import errno
import selectors
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import datetime
from functools import partial
from socket import SHUT_WR, socket
from typing import Any

from gunicorn.http.wsgi import Response  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

from ordersaga.http import sending
from ordersaga.http.connection import ClientSocket, Connection, Parser, Stage, Threads
from ordersaga.http.early_refusals import REFUSED, problem, repeated_among
from ordersaga.http.incoming import Incoming
from ordersaga.http.waiting import MAX_SUSPENDED, Suspended, Wait

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
"""How long a client may take to close after the last response."""
SWEEP_SECONDS = 0.25
READ_BYTES = 64 * 1024


class RequestWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """Reads every request in the main loop, and sends there what a client has not read yet, each under a deadline, so
    that a slow client holds no thread.

    gunicorn's own gthread worker reads and writes in the request's thread, without a limit.
    """

    def init_process(self) -> None:
        self.waiting: dict[Connection, None] = {}
        """Connections whose client has the next step, the one that has waited longest first."""
        self.suspended = 0
        """Connections whose request waits without a thread."""
        self.woken: deque[Connection] = deque()
        """Those of them whose wait is over."""
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

    def is_parent_alive(self) -> bool:
        """An orphan stops as after SIGTERM: it keeps the port from its successor while clients keep connections."""
        if not super().is_parent_alive():
            self.alive = False
            return False
        return True

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
        if self.nr_conns - self.suspended >= self.worker_connections - MAX_SUSPENDED:
            self.evict()
        conn = Connection(self.cfg, client, address, listener.getsockname())
        self.read(conn)
        # Most clients have sent their request already.
        self.on_event(conn, conn.sock)

    def evict(self) -> None:
        """Close the connection that has waited longest for its client, to make room for a new one."""
        if longest := min(self.waiting, key=lambda conn: conn.stage, default=None):
            REFUSED.labels("too many connections").inc()
            self.drop(longest)

    def wait(self, conn: Connection, stage: Stage, deadline: float) -> None:
        """Let the main loop wait for the client."""
        conn.stage, conn.deadline = stage, deadline
        event = selectors.EVENT_WRITE if stage is Stage.READING_RESPONSE else selectors.EVENT_READ
        self.waiting[conn] = None
        try:
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, event, partial(self.on_event, conn))
        except (OSError, ValueError):
            self.drop(conn)

    def on_event(self, conn: Connection, client: ClientSocket) -> None:
        # The poller may report a connection that was dropped for another event of the same poll.
        if conn in self.waiting:
            try:
                self.take_step(conn, client)
            except BlockingIOError:
                pass
            except OSError:
                self.drop(conn)

    def take_step(self, conn: Connection, client: ClientSocket) -> None:
        """Go on with a connection whose client has read, sent or closed. Raises OSError when it is lost."""
        if conn.stage is Stage.READING_RESPONSE:
            client.send_unsent()
            if not client.unsent:
                self.forget(conn)
                self.go_on(conn)
        elif not (data := client.recv(READ_BYTES)):
            self.drop(conn)
        elif conn.stage is Stage.SENDING_REQUEST:
            self.feed(conn, data)

    def read(self, conn: Connection, arrived: bytes = b"") -> None:
        """Read the next request of a connection; `arrived` came with the one before."""
        idle = self.cfg.keepalive if self.alive else gthread.STOP_KEEPALIVE_LINGER
        conn.incoming = Incoming(idle, self.read_seconds)
        self.wait(conn, Stage.SENDING_REQUEST, conn.incoming.deadline)
        if arrived and conn in self.waiting:
            self.feed(conn, arrived)

    def feed(self, conn: Connection, data: bytes) -> None:
        incoming = conn.incoming
        incoming.feed(data)
        conn.deadline = incoming.deadline
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
        conn.threads, conn.answer_by = threads, time.monotonic() + ANSWER_SECONDS
        threads.taken += 1
        conn.parser = Parser(self.cfg, [bytes(conn.incoming.data)], conn.client)
        future = threads.executor.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle(self, conn: Connection) -> bool:
        """Answer the request, or suspend it: then `conn.wait` is set. Runs in a thread.

        Returns whether the connection can serve another request.
        """
        sending.connection.set(conn)
        try:
            may_continue = bool(super().handle(conn))
        except Suspended:
            return False
        conn.wait = None
        return may_continue

    def wake(self, conn: Connection) -> None:
        """Let a suspended request go on; the thread of the watch calls it.

        Those that are woken while one waits for its thread share that thread. If it has begun, they get another.
        """
        self.woken.append(conn)
        if len(self.woken) == 1:
            with suppress(RuntimeError):  # the worker has stopped
                self.tpool.submit(self.handle_woken)

    def handle_woken(self) -> None:
        """Answer all that are woken, or suspend them again. Runs in a thread."""
        conns = []
        with suppress(IndexError):
            while True:
                conns.append(self.woken.popleft())
        done = [(conn, self.handle_safely(conn)) for conn in conns]
        self.method_queue.defer(self.finish_woken, done)

    def handle_safely(self, conn: Connection) -> bool:
        try:
            return self.handle(conn)
        except BaseException:  # noqa: BLE001 - gunicorn has logged it, and the others must be answered
            conn.wait = None
            return False

    def finish_woken(self, done: list[tuple[Connection, bool]]) -> None:
        self.suspended -= len(done)
        for conn, may_continue in done:
            self.finish(conn, may_continue)

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Raises ConnectionResetError when the client does not read a stream."""
        try:
            return self.answer_woken(req, conn, conn.wait) if conn.wait else self.answer(req, conn)
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "the client does not read the response") from None

    def answer(self, req: Any, conn: Connection) -> bool:
        """Answer a new request. Returns whether the connection may be kept. Raises Suspended."""
        if repeated := repeated_among([name for name, _ in req.headers]):
            conn.sock.sendall(problem(400, "Bad Request", f"The header {repeated.title()} is sent more than once."))
            REFUSED.labels("repeated header").inc()
            return False
        req._expected_100_continue = False
        return bool(super().handle_request(req, conn))

    def answer_woken(self, req: Any, conn: Connection, wait: Wait) -> bool:
        """Answer a request that was suspended. Returns whether the connection may be kept. Raises Suspended."""
        assert wait.context
        began, response = datetime.now(), Response(req, conn.sock, self.cfg)
        if not self.alive:
            response.force_close()
        with closing(self.wsgi.go_on(wait, response.start_response)) as body:
            for part in body:
                response.write(part)
        response.close()
        self.log.access(response, req, wait.context.request.environ, datetime.now() - began)
        return not response.should_close()

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        return keepalive and conn.incoming.is_whole and bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: Connection, done: "Future[bool]") -> None:
        """Send the rest of the response, then read the next request of the connection, or close it."""
        assert conn.threads is not None
        conn.threads.taken -= 1
        failed = done.cancelled() or done.exception() is not None  # gunicorn has logged it
        self.finish(conn, not failed and done.result())

    def finish(self, conn: Connection, may_continue: bool) -> None:
        """The same for a request that has been handled; one that is suspended waits."""
        if conn.wait:
            self.suspended += 1
            conn.wait.begin(self.wsgi.watch, partial(self.wake, conn))
            return
        conn.may_continue = may_continue
        if conn.sock.unsent and not conn.sock.is_stream:
            self.wait(conn, Stage.READING_RESPONSE, conn.answer_by)
            self.limit_unsent()
        else:
            self.go_on(conn)

    def go_on(self, conn: Connection) -> None:
        """Read the next request of the connection, or close it."""
        conn.sock.is_stream = False
        if conn.may_continue:
            self.read(conn, conn.parser.unreader.take_buffered())
        else:
            self.close(conn)

    def limit_unsent(self) -> None:
        """Beyond MAX_UNSENT_BYTES, drop the client that has taken longest to read its response."""
        slow = [conn for conn in self.waiting if conn.stage is Stage.READING_RESPONSE]
        unsent = sum(len(conn.sock.unsent) for conn in slow)
        for conn in slow:
            if unsent <= MAX_UNSENT_BYTES:
                return
            unsent -= len(conn.sock.unsent)
            self.drop_unread(conn)

    def refuse(self, conn: Connection, status: int, reason: str, detail: str, headers: str = "") -> None:
        """Answer without a thread, and close."""
        REFUSED.labels(reason.lower()).inc()
        with suppress(OSError):
            conn.sock.send(problem(status, reason, detail, headers))
        self.forget(conn)
        self.close(conn)

    def close(self, conn: Connection) -> None:
        """Close once the client has: a reset, sent while bytes of it are unread, would lose the response."""
        with suppress(OSError):  # the main loop finds out that the connection is lost
            conn.sock.shutdown(SHUT_WR)
        self.wait(conn, Stage.CLOSING, time.monotonic() + CLOSING_SECONDS)

    def forget(self, conn: Connection) -> None:
        """Wait no longer for the client."""
        self.waiting.pop(conn, None)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def drop(self, conn: Connection) -> None:
        """Close at once."""
        self.forget(conn)
        self.nr_conns -= 1
        conn.close()

    def drop_unread(self, conn: Connection) -> None:
        REFUSED.labels("unread responses").inc()
        self.drop(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close the connections whose time is over; gunicorn calls it after every poll."""
        now = time.monotonic()
        if force:
            for conn in [*self.waiting]:
                self.drop(conn)
        elif now >= self.next_sweep:
            self.next_sweep = now + SWEEP_SECONDS
            for conn in [conn for conn in self.waiting if conn.deadline <= now]:
                self.expire(conn)

    def expire(self, conn: Connection) -> None:
        if conn.stage is Stage.READING_RESPONSE:
            self.drop_unread(conn)
        elif conn.stage is Stage.SENDING_REQUEST and conn.incoming.data:
            self.refuse(conn, 408, "Request Timeout", f"The request took longer than {self.read_seconds:g} s.")
        else:
            self.drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """A stopping worker waits no longer than this for clients that have sent nothing."""
        for conn in self.waiting:
            if conn.stage is Stage.SENDING_REQUEST and not conn.incoming.data:
                conn.deadline = min(conn.deadline, deadline)
