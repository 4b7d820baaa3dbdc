"""Partitions of containers: a node that the others do not reach, with its clients or without them."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from shutil import which

from tests.containers.project import Project

NETWORK = "broker"
Cut = Callable[[Project, str, Sequence[str]], AbstractContextManager[None]]
"""Cuts a node off from the others for as long as the block lasts."""


def problem() -> str:
    """Why no partition can be made here; empty: it can."""
    if os.geteuid() != 0 or not (which("nsenter") and which("iptables")):
        return "a partition needs root, nsenter and iptables"
    return ""


@contextmanager
def split_from(project: Project, node: str, others: Sequence[str]) -> Iterator[None]:
    """Packets between a node and the others are dropped, in the node's own network; clients reach all of them."""
    addresses = [address_of(project, other) for other in others]
    try:
        firewall(project, node, "--append", addresses)
        yield
    finally:
        firewall(project, node, "--delete", addresses)


@contextmanager
def unplugged(project: Project, node: str, others: Sequence[str]) -> Iterator[None]:
    """The node is in no network: neither the others nor its clients reach it, and nobody tells them."""
    network, container = f"{project.name}_{NETWORK}", container_of(project, node)
    docker("network", "disconnect", network, container)
    try:
        yield
    finally:
        docker("network", "connect", "--alias", node, "--alias", NETWORK, network, container)


def firewall(project: Project, node: str, action: str, addresses: Sequence[str]) -> None:
    pid = inspected(project, node, "{{.State.Pid}}")
    for address in addresses:
        for chain, direction in (("INPUT", "--source"), ("OUTPUT", "--destination")):
            rule = ["iptables", "--wait", action, chain, direction, address, "--jump", "DROP"]
            subprocess.run(["nsenter", "--target", pid, "--net", *rule], check=True, capture_output=True)


def address_of(project: Project, service: str) -> str:
    return inspected(project, service, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")


def inspected(project: Project, service: str, what: str) -> str:
    return docker("inspect", "--format", what, container_of(project, service))


def container_of(project: Project, service: str) -> str:
    return project.run("ps", "--quiet", service).strip()


def docker(*arguments: str) -> str:
    return subprocess.check_output(["docker", *arguments], text=True).strip()
