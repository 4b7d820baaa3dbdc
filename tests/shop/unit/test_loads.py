"""How the benchmarks offer a load, and how they count what it takes."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import UUID, uuid4

from benchmarks import spent
from benchmarks.customers import Customers
from benchmarks.load import OpenLoad, Sample, due_times
from benchmarks.overload import Overload
from benchmarks.steady import Look, windows
from benchmarks.under_load import Load, percentile

FAMILY = """
import subprocess, sys
burn = "import time\\nwhile time.process_time() < 0.2: pass"
subprocess.run([sys.executable, "-c", burn], check=True)
grandchildren = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print(flush=True); input()"
with subprocess.Popen([sys.executable, "-c", grandchildren], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
    child.stdout.readline()
    print(flush=True)
    input()
    child.communicate(b"\\n")
"""


def test_the_cpu_of_a_process_has_that_of_children_and_grandchildren_that_have_ended() -> None:
    family = subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert family.stdout
    assert family.stdin
    family.stdout.readline()
    counted, memory = spent.cpu({"family": family.pid})["family"], spent.memory_mb({"family": family.pid})
    family.stdin.write(b"\n")
    family.stdin.close()
    _, _, used = os.wait4(family.pid, 0)
    family.returncode = 0
    family.stdout.close()
    # Each of the two burns 0.2 s; /proc counts whole hundredths, of user and system time apart.
    assert 0.35 <= counted <= used.ru_utime + used.ru_stime + 0.05
    assert memory > 2


ORDER = b'{"order_id": "%s", "state": "%s"}'


@contextmanager
def api(states: list[str]) -> Iterator[int]:
    """Answers one request after the other on each connection, each with the next of the states; 503 for ''."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer(client: socket.socket) -> None:
            with client:
                while client.recv(65536):
                    state = states.pop(0)
                    body = ORDER % (str(uuid4()).encode(), state.encode())
                    head = b"200 OK" if state else b"503 Busy\r\nRetry-After: 2"
                    client.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (head, len(body), body))

        def accept() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def test_an_order_answered_without_its_end_is_asked_for_again_and_counts_from_when_it_was_due() -> None:
    with api(["placed", "placed", "cancelled"]) as port, closing(Customers(port, "", wait_seconds=1)) as customers:
        due = time.perf_counter() - 1
        (sample,) = OpenLoad(customers, to_the_end=True).run([due])
    assert sample.due == due
    assert sample.sent - due >= 1
    assert sample.answered
    assert sample.ended
    assert sample.ended > sample.answered


def test_a_refused_order_is_shed_and_not_asked_for_again() -> None:
    with api([""]) as port, closing(Customers(port, "")) as customers:
        (sample,) = OpenLoad(customers, to_the_end=True).run([time.perf_counter()])
    assert (sample.shed, sample.retry_after, sample.order_id, sample.ended) == (True, "2", None, None)


def test_orders_are_due_at_times_that_do_not_depend_on_answers() -> None:
    times = list(due_times(100, 50, 10))
    assert times == list(due_times(100, 50, 10))
    assert times[0] == 100
    assert times[-1] < 110
    assert 480 <= len(times) <= 520


def made(due: float, ended: float | None, declined: bool = False) -> Sample:
    return Sample(due, due, declined, uuid4(), 200, "", ended, ended)


def test_a_load_says_what_ended_what_is_compensated_and_what_was_open_at_the_end() -> None:
    samples = [made(1, 1.1), made(2, 2.2, declined=True), made(9.9, 10.4), made(9.8, None)]
    load = Load(20, 10, samples, 1, {"postgres": 0.3, "api": 0.3}, 512.4, [1, 4, 9])
    beside = load.beside()
    assert (beside["orders"], beside["ended"], beside["unresolved_at_the_end"]) == (4, 3, 2)
    assert (beside["compensated"], beside["to_compensate"], beside["cpu_s"], beside["memory_mb"]) == (1, 1, 0.6, 512)
    assert beside["answer_after_end_p50_ms"] == 4
    assert round(load.cpu_ms) == 200
    assert round(load.p(99)) == 500


def test_windows_have_the_orders_that_were_due_in_them_and_the_cpu_between_two_looks() -> None:
    found = windows([made(0, 0.1), made(5, 5.3), made(12, 12.5)], 0, [Look(0, 1, 10), Look(10, 3, 20), Look(20, 4, 21)])
    assert [(each.orders, round(each.p99_ms), each.cpu_s, each.memory_mb) for each in found] == [
        (2, 300, 2, 20),
        (1, 500, 1, 21),
    ]


def test_overload_is_over_with_the_first_second_that_is_as_before() -> None:
    before, offered, slow, normal, refused = uuid4(), uuid4(), uuid4(), uuid4(), 503
    ends: dict[UUID, float] = {before: 1.1, offered: 9, slow: 11.5, normal: 12.6}
    samples = [
        Sample(1, 1, False, before, 202, "", 1.01),
        Sample(6, 6, False, offered, 202, "", 6.01),
        Sample(7, 7, False, None, refused, "2", 7.01),
        Sample(8, 8, False, None, refused, "", 8.01),
        Sample(10.5, 10.5, False, slow, 202, "", 10.6),
        Sample(12.5, 12.5, False, normal, 202, "", 12.6),
    ]
    found = Overload(300, 5, 10, samples, ends)
    beside = found.beside()
    assert found.normal_after == 2
    assert (beside["accepted_per_s"], beside["shed_per_s"], beside["ended"]) == (0.2, 0.4, 1)
    assert (beside["shed_by_status"], beside["shed_without_retry_after"]) == ({"503": 2}, 1)
    assert round(percentile(found.times(found.offered), 99)) == 3000
