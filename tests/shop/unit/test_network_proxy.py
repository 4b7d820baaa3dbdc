"""The proxy between a process and a server does to a connection exactly what its rule says."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from devstack.chaos.network.network import Link, Network, network
from devstack.chaos.network.rule import Rule
from devstack.state import State
from tests.support.wait import until

SERVERS = [f"server{number}" for number in range(30)]
QUIET = 0.05
"""Seconds in which nothing may arrive; it would arrive in less than one of a thousand."""
FRAME = struct.pack(">BHI", 1, 0, 12) + b"twelve bytes" + b"\xce"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    state = State(tmp_path_factory.mktemp("proxy") / "state").create()
    with network(state, (), [Link("client", server) for server in SERVERS]) as running:
        running.state = state  # type: ignore[attr-defined]
        yield running


unused = count()


@dataclass
class Ends:
    """A link of its own with one server and any number of clients."""

    proxy: Network
    link: Link
    listening: socket.socket
    open: ExitStack

    def connect(self) -> socket.socket:
        client = self.open.enter_context(socket.create_connection(("127.0.0.1", self.proxy.ports[self.link])))
        client.settimeout(5)
        return client

    def accept(self) -> socket.socket:
        server = self.open.enter_context(self.listening.accept()[0])
        server.settimeout(5)
        return server

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """A connection that passes."""
        client, server = self.connect(), self.accept()
        client.sendall(b"hello")
        assert server.recv(100) == b"hello"
        server.sendall(b"welcome")
        assert client.recv(100) == b"welcome"
        return client, server

    def impose(self, rule: Rule) -> int:
        return self.proxy.impose([self.link], rule)


@pytest.fixture
def ends(proxy: Network) -> Iterator[Ends]:
    link = Link("client", SERVERS[next(unused)])
    with ExitStack() as open_, socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        file = Path(proxy.state.directory / "ports.json")  # type: ignore[attr-defined]
        file.write_text(json.dumps({link.server: listening.getsockname()[1]}))
        yield Ends(proxy, link, listening, open_)


def gets_nothing(end: socket.socket) -> bool:
    """No byte and no end of the connection."""
    end.settimeout(QUIET)
    try:
        return end.recv(1) is None
    except TimeoutError:
        return True
    finally:
        end.settimeout(5)


def is_finished(end: socket.socket) -> bool:
    return end.recv(100) == b""


def is_reset(end: socket.socket) -> bool:
    try:
        return end.recv(100) is None
    except ConnectionResetError:
        return True


def all_of(end: socket.socket) -> tuple[bytes, str]:
    """All that comes, and how it ends."""
    found = b""
    try:
        while data := end.recv(100):
            found += data
    except ConnectionResetError:
        return found, "reset"
    return found, "finished"


def received(end: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += end.recv(size - len(found)) or pytest.fail(f"ended after {found!r}")
    return found


def test_bytes_pass_in_both_directions_and_are_counted(ends: Ends) -> None:
    client, server = ends.pair()
    big = bytes(range(256)) * 8192
    client.sendall(big[:100_000])
    assert received(server, 100_000) == big[:100_000]
    traffic = ends.proxy.traffic()[ends.link]
    assert (traffic.connections, traffic.open) == (1, 1)
    assert (traffic.bytes_up, traffic.bytes_down) == (100_005, 7)


def test_the_end_of_one_direction_leaves_the_other_open(ends: Ends) -> None:
    client, server = ends.pair()
    client.shutdown(socket.SHUT_WR)
    assert is_finished(server)
    server.sendall(b"answer")
    assert received(client, 6) == b"answer"
    server.close()
    assert is_finished(client)
    until(lambda: ends.proxy.traffic()[ends.link].open == 0)


def test_a_reset_of_one_end_reaches_the_other_as_a_reset(ends: Ends) -> None:
    client, server = ends.pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    assert is_reset(client)


def test_a_server_that_is_away_resets_the_client(ends: Ends) -> None:
    ends.listening.close()
    assert is_reset(ends.connect())


def test_a_cut_ends_open_and_new_connections_with_a_fin_until_it_heals(ends: Ends) -> None:
    client, server = ends.pair()
    assert ends.impose(Rule("cut")) == 1
    assert is_finished(client)
    assert is_finished(server)
    assert is_finished(ends.connect())
    ends.proxy.heal([ends.link])
    ends.pair()


def test_a_cut_of_one_direction_is_seen_by_its_receiver_alone(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("cut", up=False))
    assert is_finished(client)
    client.sendall(b"still")
    assert received(server, 5) == b"still"
    assert gets_nothing(server)


def test_a_reset_ends_open_and_new_connections_with_a_rst_until_it_heals(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("reset"))
    assert is_reset(client)
    assert is_reset(server)
    assert is_reset(ends.connect())
    ends.proxy.heal([ends.link])
    ends.pair()


def test_a_reset_of_one_direction_leaves_the_other_side_half_open_until_the_next_rule(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("reset", up=False))
    assert is_reset(client)
    assert gets_nothing(server)
    ends.proxy.heal([ends.link])
    assert is_reset(server)


def test_what_is_held_arrives_whole_and_in_order_when_it_heals(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("hold"))
    client.sendall(b"question")
    server.sendall(b"answer")
    assert gets_nothing(client)
    assert gets_nothing(server)
    ends.proxy.heal([ends.link])
    assert received(server, 8) == b"question"
    assert received(client, 6) == b"answer"


def test_nobody_sees_the_end_of_a_connection_that_is_held(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("hold"))
    server.close()
    assert gets_nothing(client)
    ends.proxy.heal([ends.link])
    assert is_finished(client)


def test_a_new_connection_that_is_held_is_accepted_and_reaches_the_server_when_it_heals(ends: Ends) -> None:
    ends.impose(Rule("hold"))
    client = ends.connect()
    client.sendall(b"hello")
    assert gets_nothing(client)
    ends.proxy.heal([ends.link])
    assert received(ends.accept(), 5) == b"hello"


def test_one_direction_can_be_held(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("hold", up=False))
    server.sendall(b"answer")
    client.sendall(b"question")
    assert received(server, 8) == b"question"
    assert gets_nothing(client)


def test_a_held_link_that_is_reset_instead_of_healed_loses_what_waited(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("hold"))
    client.sendall(b"lost")
    ends.impose(Rule("reset"))
    assert is_reset(server)
    assert is_reset(client)


def test_latency_holds_back_each_answer_and_no_byte_is_lost(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("slow", latency=3 * QUIET, up=False))
    server.sendall(b"answer")
    client.sendall(b"question")
    assert received(server, 8) == b"question"
    assert gets_nothing(client)
    assert received(client, 6) == b"answer"


def test_bandwidth_is_shared_out_in_pieces(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("slow", bytes_per_second=100_000))
    client.sendall(b"x" * 20_000)
    assert len(server.recv(20_000)) <= 5_000
    ends.proxy.heal([ends.link])
    assert received(server, 15_000) == b"x" * 15_000


def test_a_split_stalls_in_mid_frame_and_goes_on_when_it_heals(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("split", after=3, down=False))
    client.sendall(FRAME)
    assert received(server, 3) == FRAME[:3]
    assert gets_nothing(server)
    server.sendall(b"unharmed")
    assert received(client, 8) == b"unharmed"
    ends.proxy.heal([ends.link])
    assert received(server, len(FRAME) - 3) == FRAME[3:]


def test_a_split_leaves_a_part_of_the_smallest_frame(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("split", after=1000))
    client.sendall(FRAME)
    assert received(server, len(FRAME) - 1) == FRAME[:-1]
    assert gets_nothing(server)


def test_a_split_resets_in_mid_frame(ends: Ends) -> None:
    client, server = ends.pair()
    ends.impose(Rule("split", after=9, then="reset"))
    client.sendall(FRAME)
    assert is_reset(client)
    part, ended = all_of(server)
    assert FRAME[:9].startswith(part)
    assert ended == "reset"


def test_a_reader_that_does_not_read_stops_the_writer(ends: Ends) -> None:
    client, server = ends.pair()
    client.settimeout(QUIET)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(20_000_000))
    assert ends.proxy.traffic()[ends.link].bytes_up < 20_000_000
    del server


def test_the_other_links_pass(ends: Ends) -> None:
    client, server = ends.pair()
    others = [link for link in ends.proxy.links() if link != ends.link]
    ends.proxy.impose(others, Rule("reset"))
    client.sendall(b"hello")
    assert received(server, 5) == b"hello"
    ends.proxy.heal(others)
