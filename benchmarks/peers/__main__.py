"""`python -m benchmarks.peers`: the systems that a user would pick instead, and ours, in their harness."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.kept import file_of
from benchmarks.pace import Pace, sentence
from benchmarks.peers.cases_of import FULL, QUICK, SECTIONS, Size
from benchmarks.peers.harness import Failed, Harness, NoHarness
from benchmarks.peers.side_by_side import HEAD, Peer, cells, side_by_side, to_json

ROOT = Path(__file__).resolve().parent.parent.parent
LATEST = ROOT / "benchmarks" / "latest_peers.json"
KEPT = file_of("peers")
PEERS = ("naive", "eventsourcing", "celery", "dbos", "ours")
SHOWN = ("rabbitmq", "server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size")
"""Of the servers' versions and settings."""
WORK = Path.home() / ".cache" / "ordersaga-peers"


def lines(harness: Harness, sections: list[str], peers: list[str], size: Size) -> Iterator[dict[str, Any]]:
    """Every measurement as it comes."""
    if "saga" in sections:
        yield from harness.sagas(peers, size.cases, size.reps)
    others = [SECTIONS[name] for name in sections if name != "saga"]
    if others:
        yield from harness.sections(others, size.reps)


def table(peers: list[Peer]) -> Table:
    made = Table(*HEAD)
    for each in peers:
        made.add_row(*cells(each))
    return made


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description="Installs the peers of the harness into an environment of their own, runs them and ours on the "
        "harness's Postgres and RabbitMQ, and prints all side by side. A JSON line for each run goes to stderr. "
        "Exit code: 0; 1 when a peer's final states are wrong or the harness failed; 2 without a harness.",
    )
    made.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "peers", metavar="DIR", help="the harness")
    made.add_argument("--work", type=Path, default=WORK, metavar="DIR", help="environments and results (%(default)s)")
    made.add_argument("--quick", action="store_true", help="the sagas alone, once, with fewer orders")
    made.add_argument("--sections", nargs="+", choices=list(SECTIONS), metavar="SECTION", help=", ".join(SECTIONS))
    made.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER", help="of the sagas")
    made.add_argument("--keep", action="store_true", help=f"write {KEPT.relative_to(ROOT)} too, which the docs show")
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return made


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    size = QUICK if options.quick else FULL
    sections = options.sections or (["saga"] if options.quick else list(SECTIONS))
    found: list[dict[str, Any]] = []
    servers: dict[str, str] = {}
    try:
        harness = Harness.at(options.peers, options.work)
        began, pace = time.monotonic(), Pace()
        print(f"installing the peers in {harness.work} ...", file=sys.stderr)
        harness.install()
        for line in lines(harness, sections, options.only, size):
            print(json.dumps(line), file=sys.stderr, flush=True)
            if "servers" in line:
                servers = {name: line["servers"][name] for name in SHOWN if name in line["servers"]}
            else:
                found.append(line)
                pace.look()
    except NoHarness as error:
        print(error, file=sys.stderr)
        return 2
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    peers = side_by_side(found)
    about = {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "quick": options.quick,
        **pace.about(),
        "servers": servers,
    }
    for path in (LATEST, *([KEPT] if options.keep else [])):
        path.write_text(to_json(peers, about))
    if options.json:
        print(to_json(peers, about), end="")
    else:
        Console(width=None if sys.stdout.isatty() else 150).print(table(peers))
        print(f"{time.monotonic() - began:.0f} s; {sentence(pace.about())}")
        print("All on the Postgres and the RabbitMQ of the harness. `ours` is the whole stack, read side included.")
    return 0 if all(each.ok for each in peers) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
