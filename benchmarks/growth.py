"""`python -m benchmarks.growth`: what a saga costs as tables, streams and the number of open sagas grow."""

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from operator import attrgetter
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from benchmarks.growing_shop import SAGA_STEPS, grown, shop
from benchmarks.grown import long_stream
from benchmarks.place import Place
from benchmarks.rows import Row, compare, shortened
from benchmarks.step_cost import Cost, Costs
from devstack.servers.private import private_servers
from tests.support.databases import Databases

SIZES = (10_000, 100_000, 1_000_000)
STREAMS = (10, 1_000, 10_000)
OPEN = (1, 100, 1_000)
ROUNDS = 3
SAGAS = 100


def compared(places: Mapping[str, Callable[[], Costs]]) -> dict[str, dict[str, Cost]]:
    """Step -> place -> its cost, the least of some rounds that take the places in turn."""
    found: dict[str, dict[str, list[Cost]]] = {}
    for _ in range(ROUNDS):
        for place, measure in places.items():
            for step, one in measure().items():
                found.setdefault(step, {}).setdefault(place, []).append(one)
    return {
        step: {place: min(costs, key=attrgetter("cpu")) for place, costs in of.items()} for step, of in found.items()
    }


def by_size(databases: Databases, sizes: Sequence[int]) -> dict[str, dict[str, Cost]]:
    with ExitStack() as open_:
        shops = {f"{size:,} events": open_.enter_context(closing(grown(databases, size))) for size in sizes}
        sagas = compared({place: partial(one.sagas, SAGAS) for place, one in shops.items()})
        return sagas | compared({place: one.idle for place, one in shops.items()})


def by_stream(databases: Databases, lengths: Sequence[int]) -> dict[str, dict[str, Cost]]:
    cold, warm = {}, {}
    with closing(shop(databases)) as one:
        for length in lengths:
            sku, place = f"tea-{length}", f"stream of {length:,}"
            one.price(sku)
            long_stream(one.inventory.database, sku, length)
            cold[place] = partial(one.cold_sagas, SAGAS // 2, sku)
            warm[place] = partial(one.sagas, SAGAS, [sku])
        one.skip_old_messages()
        return compared(cold) | compared(warm)


def by_open(databases: Databases, numbers: Sequence[int]) -> dict[str, dict[str, Cost]]:
    with ExitStack() as open_:
        places = {}
        for number in numbers:
            one = open_.enter_context(closing(shop(databases)))
            one.leave_open(number)
            places[f"{number:,} open"] = partial(one.sagas, SAGAS)
        return compared(places)


def rows(found: Mapping[str, Mapping[str, Cost]]) -> list[Row]:
    """A row for each step and place; the reference is the first place, the smallest."""
    made = []
    for step, of in found.items():
        smallest = next(iter(of.values()))
        for place, one in of.items():
            ratio = one.cpu / smallest.cpu
            made.append(Row(f"{step}, {place}", shortened(one.cpu), "ms", shortened(smallest.cpu), shortened(ratio)))
    return made


def table(found: Mapping[str, Mapping[str, Cost]]) -> Table:
    made = Table("step", "place", "CPU ms", "of it Postgres", "pages", "ratio", "ratio of pages")
    for step, of in found.items():
        smallest = next(iter(of.values()))
        for place, one in of.items():
            ratios = f"{one.cpu / smallest.cpu:.2f}", f"{one.pages / max(1, smallest.pages):.2f}"
            made.add_row(step, place, f"{one.cpu:.2f}", f"{one.postgres:.2f}", f"{one.pages:.0f}", *ratios)
        made.add_section()
    return made


def measure(place: Place) -> list[Row]:
    """All steps of a saga that are measured here, in one row: at a hundred thousand events beside ten thousand."""
    if place.size.read_side_orders is None:
        return []
    with place.fresh_databases() as fresh:
        found = by_size(fresh, SIZES[:2])
    few, many = (
        sum(cpus) for cpus in zip(*([one.cpu for one in found[step].values()] for step in SAGA_STEPS), strict=True)
    )
    return [compare("growth_saga_cpu_ms_at_100k_events", "ms", [many], [few])]


PARTS = {"size": (by_size, SIZES), "stream": (by_stream, STREAMS), "open": (by_open, OPEN)}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=f"{__doc__} See docs/BENCHMARKS.md."
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; may be repeated")
    parser.add_argument("--events", type=int, nargs="+", default=SIZES, help="sizes of each database")
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load, made = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory(prefix="growth-") as directory, private_servers(directory) as servers:
        databases = Databases(servers.postgres)
        for part in options.part or PARTS:
            compare_places, points = PARTS[part]
            found = compare_places(databases, options.events if part == "size" else points)
            Console(width=None if sys.stdout.isatty() else 150).print(table(found))
            made += rows(found)
    print(f"load average before {load:.1f}, after {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps({"rows": [row._asdict() for row in made]}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
