"""`python -m benchmarks`: every figure beside its reference of the same run, as a table and as latest.json."""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

import tests.shop.support.schemas  # noqa: F401 - makes the shop's databases known
from benchmarks import append, backlog, consume, costs, latency, read_side, rebuild, relay, saga
from benchmarks.place import FULL, QUICK, Place
from benchmarks.rows import REACH, Row, reached
from devstack.servers.private import private_servers
from tests.support.counting import GROUP
from tests.support.databases import Databases

HERE = Path(__file__).parent
BASELINE = HERE / "baseline.json"
LATEST = HERE / "latest.json"

STEPS: list[tuple[str, Callable[[Place], list[Row]]]] = [
    ("append a command from 8 threads", append.measure),
    ("relay against publishing from memory", relay.measure_in),
    ("relay beside a stranger's transaction", backlog.measure_foreign_transaction),
    ("relay with a million rows waiting", backlog.measure_million),
    ("from commit to consumer", latency.measure),
    ("consume, react, announce", consume.measure),
    ("whole sagas over HTTP", saga.measure),
    ("rebuild the read side", rebuild.measure),
    ("dashboard and audit with a million events", read_side.measure),
    ("statements, round trips, WAL", costs.measure),
]


def run(place: Place) -> Iterator[Row]:
    for number, (what, measure) in enumerate(STEPS, 1):
        began = time.monotonic()
        print(f"{number}/{len(STEPS)} {what} ...", end=" ", file=sys.stderr, flush=True)
        yield from measure(place)
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


def to_json(rows: list[Row]) -> str:
    return json.dumps({"rows": [row._asdict() for row in rows]}, indent=2) + "\n"


def from_json(text: str) -> dict[str, Row]:
    """By name."""
    return {row["name"]: Row(**row) for row in json.loads(text)["rows"]}


def table(rows: list[Row], baseline: dict[str, Row]) -> Table:
    made = Table("name", "value", "unit", "reference", "ratio", "ratio of the baseline", "to reach")
    for row in rows:
        before = baseline.get(row.name)
        figures = (said(row.value), row.unit, said(row.reference), said(row.ratio))
        made.add_row(row.name, *figures, said(before and before.ratio), goal(row))
    return made


def said(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,}"


def goal(row: Row) -> str:
    if row.name not in REACH:
        return ""
    of, sign, bound = REACH[row.name]
    return f"{of} {sign} {bound}: {'reached' if reached(row) else 'MISSED'}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=f"{__doc__} See docs/BENCHMARKS.md.")
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten: fewer rounds, wider scatter")
    parser.add_argument("--baseline", action="store_true", help="keep the figures as baseline.json too")
    options = parser.parse_args(arguments)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    baseline = from_json(BASELINE.read_text()) if BASELINE.exists() else {}
    began, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory, private_servers(directory, [GROUP]) as servers:
        rows = list(run(Place(servers, Databases(servers.postgres), QUICK if options.quick else FULL)))
    for path in (LATEST, *([BASELINE] if options.baseline else [])):
        path.write_text(to_json(rows))
    Console(width=None if sys.stdout.isatty() else 150).print(table(rows, baseline))
    print(f"{time.monotonic() - began:.0f} s; load average before {load:.1f}, after {os.getloadavg()[0]:.1f}")
    print(f"written to {LATEST}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
