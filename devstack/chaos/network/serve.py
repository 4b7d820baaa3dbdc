"""`python -m devstack.chaos.network.serve PORTS LINK...`: the process of the proxy.

It prints a line of JSON, the port of each link, and then answers a line of standard input with a line: the first word
of it is `impose` (links, rule: connections) or `traffic` (none: link -> Traffic). It ends with its standard input.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devstack.chaos.network.listener import Listener
from devstack.chaos.network.rule import Rule

SEPARATOR = ">"


async def serve(ports: Path, links: Sequence[str]) -> None:
    listeners = {link: Listener(link.partition(SEPARATOR)[2], ports) for link in links}
    say({link: await listener.listen() for link, listener in listeners.items()})
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        say(answer(listeners, *json.loads(line)))


def answer(listeners: dict[str, Listener], verb: str, links: Sequence[str] = (), rule: Any = None) -> Any:
    if verb == "impose":
        return sum(listeners[link].impose(Rule(**rule)) for link in links)
    return {link: asdict(listener.traffic()) for link, listener in listeners.items()}


def say(found: Any) -> None:
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2:]))
