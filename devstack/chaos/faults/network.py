"""Faults of the network between the processes and their servers, which the proxy makes."""

from random import Random
from typing import ClassVar, Literal

from devstack.chaos.fault import Fault
from devstack.chaos.faults.processes import HOSTS
from devstack.chaos.network.network import SERVERS, Link, Network, links_of
from devstack.chaos.network.rule import Rule
from devstack.chaos.stage import Stage
from devstack.processes import PROCESSES

Kind = Literal["pass", "cut", "reset", "hold", "slow", "split"]
BOTH, UP, DOWN = (True, True), (True, False), (False, True)
DIRECTIONS = {BOTH: "in both directions", UP: "towards the server", DOWN: "from the server"}
LINKS = links_of(PROCESSES)


def choose(chance: Random) -> tuple[str, list[Link]]:
    """One process and one of its servers, or a service and all its servers, or a server and all its processes."""
    scope = chance.random()
    if scope < 0.5:
        link = chance.choice(LINKS)
        return f"between {link.process} and {link.server}", [link]
    if scope < 0.75:
        host = chance.choice(tuple(HOSTS))
        return f"between the processes of {host} and every server", [at for at in LINKS if at.process in HOSTS[host]]
    server = chance.choice(SERVERS)
    return f"between every process and {server}", [link for link in LINKS if link.server == server]


class NetworkFault(Fault):
    """Some links get a rule until the fault heals."""

    directions: ClassVar[tuple[tuple[bool, bool], ...]] = (BOTH,)
    kind: ClassVar[Kind]
    heals_by_reset: ClassVar[bool] = False
    """Whether the connections are lost when the links pass again."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.where, self.links = choose(chance)
        self.up, self.down = chance.choice(self.directions)
        self.rule = self.make_rule()

    def make_rule(self) -> Rule:
        return Rule(self.kind, self.up, self.down)

    def cannot_run(self) -> str:
        return "" if self.stage.network else "No proxy stands before the servers of this stage."

    @property
    def network(self) -> Network:
        assert self.stage.network
        return self.stage.network

    def inject(self) -> str:
        hit = self.network.impose(self.links, self.rule)
        return f"{self.kind} {self.where} {DIRECTIONS[self.up, self.down]}: {hit} connections."

    def heal(self) -> str:
        if self.heals_by_reset:
            self.network.impose(self.links, Rule("reset"))
        self.network.heal(self.links)
        return f"Everything passes {self.where}."


class CutConnections(NetworkFault):
    name, kind = "cut-connections", "cut"
    does = "Connections to a server end in order (FIN), and new ones too."
    shortest, longest = 0, 6
    directions = (BOTH, UP, DOWN)


class ResetConnections(NetworkFault):
    name, kind = "reset-connections", "reset"
    does = (
        "Connections to a server are reset (RST), and new ones too; in one direction the other side is left half open."
    )
    shortest, longest = 0, 6
    directions = (BOTH, UP, DOWN)


class BlackHole(NetworkFault):
    name, kind = "black-hole", "hold"
    does = "No packet arrives on the way to a server, and no end of a connection; later what was sent arrives."
    shortest, longest = 2, 12
    directions = (BOTH, UP, DOWN)


class ForgetConnections(NetworkFault):
    name, kind = "forget-connections", "hold"
    does = "No packet reaches a server; when the network is back, every connection through it is reset."
    shortest, longest = 2, 12
    heals_by_reset = True


class SlowNetwork(NetworkFault):
    name, kind = "slow-network", "slow"
    does = "What goes to a server and comes from it is late, and at times little fits through."
    shortest, longest = 3, 8

    def make_rule(self) -> Rule:
        latency = round(self.chance.uniform(0.01, 0.3), 3)
        return Rule("slow", latency=latency, bytes_per_second=self.chance.choice((0, 0, 20_000, 200_000)))


class SplitFrames(NetworkFault):
    name, kind = "split-frames", "split"
    does = "Connections to a server stall in the middle of a frame, and later go on."
    shortest, longest = 1, 10
    directions = (BOTH, UP, DOWN)

    def make_rule(self) -> Rule:
        return Rule("split", self.up, self.down, after=self.chance.choice((1, 3, 6, 20, 200)))


class BreakFrames(SplitFrames):
    name = "break-frames"
    does = "Connections to a server are reset in the middle of a frame, new ones too."
    shortest, longest = 0, 6

    def make_rule(self) -> Rule:
        return Rule("split", self.up, self.down, after=self.chance.choice((1, 3, 6, 20, 200)), then="reset")
